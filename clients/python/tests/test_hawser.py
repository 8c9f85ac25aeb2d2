"""The package's own tests: its README, the blocking client, the wheel, and what the vectors do not
reach.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import threading
import unittest
import venv
import zipfile
from pathlib import Path
from typing import Any, Dict, List

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

import hawser  # noqa: E402
from hawser import Contract, Failed, Message  # noqa: E402
from hawser.contract import fingerprint, lane_number  # noqa: E402
from hawser.numbers import NumberSet  # noqa: E402

VECTORS = ROOT.parents[1] / "conformance/vectors"
DESK = Contract(
    "desk",
    1,
    [
        Message(
            "note.created",
            "event",
            sender="both",
            at_least_once=True,
            lane=lambda note: note["ticket"],
        ),
        Message("ticket.get", "request"),
        Message("ticket.tail", "stream"),
        Message("add.all", "stream", sends_items=True),
    ],
)


async def tail(value: Any, _: Any) -> Any:
    for n in range(1, value["to"] + 1):
        yield n


async def add_all(_: Any, call: Any) -> Any:
    total = 0
    async for item in call:
        total += item
    yield total


def get(value: Any, _: Any) -> Any:
    if value["id"] != 7:
        raise Failed.named("notFound", {"id": value["id"]})
    return {"id": 7}


class ServerThread:
    """A server on a thread, for clients that block."""

    def __init__(self) -> None:
        self.port = 0
        self.notes: List[Any] = []
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._started.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        handlers: Dict[str, Any] = {
            "ticket.get": get,
            "ticket.tail": tail,
            "add.all": add_all,
            "note.created": lambda note, _: self.notes.append(note),
        }
        self._server = hawser.Server(DESK, handlers)
        self.port = self._loop.run_until_complete(self._server.listen())
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._server.close())
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class Readme(unittest.TestCase):
    def test_its_first_example_runs(self) -> None:
        examples = re.findall(
            r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
        )
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", examples[0]],
            env={"PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"^[0-9a-f]{32}/1 \{'ticket': 7")

    def test_its_second_example_runs(self) -> None:
        examples = re.findall(
            r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
        )
        server = ServerThread()
        try:
            exec(
                examples[1].replace(":7000", f":{server.port}").replace("print(n)", "pass"),
                {"desk": DESK},
            )
            self.assertEqual(server.notes, [{"ticket": 7, "text": "done"}])
        finally:
            server.close()


class Blocking(unittest.TestCase):
    def setUp(self) -> None:
        self.server = ServerThread()
        self.client = hawser.blocking.connect(f"tcp://127.0.0.1:{self.server.port}", DESK)

    def tearDown(self) -> None:
        self.client.close()
        self.server.close()

    def test_calls_fail_with_the_contracts_error(self) -> None:
        with self.assertRaises(Failed) as caught:
            self.client.request("ticket.get", {"id": 8})
        self.assertEqual((caught.exception.name, caught.exception.payload), ("notFound", {"id": 8}))

    def test_streams_go_both_ways_and_are_left(self) -> None:
        with self.client.stream("add.all") as stream:
            stream.send_all([1, 2, 3])
            self.assertEqual(list(stream), [6])
        with self.client.stream("ticket.tail", {"to": 1_000_000}) as stream:
            self.assertEqual([next(stream) for _ in range(3)], [1, 2, 3])
        self.assertEqual(self.client.request("ticket.get", {"id": 7}), {"id": 7})

    def test_the_round_trip_is_measured(self) -> None:
        self.assertGreater(self.client.ping(), 0)


class Hostile(unittest.TestCase):
    def test_a_client_that_asks_and_does_not_read_ends_its_session(self) -> None:
        async def run() -> str:
            contract = Contract("big", 1, [Message("big", "request")])
            ended: "asyncio.Future[str]" = asyncio.get_running_loop().create_future()

            def watch(session: hawser.ServerSession) -> None:
                async def wait() -> None:
                    await session.ended.wait()
                    ended.set_result(str(session.over))

                session.spawn(wait())

            handlers = {"big": lambda value, call: "x" * 100_000}
            server = hawser.Server(contract, handlers, max_queued_bytes=1_000_000, on_session=watch)
            port = await server.listen()
            # A client of our own whose reading stops once the session is there.
            client = await hawser.connect(f"tcp://127.0.0.1:{port}", contract, reconnect=False)
            assert client.link is not None
            client.link._reader._transport.pause_reading()  # type: ignore[attr-defined]
            client.link._tasks[0].cancel()
            calls = [asyncio.ensure_future(client.request("big")) for _ in range(400)]
            said = await asyncio.wait_for(ended, 30)
            client.lose()
            await asyncio.gather(*calls, return_exceptions=True)
            await server.close()
            return said

        self.assertIn("max_queued_bytes (1000000)", asyncio.run(run()))


class Hashes(unittest.TestCase):
    def test_are_those_of_the_vectors(self) -> None:
        hashes = json.loads((VECTORS / "hashes.json").read_text(encoding="utf-8"))
        for each in hashes["fingerprints"]:
            messages = [Message(*entry) for entry in each["messages"]]
            self.assertEqual(fingerprint(messages), each["fingerprint"])
        for each in hashes["lanes"]:
            self.assertEqual(lane_number(each["key"]), each["lane"])

    def test_a_number_is_a_key_as_its_digits_are(self) -> None:
        self.assertEqual(
            [lane_number(7), lane_number(7.0), lane_number(-1), lane_number(0.5)],
            [lane_number(key) for key in ("7", "7", "-1", "0.5")],
        )
        with self.assertRaises(TypeError):
            lane_number(True)


class Numbers(unittest.TestCase):
    def test_hold_against_a_set(self) -> None:
        import random

        rnd = random.Random(1)
        for _ in range(300):
            numbers, model = NumberSet(), set()
            for _ in range(rnd.randrange(40)):
                first = rnd.randrange(1, 30)
                last = first + rnd.randrange(4)
                numbers.add(first, last)
                model.update(range(first, last + 1))
                up_to = next(n for n in range(1, 60) if n not in model) - 1
                self.assertEqual(numbers.up_to, up_to)
                self.assertEqual(
                    [n for n in range(1, 40) if n in numbers], sorted(n for n in model if n < 40)
                )
                below = rnd.randrange(1, 40)
                self.assertEqual(
                    numbers.missing_below(below), [n for n in range(1, below) if n not in model]
                )


class Documents(unittest.TestCase):
    def test_one_that_was_changed_is_refused(self) -> None:
        document = {
            "format": "hawser-contract/1",
            "name": "a",
            "version": 1,
            "accepts": [1, 1],
            "fingerprint": "0" * 16,
            "messages": [],
        }
        with self.assertRaisesRegex(ValueError, "fingerprint"):
            Contract.from_json(document)
        with self.assertRaisesRegex(ValueError, "hawser-contract/1"):
            Contract.from_json({**document, "format": "hawser-contract/2"})

    def test_a_lane_by_key_needs_its_function(self) -> None:
        event = {
            "name": "e",
            "type": "event",
            "from": "client",
            "codec": "json",
            "digest": "",
            "delivery": "at-least-once",
            "lane": {"keyed": True},
            "payload": True,
        }
        document = {
            "format": "hawser-contract/1",
            "name": "a",
            "version": 1,
            "accepts": [1, 1],
            "fingerprint": fingerprint([Message("e", "event")]),
            "messages": [event],
        }
        with self.assertRaisesRegex(ValueError, "lanes"):
            Contract.from_json(json.dumps(document))
        contract = Contract.from_json(document, lanes={"e": lambda value: value["k"]})
        self.assertTrue(contract.messages[0].at_least_once)


class Wheel(unittest.TestCase):
    def test_is_the_same_each_time_and_runs_where_it_is_installed(self) -> None:
        import make_wheel

        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "again").mkdir()
            wheel = make_wheel.make(Path(folder))
            self.assertEqual(
                wheel.read_bytes(), make_wheel.make(Path(folder) / "again").read_bytes()
            )
            home = Path(folder) / "venv"
            venv.create(home, with_pip=False)
            site = next(home.glob("lib/python*/site-packages"), home / "Lib/site-packages")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(site)
            interpreter = next(
                path for path in (home / "bin/python", home / "Scripts/python.exe") if path.exists()
            )
            run = subprocess.run(
                [str(interpreter), "-W", "error", "-c", _INSTALLED],
                capture_output=True,
                text=True,
                timeout=60,
                cwd=folder,
            )
            self.assertEqual((run.returncode, run.stdout), (0, "12\n"), run.stderr)


_INSTALLED = """
import asyncio, hawser
contract = hawser.Contract("sum", 1, [hawser.Message("add", "request")])
async def main():
    server = hawser.Server(contract, {"add": lambda value, call: sum(value)})
    async with await hawser.connect(f"tcp://127.0.0.1:{await server.listen()}", contract) as client:
        print(await client.request("add", [5, 7]))
    await server.close()
asyncio.run(main())
"""

if __name__ == "__main__":
    unittest.main()
