#!/usr/bin/env python3
"""Tries a server of the contract `conformance` against PROTOCOL.md, and prints TAP.

    python3 script.py HOST PORT
    python3 script.py unix:PATH

Exits 0 only if every step passes. README.md tells what the server has to serve. Lines that begin with `#` say
which of several permitted ways the server takes, or why a step does not apply.
"""

from __future__ import annotations

import asyncio
import random
import struct
import sys
import time
from typing import Any, Awaitable, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from hawser_client import (
    MAX_PAYLOAD, SIGNATURE, Address, Closed, Conversation, Contract, Decoder, Failed, Frame, Head, IncomingEvent, Joiner, Kind, Limits,
    Message, Rejected, Session, Trace, Welcome, connect, decode_head, decode_json, encode_frame, encode_head, encode_json, make_hello,
    open_stream, read_welcome, shut,
)

TOTAL_SECONDS = 60.0
STEP_SECONDS = 15.0
WAIT_SECONDS = 5.0  # for one answer
QUIET_SECONDS = 0.25  # after which nothing more is expected

CONTRACT = Contract("conformance", 1, (1, 1), (
    Message("echo", "request"),
    Message("add", "request"),
    Message("refuse", "request"),
    Message("crash", "request"),
    Message("slow", "request"),
    Message("upload", "request", "bytes"),
    Message("ask", "request"),
    Message("question", "request"),
    Message("count", "stream"),
    Message("sum", "stream"),
    Message("mirror", "stream"),
    Message("flood", "stream"),
    Message("note", "event", at_least_once=True),
    Message("said", "event", at_least_once=True),
    Message("typing", "event"),
    Message("bad", "event", at_least_once=True),
))


class Wrong(Exception):
    """The server did something else than the step expects."""


class Skip(Exception):
    """The step does not apply to this server."""


def check(condition: Any, message: str) -> None:
    if not condition:
        raise Wrong(message)


def note(text: str) -> None:
    print(f"# {text}")


# --- A connection without a mind of its own ----------------------------------------------------------


class Answer(NamedTuple):
    kind: Kind
    id: int
    payload: bytes

    def error(self) -> Dict[str, Any]:
        value = decode_json(self.payload)
        check(isinstance(value, dict) and isinstance(value.get("code"), str) and isinstance(value.get("message"), str),
              f"{self.kind.name} has the payload {self.payload[:200]!r}")
        return dict(value)


class Wire:
    """One connection on which a step may write whatever it wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.welcome: Welcome
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder()
        self._joiner = Joiner(1_000_000, 1 << 30)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def flush(self) -> None:
        await self._writer.drain()

    def send(self, kind: int, id: int = 0, payload: bytes = b"", more: bool = False) -> None:
        self.write(encode_frame(kind, id, payload, more))

    def message(self, kind: Kind, id: int, payload: bytes) -> None:
        """In pieces, if it has to be."""
        while len(payload) > MAX_PAYLOAD:
            self.send(kind, id, payload[:MAX_PAYLOAD], more=True)
            payload = payload[MAX_PAYLOAD:]
        self.send(kind, id, payload)

    def request(self, id: int, name: str, value: Any, **head: Any) -> None:
        self.message(Kind.REQUEST, id, opening(name, value, **head))

    def stream(self, id: int, name: str, value: Any, **head: Any) -> None:
        self.send(Kind.STREAM, id, opening(name, value, **head))

    def event(self, name: str, value: Any, number: Optional[int] = None) -> None:
        self.send(Kind.EVENT, 0, opening(name, value, number=number))

    async def frame(self, seconds: Optional[float] = None) -> Optional[Frame]:
        """The next frame; None at the end of the stream. A PING is answered and not returned."""
        seconds = seconds or WAIT_SECONDS
        until = time.monotonic() + seconds
        while True:
            frame = self._decoder.next_frame()
            if frame is not None and frame.kind == Kind.PING:
                self.send(Kind.PONG, 0, frame.payload)
                continue
            if frame is not None:
                return frame
            try:
                data = await asyncio.wait_for(self._reader.read(65_536), max(0.0, until - time.monotonic()))
            except asyncio.TimeoutError:
                raise Wrong(f"nothing came for {seconds} seconds") from None
            except OSError:
                return None
            if not data:
                return None
            self._decoder.feed(data)

    async def answer(self, *kinds: Kind, id: Optional[int] = None) -> Answer:
        """The next whole message of one of these kinds (and this id); CREDIT, WINDOW and ACK are passed over if they are not among them."""
        while True:
            frame = await self.frame()
            check(frame is not None, f"the stream ended, and {names(kinds)} was expected")
            assert frame is not None
            self._joiner.begins(frame)
            payload = self._joiner.add(frame)
            if payload is None:
                continue
            if frame.kind in kinds and (id is None or id == frame.id):
                return Answer(frame.kind, frame.id, payload)
            if frame.kind not in (Kind.CREDIT, Kind.WINDOW, Kind.ACK):
                raise Wrong(f"{frame.kind.name} {frame.id} {payload[:200]!r} came, and {names(kinds)} was expected")

    async def result(self, id: int) -> Any:
        return decode_json((await self.answer(Kind.RESULT, id=id)).payload)

    async def failure(self, id: int, code: str) -> Dict[str, Any]:
        error = (await self.answer(Kind.FAIL, id=id)).error()
        check(error["code"] == code, f"FAIL {error} came, and the code {code} was expected")
        return error

    async def bytes_until_end(self) -> bytes:
        data = self._decoder.rest()
        try:
            while True:
                more = await asyncio.wait_for(self._reader.read(65_536), WAIT_SECONDS)
                if not more:
                    return data
                data += more
        except asyncio.TimeoutError:
            raise Wrong("the server does not close the stream") from None
        except OSError:
            return data

    async def quiet(self) -> None:
        """Nothing but CREDIT, WINDOW and ACK comes for a while."""
        try:
            frame = await self.frame(QUIET_SECONDS)
            while frame is not None and frame.kind in (Kind.CREDIT, Kind.WINDOW, Kind.ACK):
                frame = await self.frame(QUIET_SECONDS)
        except Wrong:
            return
        raise Wrong(f"{frame.kind.name if frame else 'the end of the stream'} came, and nothing was expected")

    async def greet(self, can_take: Limits = Limits(), contract: Contract = CONTRACT, **members: Any) -> Welcome:
        self.write(SIGNATURE + hello(can_take, contract, **members))
        answer = await self.answer(Kind.WELCOME, Kind.REFUSE, Kind.CLOSE)
        check(answer.kind == Kind.WELCOME, f"{answer.kind.name} {answer.payload!r} came, and WELCOME was expected")
        self.welcome = read_welcome(answer.payload, contract)
        self._decoder.max_payload = MAX_PAYLOAD
        return self.welcome

    async def refused(self, *codes: str, naming: Sequence[str] = ()) -> Dict[str, Any]:
        """REFUSE with one of these codes, and the end of the stream."""
        answer = await self.answer(Kind.REFUSE)
        error = answer.error()
        check(error["code"] in codes, f"REFUSE {error} came, and the code {' or '.join(codes)} was expected")
        for name in naming:
            check(name in error["message"], f"the message {error['message']!r} does not name {name!r}")
        check(not await self.bytes_until_end(), "bytes came behind REFUSE")
        return error

    async def closed(self, code: str) -> None:
        """CLOSE with this code, and the end of the stream; what was under way is passed over."""
        while True:
            frame = await self.frame()
            check(frame is not None, "the stream ended without CLOSE")
            assert frame is not None
            if frame.kind == Kind.CLOSE:
                error = Answer(frame.kind, 0, frame.payload).error()
                check(error["code"] == code, f"CLOSE {error} came, and the code {code} was expected")
                return check(not await self.bytes_until_end(), "bytes came behind CLOSE")

    async def alive(self) -> None:
        """The session goes on: PING is answered."""
        self.send(Kind.PING, 0, b"still up")
        check((await self.answer(Kind.PONG)).payload == b"still up", "PONG has other bytes than its PING")

    def lose(self) -> None:
        self._writer.transport.abort()

    async def stop(self) -> None:
        await shut(self._reader, self._writer, False)


def names(kinds: Iterable[Kind]) -> str:
    return " or ".join(kind.name for kind in kinds)


def opening(name: str, value: Any, contract: Contract = CONTRACT, **head: Any) -> bytes:
    """Head and body; `value` as bytes is the body itself."""
    return encode_head(Head(contract.index(name), **head)) + (value if isinstance(value, bytes) else encode_json(value))


def hello(can_take: Limits = Limits(), contract: Contract = CONTRACT, **members: Any) -> bytes:
    return encode_frame(Kind.HELLO, 0, encode_json({**make_hello(contract, can_take), **members}))


def raw(length: int, kind: int, id: int = 0) -> bytes:
    """The beginning of a frame."""
    return struct.pack(">IBI", length, kind, id)


# --- The steps ---------------------------------------------------------------------------------------

Step = Callable[["Bench"], Awaitable[None]]
STEPS: List[Tuple[str, Step]] = []


def step(name: str) -> Callable[[Step], Step]:
    def add(function: Step) -> Step:
        STEPS.append((name, function))
        return function

    return add


class Bench:
    """What a step works with. Every connection that it makes is ended behind it."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._wires: List[Wire] = []
        self._sessions: List[Session] = []

    async def wire(self) -> Wire:
        wire = Wire(*await asyncio.wait_for(open_stream(self.address), WAIT_SECONDS))
        self._wires.append(wire)
        return wire

    async def greeted(self, can_take: Limits = Limits(), **members: Any) -> Wire:
        wire = await self.wire()
        await wire.greet(can_take, **members)
        return wire

    async def session(self, **options: Any) -> Session:
        session = await connect(self.address, CONTRACT, **options)
        self._sessions.append(session)
        return session

    async def clear(self) -> None:
        await asyncio.gather(*(session.close() for session in self._sessions), *(wire.stop() for wire in self._wires), return_exceptions=True)
        self._sessions.clear()
        self._wires.clear()


async def within(awaitable: Awaitable[Any], what: str, seconds: Optional[float] = None) -> Any:
    seconds = seconds or WAIT_SECONDS
    try:
        return await asyncio.wait_for(awaitable, seconds)
    except asyncio.TimeoutError:
        raise Wrong(f"{what}: not within {seconds} seconds") from None


async def fails(awaitable: Awaitable[Any], code: str) -> Failed:
    try:
        value = await within(awaitable, f"FAIL {code}")
    except Failed as failure:
        check(failure.code == code, f"FAIL {failure.code} came, and {code} was expected")
        return failure
    raise Wrong(f"{value!r:.200} came, and FAIL {code} was expected")


# §1 and §3: signature and handshake.


@step("§3 handshake: WELCOME has every member, and a session of its own")
async def _(bench: Bench) -> None:
    first = (await bench.greeted()).welcome
    second = (await bench.greeted()).welcome
    check(not first.resumed and first.received == 0, "a new session is resumed, or has received events")
    check(first.session != second.session, "two sessions have the same identity")
    note(f"limits {first.limits}, kept for {first.resume_window_ms} ms, digests {'known' if any(m.digest for m in first.contract.messages) else 'unknown'}")


@step("§3 members of HELLO that are not listed are ignored; auth may be any JSON")
async def _(bench: Bench) -> None:
    await (await bench.greeted(future={"x": [1]}, auth={"token": None})).alive()


@step("§1 the server sends nothing before the whole signature")
async def _(bench: Bench) -> None:
    wire = await bench.wire()
    await wire.quiet()
    wire.write(SIGNATURE[:7])
    await wire.quiet()
    wire.write(SIGNATURE[7:] + hello())
    await wire.answer(Kind.WELCOME)


@step("§1 a wrong signature is closed without a reply")
async def _(bench: Bench) -> None:
    stripped = bytes(byte & 0x7F for byte in SIGNATURE)
    for seen in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", stripped + hello(), hello(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
        wire = await bench.wire()
        wire.write(seen)
        data = await wire.bytes_until_end()
        check(not data, f"{data[:40]!r} came in reply to {seen[:12]!r}")


@step("§1 a signature whose line ends were translated is closed without a reply")
async def _(bench: Bench) -> None:
    for seen in (SIGNATURE.replace(b"\r\n", b"\n"), SIGNATURE.replace(b"\n", b"\r\n"), SIGNATURE.replace(b"\r\n", b"\r")):
        wire = await bench.wire()
        wire.write(seen + hello())
        data = await wire.bytes_until_end()
        check(not data, f"{data[:40]!r} came in reply to {seen!r}")


@step("§1 signature and HELLO in writes of one byte")
async def _(bench: Bench) -> None:
    wire = await bench.wire()
    data = SIGNATURE + hello()
    for at in range(len(data)):
        wire.write(data[at : at + 1])
        await wire.flush()
        await asyncio.sleep(0)
    await wire.answer(Kind.WELCOME)


@step("§3 another contract's name: REFUSE PROTOCOL_MISMATCH that names both")
async def _(bench: Bench) -> None:
    wire = await bench.wire()
    wire.write(SIGNATURE + hello(protocol="another-contract"))
    await wire.refused("PROTOCOL_MISMATCH", naming=("another-contract", "conformance"))


@step("§3 a version that does not accept the server's lower one: REFUSE PROTOCOL_MISMATCH")
async def _(bench: Bench) -> None:
    for version, accepts in ((2, [2, 2]), (9, [2, 9])):
        wire = await bench.wire()
        wire.write(SIGNATURE + hello(version=version, accepts=accepts))
        await wire.refused("PROTOCOL_MISMATCH", naming=(str(version), "1"))


@step("§3 a higher version that accepts the server's: messages that differ are unknown, and no more")
async def _(bench: Bench) -> None:
    changed = {"upload": Message("upload", "request"), "count": Message("count", "request"), "typing": Message("typing", "event", "text")}
    messages = (Message("extraordinary", "request"), *(changed.get(m.name, m) for m in CONTRACT.messages if m.name != "mirror"))
    newer = Contract(CONTRACT.name, 9, (1, 9), messages)
    wire = await bench.wire()
    await wire.greet(contract=newer)
    for id, name in ((1, "extraordinary"), (3, "upload"), (5, "count")):
        wire.send(Kind.REQUEST, id, opening(name, 1, newer))
        await wire.failure(id, "UNKNOWN_MESSAGE")
    wire.send(Kind.EVENT, 0, opening("typing", b"x", newer))  # at most once: dropped
    wire.send(Kind.REQUEST, 1, opening("echo", "both have it", newer))
    check(await wire.result(1) == "both have it", "echo gave something else")


@step("§3 no version of the protocol in common: REFUSE VERSION_UNSUPPORTED")
async def _(bench: Bench) -> None:
    wire = await bench.wire()
    wire.write(SIGNATURE + hello(hawser=[2, 3]))
    await wire.refused("VERSION_UNSUPPORTED")


@step("§3 a client that speaks later versions too: WELCOME with version 1")
async def _(bench: Bench) -> None:
    await (await bench.greeted(hawser=[1, 7])).alive()


def without(name: str) -> List[List[str]]:
    return [[m.name, m.type, m.codec, ""] for m in CONTRACT.messages if m.name != name]


@step("§3 one message with another codec, another type, lacking or unknown: REFUSE CONTRACT_DIFFERS that names it")
async def _(bench: Bench) -> None:
    for name, messages in (
        ("upload", without("upload") + [["upload", "request", "json", ""]]),
        ("count", without("count") + [["count", "request", "json", ""]]),
        ("mirror", without("mirror")),
        ("extraordinary", without("") + [["extraordinary", "event", "json", ""]]),
    ):
        wire = await bench.wire()
        wire.write(SIGNATURE + hello(messages=messages))
        await wire.refused("CONTRACT_DIFFERS", naming=(name,))


@step("§3 the server's own digests are accepted; a wrong one is REFUSE CONTRACT_DIFFERS")
async def _(bench: Bench) -> None:
    welcome = (await bench.greeted()).welcome
    known = {m.name: m.digest for m in welcome.contract.messages if m.digest}
    if not known:
        raise Skip("the server gives no digests")
    right = [[m.name, m.type, m.codec, known.get(m.name, "")] for m in CONTRACT.messages]
    await bench.greeted(messages=right)
    name, digest = sorted(known.items())[0]
    wrong = "0123456789abcdef" if digest != "0123456789abcdef" else "fedcba9876543210"
    wire = await bench.wire()
    wire.write(SIGNATURE + hello(messages=[[*message[:3], wrong if message[0] == name else message[3]] for message in right]))
    await wire.refused("CONTRACT_DIFFERS", naming=(name,))


@step("§3 a HELLO that can't be read: REFUSE HELLO_INVALID")
async def _(bench: Bench) -> None:
    limits = make_hello(CONTRACT, Limits())["limits"]
    for payload in (
        b"{", b"", b"[]", b"\xff\xfe", encode_json({}),
        hello(version=3)[9:],  # not within `accepts`
        hello(version="1")[9:], hello(messages=[["echo"]])[9:], hello(messages=[["echo", "question", "json", ""]])[9:],
        hello(limits={**limits, "windowBytes": 0})[9:], hello(limits={**limits, "maxPartials": 1.5})[9:],
        hello(limits={**limits, "maxMessageBytes": 4_294_967_296})[9:], hello(limits={**limits, "maxMessageBytes": 1_023})[9:],
        hello(limits={**limits, "windowBytes": 2_147_483_648})[9:], hello(limits={**limits, "eventWindowBytes": 2_147_483_648})[9:],
        hello(messages=without("") + [["echo", "event", "json", ""]])[9:],  # a name twice
        hello(messages=without("echo") + [["echo", "request", "json", "0123456789ABCDEF"]])[9:],
        hello(resume={"session": "0123456789ABCDEF0123456789ABCDEF", "received": 0})[9:],
        hello(resume={"session": "0123456789abcdef0123456789abcdef"})[9:],
    ):
        wire = await bench.wire()
        wire.write(SIGNATURE + encode_frame(Kind.HELLO, 0, payload))
        try:
            await wire.refused("HELLO_INVALID")
        except Wrong as wrong:
            raise Wrong(f"HELLO {payload[:60]!r}: {wrong}") from None


@step("§3 a REQUEST together with HELLO: REFUSE HELLO_INVALID, or WELCOME first if the server could not tell")
async def _(bench: Bench) -> None:
    wire = await bench.wire()
    wire.write(SIGNATURE + hello() + encode_frame(Kind.REQUEST, 1, opening("echo", 1)))
    answer = await wire.answer(Kind.REFUSE, Kind.WELCOME)
    if answer.kind == Kind.REFUSE:
        return check(answer.error()["code"] == "HELLO_INVALID", f"REFUSE {answer.error()}")
    note("the server sent WELCOME before it read the REQUEST")
    check(await wire.result(1) == 1, "echo of 1")


@step("§3 another frame in HELLO's place: REFUSE HELLO_INVALID")
async def _(bench: Bench) -> None:
    for first in (
        encode_frame(Kind.PING, 0, b"12345678"), encode_frame(Kind.REQUEST, 1, opening("echo", 1)), encode_frame(0x0B), encode_frame(Kind.WELCOME, 0, b"{}"),
        encode_frame(Kind.HELLO, 1, hello()[9:]), encode_frame(Kind.HELLO, 0, hello()[9:], True), raw(4, Kind.HELLO), raw(4_294_967_295, Kind.HELLO),
    ):
        wire = await bench.wire()
        wire.write(SIGNATURE + first)
        try:
            await wire.refused("HELLO_INVALID")
        except Wrong as wrong:
            raise Wrong(f"{first[:20]!r}: {wrong}") from None


@step("§1 a HELLO of more than 16 384 bytes: REFUSE HELLO_INVALID")
async def _(bench: Bench) -> None:
    wire = await bench.wire()
    wire.write(SIGNATURE + hello(auth="x" * 16_384)[:9])
    await wire.refused("HELLO_INVALID")
    await (await bench.greeted(auth="x" * (16_384 - len(hello(auth="")) + 9))).alive()


@step("§2 `name` counts in the list of the frame's sender: the client's list reversed")
async def _(bench: Bench) -> None:
    reverse = Contract(CONTRACT.name, CONTRACT.version, CONTRACT.accepts, tuple(reversed(CONTRACT.messages)))
    wire = await bench.wire()
    await wire.greet(contract=reverse)
    wire.send(Kind.REQUEST, 1, opening("add", {"a": 1, "b": 2}, reverse))
    check(await wire.result(1) == 3, "add gave something else than 3")
    wire.send(Kind.EVENT, 0, opening("note", {"text": "reversed"}, reverse, number=1))
    answer = await wire.answer(Kind.EVENT)
    head, body = decode_head(Kind.EVENT, answer.payload)
    check(wire.welcome.contract.messages[head.name].name == "said", f"an event with the server's index {head.name}")
    check(decode_json(body) == {"text": "reversed"}, f"`said` has {body!r}")


# §4: requests.


@step("§4 echo: any JSON comes back")
async def _(bench: Bench) -> None:
    session = await bench.session()
    for value in (None, True, 0, -1.5, 1e300, 9_007_199_254_740_991, "", "é\u2028\U0001F600\u0000\\\"", [], {}, [[], [None]], {"": {"a": [1, "2"]}}):
        back = await within(session.request("echo", value), "RESULT")
        check(back == value and type(back) is type(value), f"{value!r} came back as {back!r}")


@step("§4 add: a number, and INPUT_INVALID with the path for wrong input")
async def _(bench: Bench) -> None:
    session = await bench.session()
    check(await within(session.request("add", {"a": 2, "b": 0.5}), "RESULT") == 2.5, "2 + 0.5")
    failure = await fails(session.request("add", {"a": 1, "b": "2"}), "INPUT_INVALID")
    check(failure.path == ["b"], f"the path is {failure.path}")
    failure = await fails(session.request("add", {"a": 1}), "INPUT_INVALID")
    check(isinstance(failure.path, list), f"the path is {failure.path}")
    failure = await fails(session.request("add", 7), "INPUT_INVALID")
    check(failure.path == [], f"the path is {failure.path}")


@step("§6 refuse: the named error with its payload")
async def _(bench: Bench) -> None:
    session = await bench.session()
    failure = await fails(session.request("refuse", {"why": "because €"}), "NAMED")
    check(failure.name == "nope" and failure.payload == {"why": "because €"}, f"{failure.name} with {failure.payload}")


@step("§6 crash: HANDLER_FAILED, and the session goes on")
async def _(bench: Bench) -> None:
    session = await bench.session()
    await fails(session.request("crash", None), "HANDLER_FAILED")
    check(await within(session.request("echo", 1), "RESULT") == 1, "echo of 1")


@step("§6 a body that its codec can't read: INPUT_INVALID")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    for body in (b'{"a":', b'"\xff"', b"\xef\xbb\xbf1", b"NaN", b"01", b"'a'", b"1 2", b'"\xed\xa0\x80"'):
        wire.request(1, "echo", body)
        check((await wire.failure(1, "INPUT_INVALID")).get("path") == [], f"the path for {body!r}")
    await wire.alive()


@step("§4 a message of another type, a message of the other side: UNKNOWN_MESSAGE")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.request(1, "note", {"text": "an event"})
    await wire.failure(1, "UNKNOWN_MESSAGE")
    wire.request(3, "question", {"question": "?"})
    await wire.failure(3, "UNKNOWN_MESSAGE")
    wire.request(5, "count", {"to": 1})
    await wire.failure(5, "UNKNOWN_MESSAGE")
    wire.stream(7, "echo", 1)
    await wire.failure(7, "UNKNOWN_MESSAGE")
    wire.stream(9, "echo", 1, sends_items=True)
    await wire.failure(9, "UNKNOWN_MESSAGE")
    wire.send(Kind.END, 9)
    wire.request(9, "echo", "the ids are free again")
    await wire.result(9)


@step("§4 an answer that is larger than the client takes: HANDLER_FAILED")
async def _(bench: Bench) -> None:
    wire = await bench.greeted(Limits(maxMessageBytes=1_024))
    wire.request(1, "echo", "x" * 1_022)
    check(await wire.result(1) == "x" * 1_022, "echo gave another text")
    wire.request(1, "echo", "x" * 1_023)
    await wire.failure(1, "HANDLER_FAILED")
    await wire.alive()


@step("§4 200 requests at once, of shuffled sizes")
async def _(bench: Bench) -> None:
    session = await bench.session()
    sizes = [(0, 1, 60, 1_000, 20_000, 65_500, 65_536, 70_000)[n % 8] for n in range(200)]
    random.Random(1).shuffle(sizes)
    values = [{"n": n, "text": chr(97 + n % 26) * size} for n, size in enumerate(sizes)]
    answers = await within(asyncio.gather(*(session.request("echo", value) for value in values)), "200 answers", 10)
    check(answers == values, "an answer belongs to another request")


@step("§2 deadline and trace are read, and do no harm")
async def _(bench: Bench) -> None:
    session = await bench.session()
    trace = Trace(bytes(range(1, 17)), bytes(range(1, 9)), 1)
    check(await within(session.request("echo", 1, deadline_ms=4_000, trace=trace), "RESULT") == 1, "echo of 1")
    check([item async for item in await session.stream("count", {"to": 2}, deadline_ms=4_000, trace=trace)] == [1, 2], "count to 2")
    none = Trace(bytes(16), bytes(range(1, 9)), 0)  # as no trace
    check(await within(session.request("echo", 2, trace=none), "RESULT") == 2, "echo of 2")


@step("§4 CANCEL: FAIL CANCELLED at once, once, and the id is free")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.request(1, "slow", {"ms": 10_000})
    await wire.alive()
    wire.send(Kind.CANCEL, 1)
    await wire.failure(1, "CANCELLED")
    wire.request(3, "slow", {"ms": 10_000})
    wire.send(Kind.CANCEL, 3)  # before the handler has begun
    await wire.failure(3, "CANCELLED")
    wire.request(1, "echo", "again")
    check(await wire.result(1) == "again", "the id was used again")
    await wire.quiet()


@step("§4 CANCEL and CREDIT for a conversation that is over are ignored")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.request(1, "echo", 1)
    await wire.result(1)
    wire.send(Kind.CANCEL, 1)
    wire.send(Kind.CREDIT, 1, struct.pack(">I", 5))
    wire.send(Kind.CANCEL, 77)
    await wire.alive()


@step("§4 deadline: FAIL DEADLINE_EXCEEDED")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    began = time.monotonic()
    wire.request(1, "slow", {"ms": 10_000}, deadline=150)
    await wire.failure(1, "DEADLINE_EXCEEDED")
    check(time.monotonic() - began > 0.1, "the deadline passed too early")
    await wire.quiet()


@step("§4 slow answers in its own time, and others do not wait for it")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.request(1, "slow", {"ms": 400})
    wire.request(3, "echo", "first")
    check((await wire.answer(Kind.RESULT)).id == 3, "echo waited for slow")
    await wire.answer(Kind.RESULT, id=1)


# §1: pieces.

MEGABYTE = random.Random(2).getrandbits(8_000_000).to_bytes(1_000_000, "big")


@step("§1 upload: 1 000 000 bytes up and down in pieces")
async def _(bench: Bench) -> None:
    session = await bench.session()
    check(await within(session.request("upload", MEGABYTE), "RESULT") == MEGABYTE, "other bytes came back")
    check(await within(session.request("upload", b""), "RESULT") == b"", "the empty bytes came back as something else")
    assert session.welcome is not None
    most = min(session.welcome.limits.maxMessageBytes, 4_000_000)
    check(len(await within(session.request("upload", bytes(most)), "RESULT")) == most, f"not {most} bytes came back")


@step("§1 between the pieces of a message another request is answered, and PING")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    payload = opening("upload", MEGABYTE[:200_000])
    wire.send(Kind.REQUEST, 1, payload[:2], more=True)  # the head is cut too
    wire.send(Kind.REQUEST, 1, payload[2:50_000], more=True)
    wire.request(3, "echo", "between")
    check(await wire.result(3) == "between", "echo between the pieces")
    await wire.alive()
    wire.send(Kind.REQUEST, 1, payload[50_000:100_000], more=True)
    wire.send(Kind.REQUEST, 5, opening("echo", "x" * 90_000)[:40_000], more=True)  # two messages in pieces by turns
    wire.send(Kind.REQUEST, 1, payload[100_000:150_000], more=True)
    wire.send(Kind.REQUEST, 5, opening("echo", "x" * 90_000)[40_000:])
    wire.send(Kind.REQUEST, 1, payload[150_000:], more=True)
    wire.send(Kind.REQUEST, 1, b"")  # only the last piece may be empty
    seen: Dict[int, bytes] = {}
    while len(seen) < 2:
        answer = await wire.answer(Kind.RESULT)
        seen[answer.id] = answer.payload
    check(seen[1] == MEGABYTE[:200_000], "upload gave other bytes")
    check(decode_json(seen[5]) == "x" * 90_000, "echo gave another text")


@step("§1 while a large answer comes down, another request is answered")
async def _(bench: Bench) -> None:
    session = await bench.session()
    large = asyncio.ensure_future(session.request("upload", MEGABYTE))
    small = [within(session.request("echo", n), "RESULT") for n in range(20)]
    check(await asyncio.gather(*small) == list(range(20)), "echo gave another number")
    check(await within(large, "RESULT") == MEGABYTE, "other bytes came back")


@step("§1 CANCEL between the pieces of a REQUEST: one FAIL, and the id is free")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.send(Kind.REQUEST, 1, opening("upload", b"x" * 1_000), more=True)
    wire.send(Kind.CANCEL, 1)
    await wire.failure(1, "CANCELLED")
    wire.send(Kind.STREAM, 1, opening("mirror", b"", sends_items=True), more=True)
    wire.send(Kind.CANCEL, 1)
    await wire.failure(1, "CANCELLED")
    wire.request(1, "echo", "again")
    check(await wire.result(1) == "again", "the id was used again")
    await wire.quiet()


@step("§1 CANCEL between the pieces of an item")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.stream(1, "mirror", b"", sends_items=True)
    wire.send(Kind.ITEM, 1, b'"begun', more=True)
    wire.send(Kind.CANCEL, 1)
    await wire.answer(Kind.FAIL, Kind.END, id=1)
    wire.request(1, "echo", "again")
    check(await wire.result(1) == "again", "the id was used again")
    await wire.quiet()


# The server's own requests.


def the_answer(result: Any) -> Any:
    """`ask` may return what `question` returned, {answer}, or the text in it."""
    return result["answer"] if isinstance(result, dict) else result


@step("§4 ask: the server sends a request of its own, and gets its answer")
async def _(bench: Bench) -> None:
    asked: List[int] = []

    async def question(value: Any, conversation: Conversation) -> Any:
        asked.append(conversation.id)
        return {"answer": f"{value['question']}!"}

    session = await bench.session(handlers={"question": question})
    answers = await within(asyncio.gather(*(session.request("ask", {"question": f"q{n}"}) for n in range(10))), "RESULT")
    check([the_answer(answer) for answer in answers] == [f"q{n}!" for n in range(10)], f"the answers are {answers}")
    check(all(id % 2 == 0 for id in asked), f"the server's ids are {asked}")
    long = "x" * 200_000
    check(the_answer(await within(session.request("ask", {"question": long}), "RESULT")) == long + "!", "a question in pieces")


@step("§2 the server's request counts in the server's list")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.request(1, "ask", {"question": "why"})
    answer = await wire.answer(Kind.REQUEST)
    head, body = decode_head(Kind.REQUEST, answer.payload)
    check(wire.welcome.contract.messages[head.name].name == "question", f"a request with the server's index {head.name}")
    check(answer.id % 2 == 0 and decode_json(body) == {"question": "why"}, f"REQUEST {answer.id} with {body!r}")
    wire.send(Kind.RESULT, answer.id, encode_json({"answer": "because"}))
    check(the_answer(await wire.result(1)) == "because", "ask gave another answer")


@step("§6 the client fails the server's request: ask fails, and the session goes on")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.request(1, "ask", {"question": "why"})
    id = (await wire.answer(Kind.REQUEST)).id
    wire.send(Kind.FAIL, id, encode_json({"code": "A_CODE_OF_THE_FUTURE", "message": "no"}))
    note(f"ask answers FAIL {(await wire.answer(Kind.FAIL, id=1)).error()['code']}")
    await wire.alive()


@step("§4 the client answers the server's request before it has come whole: the server stops, and sends CANCEL")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.request(1, "ask", {"question": "x" * 900_000})
    frame = await wire.frame()
    check(frame is not None and frame.kind == Kind.REQUEST and frame.more, f"{frame and frame.kind.name} came, and the first piece of a REQUEST was expected")
    assert frame is not None
    wire.send(Kind.FAIL, frame.id, encode_json({"code": "OVERLOADED", "message": ""}))
    pieces, last = 1, False
    while True:
        came = await wire.frame()
        check(came is not None, "the stream ended")
        assert came is not None
        if came.kind == Kind.REQUEST and not last:
            pieces, last = pieces + 1, not came.more
        elif came.kind == Kind.CANCEL and not last:
            last = True
        elif came.kind == Kind.FAIL and came.id == 1:
            break
        else:
            raise Wrong(f"{came.kind.name} {came.id} came")
    check(last, "the REQUEST has no end")
    note(f"{pieces} pieces came")
    await wire.alive()


# §4 and §5: streams.


@step("§4 count: items in order, and END")
async def _(bench: Bench) -> None:
    session = await bench.session(limits=Limits(windowBytes=500))  # a few items: CREDIT is needed
    for to in (0, 1, 1_000):
        items = await within(collect(await session.stream("count", {"to": to})), "END")
        check(items == list(range(1, to + 1)), f"count to {to} gave {items[:10]}")


async def collect(stream: Conversation) -> List[Any]:
    return [item async for item in stream]


@step("§4 sum: items up, END, one item down, END")
async def _(bench: Bench) -> None:
    session = await bench.session()
    for numbers in ([], [5], list(range(3_000))):
        stream = await session.stream("sum", sends_items=True)
        for number in numbers:
            await within(stream.send(number), "CREDIT")
        await stream.end()
        items = await within(collect(stream), "END")
        check(items == [sum(numbers)], f"the sum is {items}, and not {sum(numbers)}")


@step("§4 mirror: items both ways at once, small and in pieces")
async def _(bench: Bench) -> None:
    session = await bench.session(limits=Limits(windowBytes=100_000))
    items: List[Any] = [n if n % 20 else "m" * 90_000 for n in range(200)]
    stream = await session.stream("mirror", sends_items=True)

    async def send() -> None:
        for item in items:
            await stream.send(item)
        await stream.end()

    sending = asyncio.ensure_future(send())
    back = await within(collect(stream), "END", 10)
    await sending
    check(back == items, f"{len(back)} items came back, or others")


@step("§6 an item that is not what the stream takes: ITEM_INVALID; what is under way is dropped")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.stream(1, "sum", b"", sends_items=True)
    wire.send(Kind.ITEM, 1, b"1")
    wire.send(Kind.ITEM, 1, b'"two"')
    wire.send(Kind.ITEM, 1, b"3")
    error = await wire.failure(1, "ITEM_INVALID")
    check(isinstance(error.get("path"), list), f"the path is {error.get('path')}")
    wire.send(Kind.ITEM, 1, b"4")
    wire.send(Kind.END, 1)
    wire.request(1, "echo", "again")
    check(await wire.result(1) == "again", "the id was used again")


@step("§4 items for which the contract has no place are dropped, and count as taken")
async def _(bench: Bench) -> None:
    wire = await bench.greeted(Limits(windowBytes=1))
    window = wire.welcome.limits.windowBytes
    if window > 4_000_000:
        raise Skip(f"the window of {window} bytes is too large to fill")
    wire.stream(1, "count", {"to": 1_000}, sends_items=True)
    await wire.answer(Kind.ITEM, id=1)
    body = encode_json("i" * min(window, 60_000))
    left = window
    for _ in range(3):
        while left > 0:
            wire.send(Kind.ITEM, 1, body)
            left -= len(body) + 16
        while left <= 0:
            left += struct.unpack(">I", (await wire.answer(Kind.CREDIT, id=1)).payload)[0]
    wire.send(Kind.CANCEL, 1)
    await wire.failure(1, "CANCELLED")


@step("§4 a STREAM without flag 08 is a stream whose items have ended")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.stream(1, "sum", b"")
    check((await wire.answer(Kind.ITEM, id=1)).payload == b"0", "the sum of nothing")
    await wire.answer(Kind.END, id=1)
    wire.request(1, "echo", "again")
    check(await wire.result(1) == "again", "the id was used again")


@step("§5 flood stops at the window, and goes on with CREDIT")
async def _(bench: Bench) -> None:
    window, cost = 10_000, 100 + 2 + 16  # an item is a JSON string of 100 characters
    wire = await bench.greeted(Limits(windowBytes=window))
    wire.stream(1, "flood", {"items": 1_000, "bytes": 100})
    left, count = window, 0

    async def until_it_stops() -> None:
        nonlocal left, count
        while left > 0:
            answer = await wire.answer(Kind.ITEM, id=1)
            check(len(answer.payload) + 16 == cost, f"an item of {len(answer.payload)} bytes")
            left, count = left - cost, count + 1
        await wire.quiet()

    await until_it_stops()
    for give in (1, 200, 5_000, 1):
        wire.send(Kind.CREDIT, 1, struct.pack(">I", give))
        left += give
        if left > 0:
            await until_it_stops()
        else:
            await wire.quiet()
    wire.send(Kind.CREDIT, 1, struct.pack(">I", 4_000))
    left += 4_000
    await until_it_stops()
    wire.send(Kind.CANCEL, 1)
    await wire.answer(Kind.FAIL, Kind.END, id=1)


@step("§5 one item may be larger than the window")
async def _(bench: Bench) -> None:
    wire = await bench.greeted(Limits(windowBytes=1))
    wire.stream(1, "flood", {"items": 2, "bytes": 100_000})
    check(len((await wire.answer(Kind.ITEM, id=1)).payload) == 100_002, "the item has another size")
    await wire.quiet()
    wire.send(Kind.CREDIT, 1, struct.pack(">I", 100_018))
    await wire.answer(Kind.ITEM, id=1)
    wire.send(Kind.CREDIT, 1, struct.pack(">I", 100_018))  # a server may take its next step only now, and find that it was the last
    await wire.answer(Kind.END, id=1)


@step("§5 each stream has a window of its own, and requests need none")
async def _(bench: Bench) -> None:
    wire = await bench.greeted(Limits(windowBytes=1))
    wire.stream(1, "flood", {"items": 5, "bytes": 10})
    await wire.answer(Kind.ITEM, id=1)
    wire.stream(3, "count", {"to": 5})
    await wire.answer(Kind.ITEM, id=3)
    wire.request(5, "echo", "x" * 1_000)
    await wire.answer(Kind.RESULT, id=5)
    await wire.quiet()


@step("§4 CANCEL of a stream: one last frame, and the id is used again")
async def _(bench: Bench) -> None:
    wire = await bench.greeted(Limits(windowBytes=1_000))
    for _ in range(3):
        wire.stream(1, "count", {"to": 1_000_000})
        await wire.answer(Kind.ITEM, id=1)
        wire.send(Kind.CANCEL, 1)
        answer = await wire.answer(Kind.ITEM, Kind.FAIL, Kind.END, id=1)
        while answer.kind == Kind.ITEM:
            answer = await wire.answer(Kind.ITEM, Kind.FAIL, Kind.END, id=1)
        if answer.kind == Kind.FAIL:
            check(answer.error()["code"] == "CANCELLED", f"FAIL {answer.error()}")
    wire.stream(1, "mirror", b"", sends_items=True)
    wire.send(Kind.ITEM, 1, b"1")
    await wire.answer(Kind.ITEM, id=1)
    wire.send(Kind.CANCEL, 1)  # the opener's part is not over: CANCEL ends it
    await wire.answer(Kind.FAIL, Kind.END, id=1)
    wire.request(1, "echo", "again")
    check(await wire.result(1) == "again", "the id was used again")
    await wire.quiet()


@step("§4 deadline of a stream: FAIL DEADLINE_EXCEEDED")
async def _(bench: Bench) -> None:
    wire = await bench.greeted(Limits(windowBytes=1))
    wire.stream(1, "count", {"to": 1_000}, deadline=150)
    await wire.answer(Kind.ITEM, id=1)
    await wire.failure(1, "DEADLINE_EXCEEDED")


# §8: events.


class Heard:
    """The texts of the server's `said`."""

    def __init__(self) -> None:
        self.texts: List[str] = []
        self.numbers: List[Optional[int]] = []
        self._more = asyncio.Event()

    async def said(self, value: Any, event: IncomingEvent) -> None:
        self.texts.append(value["text"])
        self.numbers.append(event.number)
        self._more.set()

    async def expect(self, texts: Sequence[str]) -> None:
        async def enough() -> None:
            while len(self.texts) < len(texts):
                self._more.clear()
                await self._more.wait()

        try:
            await within(enough(), "`said`")
        except Wrong:
            raise Wrong(f"`said` came {len(self.texts)} times, and not {len(texts)}") from None
        check(self.texts == list(texts), f"`said` came as {self.texts[:20]}")


@step("§8 note: ACK; said: numbered from 1, in order")
async def _(bench: Bench) -> None:
    heard = Heard()
    session = await bench.session(handlers={"said": heard.said})
    texts = [f"note {n}" for n in range(100)]
    await within(asyncio.gather(*(session.emit("note", {"text": text}) for text in texts)), "ACK")
    await heard.expect(texts)
    check(heard.numbers == list(range(1, 101)), f"the numbers are {heard.numbers[:10]}")


@step("§5 events: the server gives credit back")
async def _(bench: Bench) -> None:
    heard = Heard()
    session = await bench.session(handlers={"said": heard.said}, limits=Limits(eventWindowBytes=1_000))
    assert session.welcome is not None
    window = session.welcome.limits.eventWindowBytes
    if window > 4_000_000:
        raise Skip(f"the window of {window} bytes is too large to fill")
    size = max(100, window // 20)
    texts = [f"{n:03}" + "t" * size for n in range(60)]  # three windows
    await within(asyncio.gather(*(session.emit("note", {"text": text}) for text in texts)), "ACK", 10)
    await heard.expect(texts)


@step("§5 the server's events wait for credit")
async def _(bench: Bench) -> None:
    wire = await bench.greeted(Limits(eventWindowBytes=1))
    for number in (1, 2):
        wire.event("note", {"text": "abc"}, number)
    first = await wire.answer(Kind.EVENT)
    _, body = decode_head(Kind.EVENT, first.payload)
    await wire.quiet()
    wire.send(Kind.CREDIT, 0, struct.pack(">I", len(body) + 16))
    await wire.answer(Kind.EVENT)


@step("§5 the items of all streams share the credit of WINDOW")
async def _(bench: Bench) -> None:
    wire = await bench.greeted(Limits(connectionWindowBytes=1))
    for id in (1, 3, 5):
        wire.stream(id, "flood", {"items": 4, "bytes": 10})
    ids = [(await wire.answer(Kind.ITEM)).id]
    await wire.quiet()
    while len(ids) < 12:
        wire.send(Kind.WINDOW, 0, struct.pack(">I", 12 + 16))  # the last one's cost, so that one more begins
        answer = await wire.answer(Kind.ITEM, Kind.END)
        while answer.kind == Kind.END:
            answer = await wire.answer(Kind.ITEM, Kind.END)
        ids.append(answer.id)
    note(f"the streams that wait take turns: {'yes' if len(set(ids[:6])) == 3 else 'no'}")


@step("§5 credit of all streams comes back, however a stream ends")
async def _(bench: Bench) -> None:
    session = await bench.session()
    window = session.welcome.limits.connectionWindowBytes if session.welcome else None
    if window is None or window > 70_000_000:
        raise Skip(f"the window is {window}")
    body = "w" * 30_000
    for n in range(2 + 3 * window // (3 * len(body))):
        stream = await within(session.stream("sum" if n % 3 else "mirror", sends_items=True), "STREAM")
        try:
            for item in (n, 1.5, body, body, body):  # `sum` does not take a text
                await within(stream.send(item), f"credit for an item of stream {n}", 5)
        except Failed as failure:
            check(failure.code == "ITEM_INVALID", f"the stream failed with {failure}")
        if n % 2:
            await stream.cancel()
        else:
            await stream.end()
    check(await within(session.request("add", {"a": 1, "b": 2}), "RESULT", 10) == 3, "1 + 2")


@step("§8 all REJECTs that may be lost are sent again: no rejected event is covered by an ACK alone")
async def _(bench: Bench) -> None:
    first = await resumable(bench)
    count = 300
    for number in range(1, count + 1):
        first.event("bad", {}, number)
    await first.flush()
    await asyncio.sleep(QUIET_SECONDS)  # it handles some, and what it says of them is not read
    first.lose()
    second = await bench.wire()
    check((await second.greet(resume=resume(first, 0))).resumed, "the session was not resumed")
    had = second.welcome.received
    for number in range(had + 1, count + 1):
        second.event("bad", {}, number)
    rejected: Set[int] = set()
    acknowledged = 0
    while acknowledged < count:
        answer = await second.answer(Kind.REJECT, Kind.ACK)
        number = int.from_bytes(answer.payload[:8], "big")
        if answer.kind == Kind.REJECT:
            rejected.add(number)
        else:
            acknowledged = number
            missing = [n for n in range(1, number + 1) if n not in rejected]
            check(not missing, f"ACK {number} covers {len(missing)} events without a REJECT, the first is {missing[:1]}")


@step("§8 bad: REJECT before the ACK that covers it; others are not held up")
async def _(bench: Bench) -> None:
    heard = Heard()
    session = await bench.session(handlers={"said": heard.said})
    events = [session.emit("note", {"text": "before"}), session.emit("bad", {"text": "x"}), session.emit("note", {"text": "behind"})]
    before, bad, behind = await within(asyncio.gather(*events, return_exceptions=True), "ACK")
    check(before is None and behind is None, "a note was rejected")
    check(isinstance(bad, Rejected), "`bad` was acknowledged without REJECT")
    note(f"REJECT has the code {bad.code}")
    await heard.expect(["before", "behind"])


@step("§8 typing: at most once, no ACK, and no harm")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.event("typing", {})
    wire.event("typing", {"who": "x"})
    await wire.alive()
    wire.event("note", {"text": "numbered"}, 1)
    check(await acknowledged(wire, 1) == [], "REJECT of a note")


@step("§4 an event that the client may not send, or that is none: REJECT UNKNOWN_MESSAGE, and its number counts")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.event("echo", 1)  # without a number: dropped
    wire.event("said", {"text": "not from this side"}, 1)
    wire.event("echo", 1, 2)
    wire.event("note", {"text": "next"}, 3)
    for number in (1, 2):
        reject = await wire.answer(Kind.REJECT)
        error = decode_json(reject.payload[8:])
        check(struct.unpack(">Q", reject.payload[:8])[0] == number and error["code"] == "UNKNOWN_MESSAGE", f"REJECT {reject.payload!r}")
    check(await acknowledged(wire, 3) == [], "REJECT of a note")


@step("§4 a numbered event whose body can't be read: REJECT INPUT_INVALID")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.event("note", b"{", 1)
    error = decode_json((await wire.answer(Kind.REJECT)).payload[8:])
    check(error["code"] == "INPUT_INVALID", f"REJECT {error}")
    await acknowledged(wire, 1)


async def acknowledged(wire: Wire, number: int) -> List[int]:
    """Waits for the ACK that covers this number; the numbers of the REJECTs that came before."""
    rejects: List[int] = []
    while True:
        answer = await wire.answer(Kind.ACK, Kind.REJECT, Kind.EVENT)
        if answer.kind == Kind.REJECT:
            rejects.append(struct.unpack(">Q", answer.payload[:8])[0])
        elif answer.kind == Kind.ACK and struct.unpack(">Q", answer.payload)[0] >= number:
            return rejects


@step("§8 an event in pieces")
async def _(bench: Bench) -> None:
    heard = Heard()
    session = await bench.session(handlers={"said": heard.said})
    await within(session.emit("note", {"text": "n" * 150_000}), "ACK")
    await heard.expect(["n" * 150_000])


@step("§8 a number that the server has already is dropped")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    for number in (1, 1, 2, 1, 2):
        wire.event("note", {"text": f"note {number}"}, number)
    texts = [decode_json(decode_head(Kind.EVENT, (await wire.answer(Kind.EVENT)).payload)[1])["text"] for _ in range(2)]
    check(texts == ["note 1", "note 2"], f"`said` came as {texts}")
    await wire.quiet()


# §8: resumption.


async def resumable(bench: Bench, limits: Limits = Limits()) -> Wire:
    wire = await bench.greeted(limits)
    if wire.welcome.resume_window_ms < 3_000:
        raise Skip(f"the server keeps sessions for {wire.welcome.resume_window_ms} ms")
    return wire


def resume(wire: Wire, received: int) -> Dict[str, Any]:
    return {"session": wire.welcome.session, "received": received}


@step("§8 resume: the server's unacknowledged events are sent again with their numbers; duplicates are dropped")
async def _(bench: Bench) -> None:
    first = await resumable(bench)
    for number in (1, 2, 3):
        first.event("note", {"text": f"note {number}"}, number)
    said = [await first.answer(Kind.EVENT) for _ in range(3)]
    first.lose()
    second = await bench.wire()
    welcome = await second.greet(resume=resume(first, 1))
    check(welcome.resumed and welcome.session != first.welcome.session, "the session was not resumed, or under the same identity")
    check(welcome.received == 3, f"the server has {welcome.received} events, and not 3")
    again = [await second.answer(Kind.EVENT) for _ in range(2)]
    for before, now in zip(said[1:], again):
        check(decode_head(Kind.EVENT, before.payload)[0].number == decode_head(Kind.EVENT, now.payload)[0].number, "another number")
        check(decode_head(Kind.EVENT, before.payload)[1] == decode_head(Kind.EVENT, now.payload)[1], "another body")
    for number in (2, 3, 4):  # two duplicates, and a new one
        second.event("note", {"text": f"note {number}"}, number)
    head, body = decode_head(Kind.EVENT, (await second.answer(Kind.EVENT)).payload)
    check((head.number, decode_json(body)) == (4, {"text": "note 4"}), f"event {head.number} {body!r}")
    await second.quiet()


@step("§8 resume: what was acknowledged is not sent again")
async def _(bench: Bench) -> None:
    first = await resumable(bench)
    for number in (1, 2):
        first.event("note", {"text": f"note {number}"}, number)
        await first.answer(Kind.EVENT)
    first.send(Kind.ACK, 0, struct.pack(">Q", 1))
    first.send(Kind.REJECT, 0, struct.pack(">Q", 2) + encode_json({"code": "HANDLER_FAILED", "message": "no"}))
    first.send(Kind.ACK, 0, struct.pack(">Q", 2))
    await first.alive()
    first.lose()
    second = await bench.wire()
    check((await second.greet(resume=resume(first, 2))).resumed, "the session was not resumed")
    second.event("note", {"text": "note 3"}, 3)
    head, _ = decode_head(Kind.EVENT, (await second.answer(Kind.EVENT)).payload)
    check(head.number == 3, f"event {head.number} came, and 3 was expected")
    await second.quiet()


@step("§8 resume: events whose ACK was lost are acknowledged on the new connection")
async def _(bench: Bench) -> None:
    first = await resumable(bench)
    first.event("note", {"text": "note 1"}, 1)
    await acknowledged(first, 1)
    first.lose()
    second = await bench.wire()
    check((await second.greet(resume=resume(first, 0))).received == 1, "the server has not received the event")
    await acknowledged(second, 1)


@step("§8 resume: a REJECT that was lost comes again, before the ACK")
async def _(bench: Bench) -> None:
    first = await resumable(bench)
    first.event("bad", {"text": "x"}, 1)
    check(await acknowledged(first, 1) == [1], "`bad` was not rejected")
    first.lose()
    second = await bench.wire()
    await second.greet(resume=resume(first, 0))
    check(await acknowledged(second, 1) == [1], "the REJECT did not come again")


@step("§8 resume with a `received` that the client can't have: a new session")
async def _(bench: Bench) -> None:
    for received in (0, 2, 3):  # below what is acknowledged, what fits, and above what was sent
        first = await resumable(bench)
        for number in (1, 2):
            first.event("note", {"text": f"note {number}"}, number)
            await first.answer(Kind.EVENT)
        first.send(Kind.ACK, 0, struct.pack(">Q", 1))
        await first.alive()
        first.lose()
        welcome = await (await bench.wire()).greet(resume=resume(first, received))
        check(welcome.resumed == (received == 2), f"`resumed` is {welcome.resumed} with {received} received")


@step("§8 resume with a smaller maxMessageBytes: a new session")
async def _(bench: Bench) -> None:
    for most in (99_999, 100_000):
        first = await resumable(bench, Limits(maxMessageBytes=100_000))
        first.lose()
        welcome = await (await bench.wire()).greet(Limits(maxMessageBytes=most), resume=resume(first, 0))
        check(welcome.resumed == (most == 100_000), f"`resumed` is {welcome.resumed} with a maxMessageBytes of {most}")


@step("§8 resume: other limits, and the list of messages in another order")
async def _(bench: Bench) -> None:
    first = await resumable(bench)
    first.event("note", {"text": "note 1"}, 1)
    await first.answer(Kind.EVENT)
    first.lose()
    reverse = Contract(CONTRACT.name, CONTRACT.version, CONTRACT.accepts, tuple(reversed(CONTRACT.messages)))
    second = await bench.wire()
    check((await second.greet(Limits(eventWindowBytes=1), reverse, resume=resume(first, 0))).resumed, "the session was not resumed")
    head, _ = decode_head(Kind.EVENT, (await second.answer(Kind.EVENT)).payload)
    check(head.number == 1, f"event {head.number} came, and 1 was expected")
    second.send(Kind.EVENT, 0, opening("note", {"text": "note 2"}, reverse, number=2))
    await acknowledged(second, 2)
    await second.quiet()  # there is no credit for the second `said`


@step("§8 resume: the client's unacknowledged events arrive once, said comes once")
async def _(bench: Bench) -> None:
    heard = Heard()
    session = await bench.session(handlers={"said": heard.said})
    assert session.welcome is not None
    if session.welcome.resume_window_ms < 3_000:
        raise Skip(f"the server keeps sessions for {session.welcome.resume_window_ms} ms")
    texts = [f"note {n}" for n in range(60)]
    settled = []
    for at in range(0, 60, 20):
        settled += [session.emit("note", {"text": text}) for text in texts[at : at + 20]]
        await asyncio.sleep(0.002 * at)
        session.lose()
        check(await session.connect(), "the session was not resumed")
    await within(asyncio.gather(*settled), "ACK")
    await heard.expect(texts)
    await asyncio.sleep(QUIET_SECONDS)
    check(len(heard.texts) == 60, "`said` came twice")


@step("§8 resume: conversations do not go on, and their ids are free")
async def _(bench: Bench) -> None:
    first = await resumable(bench)
    first.request(1, "slow", {"ms": 700})
    first.stream(3, "count", {"to": 10})
    await first.answer(Kind.END, Kind.ITEM, id=3)
    first.lose()
    second = await bench.wire()
    check((await second.greet(resume=resume(first, 0))).resumed, "the session was not resumed")
    second.request(1, "echo", "new")
    check(await second.result(1) == "new", "the id was used again")
    await asyncio.sleep(0.7)
    await second.quiet()


@step("§8 resume while the old connection stands: it gets CLOSE SESSION_REPLACED, and the session goes on")
async def _(bench: Bench) -> None:
    first = await resumable(bench)
    second = await bench.wire()
    check((await second.greet(resume=resume(first, 0))).resumed, "the session was not resumed")
    await first.closed("SESSION_REPLACED")
    await second.alive()
    third = await bench.wire()
    second.lose()
    check((await third.greet(resume=resume(second, 0))).resumed, "the session was not resumed a second time")


@step("§8 resume after CLOSE, or of a session that never was: a new session")
async def _(bench: Bench) -> None:
    first = await resumable(bench)
    first.event("note", {"text": "note 1"}, 1)
    await acknowledged(first, 1)
    first.send(Kind.CLOSE, 0, encode_json({"code": "NORMAL", "message": ""}))
    await first.bytes_until_end()
    for session in (first.welcome.session, "0123456789abcdef0123456789abcdef"):
        wire = await bench.wire()
        welcome = await wire.greet(resume={"session": session, "received": 0})
        check(not welcome.resumed and welcome.session != session, "the session was resumed")
        check(welcome.received == 0, f"the server has {welcome.received} events in a new session")
        wire.event("note", {"text": "numbers begin at 1 again"}, 1)
        head, _ = decode_head(Kind.EVENT, (await wire.answer(Kind.EVENT)).payload)
        check(head.number == 1, f"the server's first event has the number {head.number}")


@step("§7 CLOSE HEARTBEAT_LOST: the session may be resumed")
async def _(bench: Bench) -> None:
    first = await resumable(bench)
    first.send(Kind.CLOSE, 0, encode_json({"code": "HEARTBEAT_LOST", "message": ""}))
    await first.bytes_until_end()
    check((await (await bench.wire()).greet(resume=resume(first, 0))).resumed, "the session was not resumed")


# §7: life and end.


@step("§2 ignorable kinds are passed over, with any id and payload, also between the pieces of a message")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    first, rest = opening("echo", "a")[:2], opening("echo", "a")[2:]
    wire.send(Kind.REQUEST, 1, first, True)
    for kind in (0x40, 0x44, 0x7F, 0xC0, 0xFF):
        wire.write(encode_frame(kind, 1, b"x" * 100))
    wire.send(Kind.REQUEST, 1, rest)
    check((await wire.answer(Kind.RESULT, id=1)).payload == b'"a"', "the answer is another")


@step("§7 PING is answered at once, with its bytes, in order")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    for data in (b"\0" * 8, b"\xff" * 8, b"hawser!!"):
        wire.send(Kind.PING, 0, data)
        check((await wire.answer(Kind.PONG)).payload == data, f"PONG has other bytes than {data!r}")
    session = await bench.session()
    check(await within(session.ping(), "PONG") >= 0, "no round trip")


@step("§7 CLOSE: the server sends nothing more, and closes the stream")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.request(1, "slow", {"ms": 300})
    wire.send(Kind.REQUEST, 3, opening("upload", b"x"), more=True)  # CLOSE may come between pieces
    await wire.alive()
    wire.send(Kind.CLOSE, 0, encode_json({"code": "NORMAL", "message": "done"}))
    data = await wire.bytes_until_end()
    check(not data, f"{data[:40]!r} came behind CLOSE")
    wire = await bench.greeted()
    wire.send(Kind.CLOSE, 0, encode_json({"code": "A_CODE_OF_THE_FUTURE", "message": ""}))
    check(not await wire.bytes_until_end(), "bytes came behind CLOSE")
    wire = await bench.greeted()
    wire.send(Kind.CLOSE, 0, b"nonsense")
    check(not await wire.bytes_until_end(), "bytes came behind CLOSE")


@step("§7 DRAIN: what is open goes on; then the server closes with DRAINED")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.request(1, "slow", {"ms": 300})
    wire.send(Kind.DRAIN)
    wire.send(Kind.DRAIN)
    await wire.answer(Kind.RESULT, id=1)
    await wire.closed("DRAINED")


@step("§7 DRAIN: the server waits until its events are acknowledged; events go on")
async def _(bench: Bench) -> None:
    wire = await bench.greeted()
    wire.event("note", {"text": "before"}, 1)
    await wire.answer(Kind.EVENT)
    wire.send(Kind.DRAIN)
    wire.event("note", {"text": "behind"}, 2)
    await wire.answer(Kind.EVENT)
    await wire.quiet()
    wire.send(Kind.ACK, 0, struct.pack(">Q", 1))
    await wire.quiet()
    wire.send(Kind.ACK, 0, struct.pack(">Q", 2))
    await wire.closed("DRAINED")


@step("§7 a session that is resumed is not draining")
async def _(bench: Bench) -> None:
    first = await resumable(bench)
    first.event("note", {"text": "note 1"}, 1)
    await first.answer(Kind.EVENT)
    first.send(Kind.DRAIN)
    await first.alive()
    first.lose()
    second = await bench.wire()
    check((await second.greet(resume=resume(first, 1))).resumed, "the session was not resumed")
    second.send(Kind.ACK, 0, struct.pack(">Q", 1))
    second.request(1, "echo", 1)
    check(await second.result(1) == 1, "echo of 1")
    await second.quiet()


@step("§7 a connection that ends in the middle of a frame does no harm to others")
async def _(bench: Bench) -> None:
    other = await bench.greeted()
    for cut in (3, 9, 12):
        wire = await bench.greeted()
        wire.write(encode_frame(Kind.REQUEST, 1, opening("echo", "x" * 50))[:cut])
        await wire.flush()
        wire.lose()
    await other.alive()


# Breaches, each of which ends the session with CLOSE and the code of the rule.

def breach(name: str, code: str = "PROTOCOL_VIOLATION") -> Callable[[Callable[[Wire], Awaitable[None]]], None]:
    def add(function: Callable[[Wire], Awaitable[None]]) -> None:
        async def run(bench: Bench) -> None:
            wire = await bench.greeted(Limits(windowBytes=1))
            await function(wire)
            await wire.closed(code)

        STEPS.append((f"breach: {name}", run))

    return add


def simple_breach(name: str, *data: bytes) -> None:
    @breach(name)
    async def _(wire: Wire) -> None:
        wire.write(b"".join(data))


ECHO = opening("echo", 1)
SLOW = opening("slow", {"ms": 10_000})
SUM = opening("sum", b"", sends_items=True)

simple_breach("§1 a length of 4", raw(4, Kind.PING))
simple_breach("§1 a length of 0", raw(0, Kind.PING))
simple_breach("§1 a length of 65 542", raw(65_542, Kind.REQUEST, 1))
simple_breach("§1 a length of 4 294 967 295", raw(4_294_967_295, Kind.REQUEST, 1))
simple_breach("§1 the unknown kind 00", encode_frame(0x00))
simple_breach("§1 the unknown kind 0F", encode_frame(0x0F))
simple_breach("§1 the unknown kind 19", encode_frame(0x19, 1))
simple_breach("§5 CREDIT of 0 bytes", encode_frame(Kind.CREDIT, 0, b"\0\0\0\0"))
simple_breach("§5 WINDOW of 0 bytes", encode_frame(Kind.WINDOW, 0, b"\0\0\0\0"))
simple_breach("§7 a REQUEST after one's own DRAIN", encode_frame(Kind.REQUEST, 1, SLOW), encode_frame(Kind.DRAIN), encode_frame(Kind.REQUEST, 3, ECHO))
simple_breach("§1 bit 7 of PING", encode_frame(Kind.PING, 0, b"12345678", True))
simple_breach("§1 an empty piece that is not the last", encode_frame(Kind.REQUEST, 1, b"", True))
simple_breach("§1 an empty piece in the middle", encode_frame(Kind.REQUEST, 1, ECHO, True), encode_frame(Kind.REQUEST, 1, b"", True))
simple_breach("§1 bit 7 of END", encode_frame(Kind.STREAM, 1, SUM), encode_frame(Kind.END, 1, b"", True))
simple_breach("§1 another kind between the pieces of an item", encode_frame(Kind.STREAM, 1, SUM), encode_frame(Kind.ITEM, 1, b"1", True),
              encode_frame(Kind.END, 1))
simple_breach("§1 a STREAM between the pieces of a REQUEST of the same id", encode_frame(Kind.REQUEST, 1, ECHO, True),
              encode_frame(Kind.STREAM, 1, SUM))
simple_breach("§2 PING with 7 bytes", encode_frame(Kind.PING, 0, b"1234567"))
simple_breach("§2 PING with 7 bytes between the pieces of an event", encode_frame(Kind.EVENT, 0, opening("typing", {}), True),
              encode_frame(Kind.PING, 0, b"1234567"))
simple_breach("§2 CREDIT with 5 bytes between the pieces of an item", encode_frame(Kind.STREAM, 1, SUM), encode_frame(Kind.ITEM, 1, b"1", True),
              encode_frame(Kind.CREDIT, 1, b"\0\0\0\1\0"))
simple_breach("§2 PING with an id", encode_frame(Kind.PING, 1, b"12345678"))
simple_breach("§2 DRAIN with a payload", encode_frame(Kind.DRAIN, 0, b"x"))
simple_breach("§2 CREDIT with 3 bytes", encode_frame(Kind.CREDIT, 0, b"\0\0\1"))
simple_breach("§2 CANCEL with a payload", encode_frame(Kind.REQUEST, 1, SLOW), encode_frame(Kind.CANCEL, 1, b"x"))
simple_breach("§2 ACK with 4 bytes", encode_frame(Kind.ACK, 0, b"\0\0\0\0"))
simple_breach("§2 a second HELLO", hello())
simple_breach("§2 WELCOME from the client", encode_frame(Kind.WELCOME, 0, b"{}"))
simple_breach("§2 REQUEST with id 0", encode_frame(Kind.REQUEST, 0, ECHO))
simple_breach("§2 a head that ends early", encode_frame(Kind.REQUEST, 1, b"\0\0"))
simple_breach("§2 a flag that is not named", encode_frame(Kind.REQUEST, 1, b"\0\0\x10" + b"1"))
simple_breach("§2 flag 04 on REQUEST", encode_frame(Kind.REQUEST, 1, b"\0\0\x04" + b"\0" * 7 + b"\1" + b"1"))
simple_breach("§2 flag 08 on REQUEST", encode_frame(Kind.REQUEST, 1, b"\0\0\x08" + b"1"))
simple_breach("§2 flag 01 on EVENT", encode_frame(Kind.EVENT, 0, encode_head(Head(CONTRACT.index("typing"), deadline=9)) + b"{}"))
simple_breach("§2 a deadline of 0", encode_frame(Kind.REQUEST, 1, b"\0\0\x01" + b"\0" * 4 + b"1"))
simple_breach("§2 an index that lies behind the list", encode_frame(Kind.REQUEST, 1, encode_head(Head(len(CONTRACT.messages))) + b"1"))
simple_breach("§2 an event's index that lies behind the list", encode_frame(Kind.EVENT, 0, encode_head(Head(60_000)) + b"1"))
simple_breach("§4 CREDIT for a request", encode_frame(Kind.REQUEST, 1, SLOW), encode_frame(Kind.CREDIT, 1, b"\0\0\0\1"))
simple_breach("§4 CANCEL from the responder", encode_frame(Kind.CANCEL, 2))
simple_breach("§7 PONG without PING", encode_frame(Kind.PONG, 0, b"12345678"))
simple_breach("§2 RESULT from the opener", encode_frame(Kind.REQUEST, 1, SLOW), encode_frame(Kind.RESULT, 1, b"1"))
simple_breach("§2 FAIL from the opener", encode_frame(Kind.REQUEST, 1, SLOW),
              encode_frame(Kind.FAIL, 1, encode_json({"code": "CANCELLED", "message": ""})))
simple_breach("§4 an id of the wrong parity", encode_frame(Kind.REQUEST, 2, ECHO))
simple_breach("§4 an id that is in use", encode_frame(Kind.REQUEST, 1, SLOW), encode_frame(Kind.REQUEST, 1, ECHO))
simple_breach("§4 ITEM for an unknown conversation", encode_frame(Kind.ITEM, 5, b"1"))
simple_breach("§4 END for an unknown conversation", encode_frame(Kind.END, 5))
simple_breach("§4 RESULT for an unknown conversation", encode_frame(Kind.RESULT, 2, b"1"))
simple_breach("§4 ITEM for a request", encode_frame(Kind.REQUEST, 1, SLOW), encode_frame(Kind.ITEM, 1, b"1"))
simple_breach("§4 ITEM for a stream without flag 08", encode_frame(Kind.STREAM, 1, opening("flood", {"items": 9, "bytes": 9})),
              encode_frame(Kind.ITEM, 1, b"1"))
simple_breach("§4 ITEM behind END", encode_frame(Kind.STREAM, 1, opening("flood", {"items": 9, "bytes": 9}, sends_items=True)),
              encode_frame(Kind.END, 1), encode_frame(Kind.ITEM, 1, b"1"))
simple_breach("§8 the first number is 0", encode_frame(Kind.EVENT, 0, opening("note", {"text": "x"}, number=0)))
simple_breach("§8 the first number is 2", encode_frame(Kind.EVENT, 0, opening("note", {"text": "x"}, number=2)))
simple_breach("§8 a gap in the numbers", encode_frame(Kind.EVENT, 0, opening("note", {"text": "x"}, number=1)),
              encode_frame(Kind.EVENT, 0, opening("note", {"text": "x"}, number=3)))
simple_breach("§8 ACK above the highest number sent", encode_frame(Kind.ACK, 0, struct.pack(">Q", 1)))
simple_breach("§8 REJECT above the highest number sent",
              encode_frame(Kind.REJECT, 0, struct.pack(">Q", 1) + encode_json({"code": "HANDLER_FAILED", "message": ""})))
simple_breach("§8 REJECT of the number 0", encode_frame(Kind.REJECT, 0, struct.pack(">Q", 0) + encode_json({"code": "HANDLER_FAILED", "message": ""})))


@breach("§5 credit for events above 2 147 483 647", "FLOW_VIOLATION")
async def _(wire: Wire) -> None:
    wire.send(Kind.CREDIT, 0, struct.pack(">I", 2_147_483_647))


@breach("§5 credit for a stream above 2 147 483 647", "FLOW_VIOLATION")
async def _(wire: Wire) -> None:
    wire.stream(1, "sum", b"", sends_items=True)
    for _ in range(2):
        wire.send(Kind.CREDIT, 1, struct.pack(">I", 2_147_483_647))


@breach("§6 FAIL without a message")
async def _(wire: Wire) -> None:
    wire.request(1, "ask", {"question": "why"})
    wire.send(Kind.FAIL, (await wire.answer(Kind.REQUEST)).id, b'{"code":"OVERLOADED"}')


@breach("§6 FAIL with the code NAMED and no name")
async def _(wire: Wire) -> None:
    wire.request(1, "ask", {"question": "why"})
    wire.send(Kind.FAIL, (await wire.answer(Kind.REQUEST)).id, b'{"code":"NAMED","message":""}')


@breach("§6 REJECT that can't be read")
async def _(wire: Wire) -> None:
    wire.event("note", {"text": "x"}, 1)
    await wire.answer(Kind.EVENT)
    wire.send(Kind.REJECT, 0, struct.pack(">Q", 1) + b"nonsense")


@breach("§4 a second answer")
async def _(wire: Wire) -> None:
    wire.request(1, "ask", {"question": "why"})
    id = (await wire.answer(Kind.REQUEST)).id
    for _ in range(2):
        wire.send(Kind.RESULT, id, encode_json({"answer": "because"}))


@breach("§5 an item without credit", "FLOW_VIOLATION")
async def _(wire: Wire) -> None:
    """The client gives no credit, so `mirror` can't send, so it stops taking."""
    wire.stream(1, "mirror", b"", sends_items=True)
    window = wire.welcome.limits.windowBytes
    body = encode_json("i" * min(window, 60_000))
    if window > 70_000_000:
        raise Skip(f"the window of {window} bytes is too large to fill")
    left = window
    for _ in range(40 + 20 * window // len(body)):
        while left > 0:
            wire.send(Kind.ITEM, 1, body)
            left -= len(body) + 16
        try:
            frame = await wire.frame(QUIET_SECONDS)
        except Wrong:
            wire.send(Kind.ITEM, 1, b"1")  # without credit
            return
        if frame is not None and frame.kind == Kind.CREDIT and frame.id == 1:
            left += struct.unpack(">I", frame.payload)[0]
    raise Wrong("the server takes items without end, while it can't send any")


@breach("§5 an item without credit of all streams", "FLOW_VIOLATION")
async def _(wire: Wire) -> None:
    """As above, with the items of many streams, each of which has credit of its own."""
    limits = wire.welcome.limits
    window = limits.connectionWindowBytes
    if window is None or window > 70_000_000:
        raise Skip(f"the window is {window}")
    body = encode_json("i" * min(limits.windowBytes // 4 - 20, 30_000))
    left = window
    for n in range(limits.maxConversations - 1):
        wire.stream(1 + 2 * n, "mirror", b"", sends_items=True)
        for _ in range(4):
            while left <= 0:
                try:
                    frame = await wire.frame(QUIET_SECONDS)
                except Wrong:
                    wire.stream(3 + 2 * n, "mirror", b"", sends_items=True)
                    wire.send(Kind.ITEM, 3 + 2 * n, body)  # without credit of all streams
                    return
                if frame is not None and frame.kind == Kind.WINDOW:
                    left += struct.unpack(">I", frame.payload)[0]
            wire.send(Kind.ITEM, 1 + 2 * n, body)
            left -= len(body) + 16
    raise Wrong("the streams are not enough for the window")


@breach("§4 more conversations than maxConversations")
async def _(wire: Wire) -> None:
    allowed = wire.welcome.limits.maxConversations
    if allowed > 20_000:
        raise Skip(f"{allowed} conversations are too many to open")
    for n in range(allowed):
        wire.send(Kind.REQUEST, 1 + 2 * n, SLOW)
    await wire.alive()
    wire.send(Kind.REQUEST, 1 + 2 * allowed, SLOW)


@breach("§1 more unfinished messages than maxPartials")
async def _(wire: Wire) -> None:
    allowed = wire.welcome.limits.maxPartials
    if allowed >= wire.welcome.limits.maxConversations or allowed > 20_000:
        raise Skip(f"{allowed} unfinished messages are too many to begin")
    for n in range(allowed):
        wire.send(Kind.REQUEST, 1 + 2 * n, ECHO, more=True)
    await wire.alive()
    wire.send(Kind.REQUEST, 1 + 2 * allowed, ECHO, more=True)


@breach("§1 a message of more than maxMessageBytes and 64", "MESSAGE_TOO_LARGE")
async def _(wire: Wire) -> None:
    most = wire.welcome.limits.maxMessageBytes + 64
    if most > 70_000_000:
        raise Skip(f"{most} bytes are too many to send")
    payload = opening("upload", b"")
    payload += b"x" * (most + 1 - len(payload))
    for at in range(0, len(payload), MAX_PAYLOAD):
        piece = payload[at : at + MAX_PAYLOAD]
        wire.send(Kind.REQUEST, 1, piece, more=at + len(piece) < len(payload))
        await wire.flush()


@step("behind all this, the server still serves")
async def _(bench: Bench) -> None:
    session = await bench.session()
    check(await within(session.request("add", {"a": 20, "b": 22}), "RESULT") == 42, "20 + 22")
    await session.close()
    check(isinstance(session.over, Closed) and session.over.code == "NORMAL", f"the session ended with {session.over}")


# --- Running -----------------------------------------------------------------------------------------


async def run(address: Address, only: Optional[Set[str]] = None, total_seconds: float = TOTAL_SECONDS) -> List[str]:
    """Runs the steps and prints TAP; the names of those that failed."""
    steps = [(name, function) for name, function in STEPS if only is None or name in only]
    until = time.monotonic() + total_seconds
    failed: List[str] = []
    print(f"TAP version 13\n1..{len(steps)}")
    for index, (name, function) in enumerate(steps, 1):
        bench = Bench(address)
        left = min(STEP_SECONDS, until - time.monotonic())
        try:
            if left <= 0:
                raise Wrong(f"not tried: the {total_seconds:.0f} seconds are over")
            await within(function(bench), "the step", left)
            print(f"ok {index} - {name}")
        except Skip as skip:
            print(f"ok {index} - {name} # SKIP {skip}")
        except Exception as error:
            failed.append(name)
            print(f"not ok {index} - {name}")
            note(f"{type(error).__name__}: {error}".replace("\n", "\n# "))
        finally:
            await bench.clear()
            sys.stdout.flush()
    print(f"# {len(steps) - len(failed)} of {len(steps)} passed")
    return failed


def main(arguments: List[str]) -> int:
    address: Address
    if len(arguments) == 1 and arguments[0].startswith("unix:"):
        address = arguments[0][len("unix:") :]
    elif len(arguments) == 2 and arguments[1].isdigit():
        address = (arguments[0], int(arguments[1]))
    else:
        print("usage: python3 script.py HOST PORT | unix:PATH", file=sys.stderr)
        return 2
    return 1 if asyncio.run(run(address)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
