"""Random conversations over connections that are killed and frozen at any byte, with exact
accounts.

    python3 trial.py client CONTRACT PORT COUNT SEED    the client against a server of the contract
    python3 trial.py server CONTRACT SEED               the server behind a proxy; prints its port

CONTRACT is a file with the contract as data. A conversation is a request, a stream or an event with
its answer. Exits 0 only if every account is right: each numbered event is handled once, in the
order of its lane, whatever was lost; each rejected one is told so; each call that was answered has
the right answer.
"""

from __future__ import annotations

import asyncio
import collections
import random
import sys
import time
from pathlib import Path
from typing import Any, Counter, Dict, List, Optional, Tuple

sys.path.insert(0, str(Path(__file__).parents[2] / "clients/python/src"))

import hawser  # noqa: E402
from hawser import ConnectionLost, Contract, Failed, HawserError, Limits  # noqa: E402

LIMITS = Limits(
    maxMessageBytes=200_000,
    maxPartials=2,
    maxConversations=20,
    windowBytes=700,
    eventWindowBytes=1_500,
    laneWindowBytes=400,
    connectionWindowBytes=1_000,
)
AT_ONCE = 12
STUCK_SECONDS = 30.0
KINDS = "note keyed keyed keyed bad typing echo add count cancel sum mirror".split()


def read_contract(path: str) -> Contract:
    lane = lambda note: note["key"]  # noqa: E731
    return Contract.from_json(Path(path).read_bytes(), lanes={"keyed": lane, "heard": lane})


def handlers(rnd: random.Random) -> Dict[str, Any]:
    """A server: what it has handled it says with `heard`, in the same lane."""

    async def told(note: Any, event: Any) -> None:
        key = note["key"]
        if key == "slow":
            await asyncio.sleep(0.02)
        elif rnd.random() < 0.1:
            await asyncio.sleep(rnd.random() * 0.004)
        event.session.emit("heard", {"key": key, "n": note["n"]})

    def bad(_: Any, __: Any) -> None:
        raise RuntimeError("it is bad")

    async def count(value: Any, _: Any) -> Any:
        for n in range(1, value["to"] + 1):
            yield n

    async def mirror(_: Any, call: Any) -> Any:
        async for item in call:
            yield item

    async def sum_(_: Any, call: Any) -> Any:
        total = 0
        async for item in call:
            total += item
        yield total

    return {
        "add": lambda value, _: value["a"] + value["b"],
        "echo": lambda value, _: value,
        "count": count,
        "mirror": mirror,
        "sum": sum_,
        "bad": bad,
        "keyed": told,
        "note": told,
        "typing": lambda _, __: None,
    }


class Proxy:
    """Stands between client and server: each connection dies after some bytes, of either direction,
    or stands still for a while.
    """

    def __init__(self, rnd: random.Random, host: str, port: int) -> None:
        self.rnd = rnd
        self.target = (host, port)
        self.port = 0
        self.kills = 0
        self.freezes = 0
        #: True: nothing is killed any more, so that what is left comes to its end.
        self.calm = False
        self._tasks: "set[asyncio.Task[None]]" = set()

    async def start(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        ends = (writer, far_writer)
        left = [None if self.calm else int(self.rnd.expovariate(1 / 20_000)) for _ in range(2)]
        for source, sink, bytes_left in (
            (reader, far_writer, left[0]),
            (far_reader, writer, left[1]),
        ):
            task = asyncio.ensure_future(self._carry(source, sink, ends, bytes_left))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ends: Tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        left: Optional[int],
    ) -> None:
        try:
            while True:
                data = await reader.read(self.rnd.choice((7, 100, 65_536)))
                if not data:
                    break
                if left is not None and len(data) >= left and not self.calm:
                    writer.write(data[:left])  # what is before the byte that kills may arrive
                    await writer.drain()
                    self.kills += 1
                    break
                left = None if left is None else left - len(data)
                if self.rnd.random() < 0.01:
                    self.freezes += 1
                    await asyncio.sleep(self.rnd.random() * 0.03)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        told = self.rnd.random()
        for index, end in enumerate(ends):
            if (
                told < 0.8 or self.calm or index == (told < 0.9)
            ):  # sometimes one end alone hears of it at once
                end.transport.abort()
        await asyncio.sleep(0.05)
        for end in ends:
            end.transport.abort()


class Trial:
    def __init__(self, contract: Contract, port: int, count: int, seed: int) -> None:
        self.rnd = random.Random(seed)
        self.count = count
        self.contract = contract
        self.proxy = Proxy(random.Random(seed + 1), "127.0.0.1", port)
        self.sent: Dict[str, List[int]] = collections.defaultdict(list)
        self.heard: Dict[str, List[int]] = collections.defaultdict(list)
        self.wrong: List[str] = []
        self.tally: Counter[str] = collections.Counter()
        self.events: List[Tuple[str, "asyncio.Future[None]"]] = []
        self.client: hawser.Client

    async def run(self) -> bool:
        await self.proxy.start()
        self.client = hawser.Client(
            f"tcp://127.0.0.1:{self.proxy.port}",
            self.contract,
            handlers={"heard": self._hear},
            limits=LIMITS,
            heartbeat=(1.0, 1.0),
            handshake_timeout=3.0,
            backoff=lambda _: 0.002,
        )
        await self._first()
        origin = self.client.origin
        await asyncio.gather(*(self._worker(n) for n in range(AT_ONCE)))
        self.proxy.calm = True
        until = time.monotonic() + STUCK_SECONDS
        while time.monotonic() < until and not self._is_done():
            await asyncio.sleep(0.01)
        if self.client.origin != origin:
            self.wrong.append("the session was not resumed")
        self._judge()
        await self.client.close()
        print(f"# {dict(self.tally)} {self.proxy.kills} kills, {self.proxy.freezes} freezes")
        for wrong in self.wrong[:20]:
            print(f"# {wrong}")
        return not self.wrong

    def _is_done(self) -> bool:
        heard = sum(map(len, self.heard.values())) >= sum(map(len, self.sent.values()))
        return heard and all(event.done() for _, event in self.events)

    async def _first(self) -> None:
        """The first connection may be killed in its handshake."""
        until = time.monotonic() + STUCK_SECONDS
        while time.monotonic() < until:
            try:
                await self.client.connect()
                return
            except (OSError, HawserError):
                await asyncio.sleep(0.002)
        raise RuntimeError("there is no connection")

    def _hear(self, note: Any, _: Any) -> None:
        self.heard[note["key"]].append(note["n"])

    async def _worker(self, index: int) -> None:
        for n in range(index, self.count, AT_ONCE):
            while self.client.link is None and self.client.over is None:
                await asyncio.sleep(0.001)
            if self.client.over is not None:
                self.wrong.append(f"the session ended: {self.client.over!r}")
                return
            try:
                await asyncio.wait_for(self._converse(n), STUCK_SECONDS)
            except asyncio.TimeoutError:
                self.wrong.append(f"conversation {n} did not end")
                return
            except ConnectionLost:
                self.tally["lost"] += 1
                await asyncio.sleep(0.002)
            except Failed as failure:
                if failure.code not in ("OVERLOADED", "CANCELLED", "DEADLINE_EXCEEDED"):
                    self.wrong.append(f"conversation {n} failed with {failure}")
                self.tally[failure.code] += 1

    def _tell(self, name: str, key: str, n: int) -> None:
        rnd = self.rnd
        fill = "n" * rnd.choice((0, 10, 300, 70_000 if rnd.random() < 0.05 else 1_000))
        self.sent[key].append(n)
        self.events.append((name, self.client.emit(name, {"key": key, "n": n, "fill": fill})))

    async def _converse(self, n: int) -> None:
        rnd, client = self.rnd, self.client
        kind = rnd.choice(KINDS)
        self.tally[kind] += 1
        if kind == "note":
            self._tell("note", "note", n)
        elif kind == "keyed":
            # Of the slow lane few: each takes its handler 20 ms.
            self._tell(
                "keyed", "slow" if rnd.random() < 0.02 else rnd.choice(("a", "b", "c", "")), n
            )
        elif kind == "bad":
            self.events.append(("bad", client.emit("bad", {"key": "", "n": n})))
        elif kind == "typing":
            client.emit("typing", str(n))
        elif kind == "echo":
            value = {
                "n": n,
                "x": "e" * rnd.choice((0, 100, 5_000, 100_000 if rnd.random() < 0.1 else 50)),
            }
            self._check(n, await client.request("echo", value), value)
        elif kind == "add":
            self._check(n, await client.request("add", {"a": n, "b": 1}), n + 1)
        elif kind == "count":
            stream = await client.stream("count", {"to": rnd.randrange(0, 60)})
            items = [item async for item in stream]
            self._check(n, items, list(range(1, len(items) + 1)))
        elif kind == "cancel":
            stream = await client.stream("count", {"to": 100})
            async for _ in stream:
                if rnd.random() < 0.3:
                    break
            await stream.cancel()
        else:
            stream = await client.stream(kind)
            given = [rnd.randrange(1_000) for _ in range(rnd.randrange(0, 30))]
            reading = asyncio.ensure_future(_read(stream))
            try:
                for item in given:
                    await stream.send(item)
                await stream.end()
            except HawserError:
                pass  # the reader is told why
            self._check(n, await reading, [sum(given)] if kind == "sum" else given)

    def _check(self, n: int, got: Any, expected: Any) -> None:
        if got != expected:
            self.wrong.append(
                f"conversation {n}: {got!r:.200} came, and {expected!r:.200} was expected"
            )

    def _judge(self) -> None:
        for key, numbers in self.sent.items():
            if self.heard[key] != numbers:
                doubled = [
                    n for n, times in collections.Counter(self.heard[key]).items() if times > 1
                ]
                missing = sorted(set(numbers) - set(self.heard[key]))
                said = (
                    f"{len(numbers)} were sent and {len(self.heard[key])} heard: doubled "
                    f"{doubled[:5]}"
                )
                self.wrong.append(
                    f"lane {key!r}: {said}, missing {missing[:5]}, or in another order"
                )
        for kind, event in self.events:
            error = event.exception() if event.done() else None
            outcome = (
                "open"
                if not event.done()
                else "delivered"
                if error is None
                else getattr(error, "code", repr(error))
            )
            if outcome != ("HANDLER_FAILED" if kind == "bad" else "delivered"):
                self.wrong.append(f"an event {kind} is {outcome}")


async def _read(stream: Any) -> List[Any]:
    return [item async for item in stream]


async def serve(contract: Contract, seed: int) -> None:
    server = hawser.Server(
        contract, handlers(random.Random(seed + 2)), limits=LIMITS, heartbeat=(1.0, 1.0)
    )
    proxy = Proxy(random.Random(seed), "127.0.0.1", await server.listen())
    await proxy.start()
    print(f"listening on {proxy.port}", flush=True)
    loop = asyncio.get_running_loop()
    line = await loop.run_in_executor(None, sys.stdin.readline)
    if line:  # the other side is done: bring what is left to its end
        proxy.calm = True
        await loop.run_in_executor(None, sys.stdin.readline)
    print(f"# {proxy.kills} kills, {proxy.freezes} freezes", flush=True)
    await server.close()


def main(arguments: List[str]) -> int:
    import logging

    logging.disable(logging.CRITICAL)  # handlers fail on purpose
    if len(arguments) == 5 and arguments[0] == "client":
        contract, port, count, seed = (
            arguments[1],
            int(arguments[2]),
            int(arguments[3]),
            int(arguments[4]),
        )
        return 0 if asyncio.run(Trial(read_contract(contract), port, count, seed).run()) else 1
    if len(arguments) == 3 and arguments[0] == "server":
        asyncio.run(serve(read_contract(arguments[1]), int(arguments[2])))
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
