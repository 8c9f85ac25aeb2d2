"""The conformance program of conformance/vectors/README.md, in Python.

    python3 conformance_peer.py server          listens, and prints "listening on PORT"
    python3 conformance_peer.py client PORT     connects to the runner, again and again

It ends when its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, Dict, List

sys.path.insert(0, str(Path(__file__).parent / "src"))

import hawser  # noqa: E402
from hawser import NOTHING, Contract, Failed, Invalid, Limits, Message, Refused  # noqa: E402

LIMITS = Limits(
    maxMessageBytes=100_000,
    maxPartials=2,
    maxConversations=8,
    windowBytes=1_000,
    eventWindowBytes=2_000,
    laneWindowBytes=500,
    connectionWindowBytes=1_500,
    maxInputBytes=250_000,
)


def strict(value: Any) -> Any:
    if not isinstance(value, dict):
        raise Invalid("it is no object")
    if not isinstance(value.get("a"), (int, float)) or isinstance(value.get("a"), bool):
        raise Invalid("a is no number", ["a"])
    return value


def number(value: Any) -> Any:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Invalid("it is no number")
    return value


def request(name: str, **more: Any) -> Message:
    return Message(name, "request", sender="both", **more)


def stream(name: str, **more: Any) -> Message:
    return Message(name, "stream", sender="both", **more)


def event(name: str, **more: Any) -> Message:
    return Message(name, "event", sender="both", **more)


CONTRACT = Contract(
    "hawser-conformance",
    3,
    (
        event("audit", lane="audit"),
        event("blot", codec="bytes", at_least_once=True),
        event("hint"),
        event("keyed", at_least_once=True, lane=lambda told: told.get("key", "")),
        event("note", at_least_once=True),
        *(
            request(name)
            for name in (
                "call cancel drain echo emit fail log pull release stubborn throw wait".split()
            )
        ),
        request("blob", codec="bytes"),
        request("make", codec="bytes"),
        request("strict", check=strict, digest="5d1b0a6f3c2e4978"),
        stream("broken"),
        stream("chunks", codec="bytes"),
        stream("collect", sends_items=True, check_item=number),
        stream("count"),
        stream("hang", sends_items=True),
        stream("mirror", sends_items=True),
        stream("take", sends_items=True),
    ),
    (2, 3),
)


class Memory:
    """What is kept by tag, for the whole life of the process."""

    def __init__(self) -> None:
        self.notes: Dict[str, List[str]] = {}
        self.changed = asyncio.Event()
        self.waiting: Dict[str, List["asyncio.Future[None]"]] = {}
        self.calls: Dict[str, Any] = {}

    def note(self, tag: str, text: str) -> None:
        self.notes.setdefault(tag, []).append(text)
        self.changed.set()
        self.changed = asyncio.Event()

    async def log(self, tag: str, least: int) -> List[str]:
        while len(self.notes.get(tag, [])) < least:
            await self.changed.wait()
        return self.notes.get(tag, [])

    async def wait(self, tag: str) -> None:
        future: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(tag, []).append(future)
        await future

    def release(self, tag: str) -> None:
        for future in self.waiting.pop(tag, []):
            if not future.done():
                future.set_result(None)


def handlers(memory: Memory) -> Dict[str, Any]:
    async def told(payload: Any, _: Any) -> None:
        tag, n = payload["tag"], payload["n"]
        memory.note(tag, f"begin {n}")
        if payload.get("then") == "wait":
            await memory.wait(tag)
        if payload.get("then") == "fail":
            raise RuntimeError("The event says so")
        memory.note(tag, f"end {n}")

    def fail(value: Any, _: Any) -> None:
        raise Failed.named("rude", value)

    def throw(_: Any, __: Any) -> None:
        raise RuntimeError("The request says so")

    async def wait_noting(tag: str, call: Any) -> None:
        memory.note(tag, "waiting")
        try:
            await memory.wait(tag)
        except asyncio.CancelledError:
            memory.note(tag, f"cancelled {call.cancel_code}")
            raise
        memory.note(tag, "released")

    async def wait(value: Any, call: Any) -> str:
        await wait_noting(value["tag"], call)
        return "released"

    async def stubborn(value: Any, _: Any) -> str:
        memory.note(value["tag"], "waiting")
        waiting = asyncio.ensure_future(memory.wait(value["tag"]))
        while not waiting.done():
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError:
                continue
        return "released"

    def release(value: Any, _: Any) -> Any:
        memory.release(value["tag"])
        return NOTHING

    async def log(value: Any, _: Any) -> List[str]:
        return await memory.log(value["tag"], value.get("least", 0))

    def emit(value: Any, call: Any) -> Any:
        for payload in value["payloads"]:
            tag, n = payload["tag"], payload["n"]

            def over(future: "asyncio.Future[None]", tag: str = tag, n: int = n) -> None:
                if future.cancelled():
                    return
                error = future.exception()
                if error is None:
                    memory.note(tag, f"delivered {n}")
                else:
                    memory.note(tag, f"{getattr(error, 'code', type(error).__name__)} {n}")

            call.session.emit(value["name"], payload).add_done_callback(over)
        return NOTHING

    async def call(value: Any, call: Any) -> Any:
        try:
            timeout = None if value.get("timeoutMs") is None else value["timeoutMs"] / 1_000
            opened = await call.session.call(
                value["name"], value.get("input", NOTHING), timeout=timeout
            )
            if value.get("tag") is not None:
                memory.calls[value["tag"]] = opened
            result = await opened.result()
            return {} if result is NOTHING else {"result": result}
        except hawser.HawserError as error:
            return failure(error)

    def cancel(value: Any, _: Any) -> Any:
        found = memory.calls.get(value["tag"])
        if found is not None:
            found.give_up()
        return NOTHING

    async def pull(value: Any, call: Any) -> Any:
        items: List[Any] = []
        timeout = None if value.get("timeoutMs") is None else value["timeoutMs"] / 1_000
        take = value.get("take", float("inf"))
        try:
            stream = await call.session.stream(
                value["name"], value.get("input", NOTHING), timeout=timeout
            )
        except hawser.HawserError as error:
            return {"items": items, **failure(error)}
        if value.get("tag") is not None:
            memory.calls[value["tag"]] = stream
        sending = asyncio.ensure_future(
            send_all(stream, value.get("send", []), value.get("end", False))
        )
        try:
            if take > 0:
                async for item in stream:
                    items.append(item)
                    if len(items) >= take:
                        break
                else:
                    return {"items": items, "ended": True}
            stream.give_up()
            return {"items": items, "ended": False}
        except hawser.HawserError as error:
            return {"items": items, **failure(error)}
        finally:
            sending.cancel()

    async def send_all(stream: Any, items: List[Any], ends: bool) -> None:
        for item in items:
            if not await stream.send(item):
                return
        if ends:
            await stream.end()

    def drain(_: Any, call: Any) -> Any:
        call.session.drain()
        return NOTHING

    async def count(value: Any, _: Any) -> Any:
        for n in range(1, value["to"] + 1):
            yield n

    async def chunks(value: bytes, _: Any) -> Any:
        items, size = (int(text) for text in value.decode().split(" "))
        for _item in range(items):
            yield b"a" * size

    async def mirror(_: Any, call: Any) -> Any:
        async for item in call:
            yield item

    async def collect(_: Any, call: Any) -> Any:
        total = 0
        async for item in call:
            total += item
        yield total

    async def take(value: Any, call: Any) -> Any:
        taken: List[Any] = []
        while len(taken) < value["n"]:
            try:
                item = await call.__anext__()
            except StopAsyncIteration:
                break
            taken.append(item)
            if value.get("tag") is not None:
                memory.note(value["tag"], f"took {hawser.codecs.encode_json(item).decode()}")
        yield taken

    async def hang(value: Any, call: Any) -> Any:
        await wait_noting(value["tag"], call)
        yield "released"

    async def broken(value: Any, _: Any) -> Any:
        for n in range(1, value["after"] + 1):
            yield n
        if value["how"] == "name":
            raise Failed.named("rude", {"after": value["after"]})
        raise RuntimeError("The stream says so")

    return {
        "echo": lambda value, _: value,
        "blob": lambda value, _: value,
        "make": lambda value, _: b"a" * int(value.decode()),
        "strict": lambda value, _: value["a"],
        **{
            f.__name__: f
            for f in (fail, throw, wait, stubborn, release, log, emit, call, cancel, pull, drain)
        },
        **{f.__name__: f for f in (count, chunks, mirror, collect, take, hang, broken)},
        **{name: told for name in ("note", "hint", "keyed", "audit")},
        "blot": lambda _, __: None,
    }


def failure(error: hawser.HawserError) -> Dict[str, Any]:
    if not isinstance(error, Failed):
        return {"code": type(error).__name__}
    said: Dict[str, Any] = {"code": error.code}
    if error.name is not None:
        said.update(name=error.name, payload=None if error.payload is NOTHING else error.payload)
    if error.path is not None and error.code in ("INPUT_INVALID", "ITEM_INVALID", "OUTPUT_INVALID"):
        said["path"] = error.path
    return said


def authenticate(auth: Any) -> str:
    said = auth if isinstance(auth, dict) else {}
    if said.get("refuse") is True:
        raise Refused("AUTH_REFUSED", "the client asks to be refused")
    if said.get("busy") is True:
        raise Refused("OVERLOADED", "the client asks to be sent away")
    return str(said.get("user", "nobody"))


async def serve() -> None:
    server = hawser.Server(
        CONTRACT,
        handlers(Memory()),
        limits=LIMITS,
        authenticate=authenticate,
        heartbeat=(60.0, 60.0),
    )
    port = await server.listen()
    print(f"listening on {port}", flush=True)
    await stdin_ends()
    await server.close()


async def connect(port: int) -> None:
    memory = Memory()
    ended = asyncio.ensure_future(stdin_ends())
    while not ended.done():
        client = hawser.Client(
            f"tcp://127.0.0.1:{port}",
            CONTRACT,
            handlers=handlers(memory),
            limits=LIMITS,
            heartbeat=(60.0, 60.0),
            backoff=lambda _: 0.005,
        )
        try:
            await client.connect()
            over = asyncio.ensure_future(client.ended.wait())
            await asyncio.wait([over, ended], return_when=asyncio.FIRST_COMPLETED)
            over.cancel()
        except (hawser.HawserError, OSError):
            await asyncio.sleep(0.005)
    ended.cancel()


async def stdin_ends() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    if sys.argv[1:2] == ["server"]:
        asyncio.run(serve())
    elif len(sys.argv) == 3 and sys.argv[1] == "client":
        asyncio.run(connect(int(sys.argv[2])))
    else:
        sys.exit(__doc__)
