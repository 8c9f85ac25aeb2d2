"""Tests of `hawser_client.py` that need no server but those in this folder: `python3 -m unittest`."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import re
import struct
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock
from typing import Any, Awaitable, Callable, Coroutine, Dict, List, Optional, Tuple

import hawser_client as hawser
import script
from fake_server import FakeServer
from hawser_client import (
    MAX_PAYLOAD, NOTHING, SIGNATURE, Closed, ConnectionLost, Contract, Conversation, Decoder, Failed, Frame, Head, IncomingEvent, Joiner,
    Kind, Limits, Message, NotHawser, Outbox, Refused, Rejected, Resume, Session, Trace, Violation, check_frame, compare_contracts,
    connect, decode_body, decode_head, decode_json, encode_body, encode_frame, encode_head, encode_json, make_hello, read_list, read_welcome,
)

PAGE = Path(__file__).resolve().parents[2] / "PROTOCOL.md"
LIMITS = Limits(1_024, 2, 3, 100, 100)
CONTRACT = Contract("echo", 1, (1, 1), (
    Message("say", "request"),
    Message("raw", "request", "bytes"),
    Message("talk", "stream"),
    Message("note", "event", at_least_once=True),
    Message("hint", "event"),
))


def setUpModule() -> None:
    for name in ("asyncio", "hawser"):  # what they say here is expected
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False


def frames_of(data: bytes) -> List[Frame]:
    decoder = Decoder()
    decoder.max_payload = MAX_PAYLOAD
    decoder.feed(SIGNATURE + data)
    return list(iter(decoder.next_frame, None))


def everything(outbox: Outbox) -> List[Frame]:
    return frames_of(b"".join(iter(outbox.next, None)))


class Violations(unittest.TestCase):
    @contextlib.contextmanager
    def violates(self, section: str, code: str = "PROTOCOL_VIOLATION") -> Any:
        with self.assertRaises(Violation) as caught:
            yield
        self.assertEqual((caught.exception.section, caught.exception.code), (section, code))


class TheStream(Violations):
    """§1"""

    def test_frame_in_bytes(self) -> None:
        self.assertEqual(encode_frame(Kind.PING, 0, bytes(range(8))).hex(" "), "00 00 00 0d 04 00 00 00 00 00 01 02 03 04 05 06 07")
        self.assertEqual(encode_frame(Kind.ITEM, 0x01020304, b"", more=True).hex(" "), "00 00 00 05 95 01 02 03 04")

    def test_decoder_takes_bytes_one_by_one(self) -> None:
        data = SIGNATURE + encode_frame(Kind.REQUEST, 7, b"abc", True) + encode_frame(Kind.DRAIN)
        decoder, seen = Decoder(), []
        for at in range(len(data)):
            decoder.feed(data[at : at + 1])
            frame = decoder.next_frame()
            if frame is not None:
                seen.append((at + 1, frame))
        self.assertEqual(seen, [(8 + 12, Frame(Kind.REQUEST, 7, b"abc", True)), (8 + 12 + 9, Frame(Kind.DRAIN, 0, b""))])

    def test_frames_of_ignorable_kinds_are_passed_over(self) -> None:
        decoder = Decoder()
        decoder.feed(SIGNATURE + b"".join(struct.pack(">IBI", 6, kind, 9) + b"x" for kind in (0x40, 0x7F, 0xC0, 0xFF) * 500))
        decoder.feed(encode_frame(Kind.DRAIN))
        self.assertEqual(decoder.next_frame(), Frame(Kind.DRAIN, 0, b""))
        self.assertIsNone(decoder.next_frame())

    def test_signature(self) -> None:
        for seen in (b"H", b"\x89HWS\n", SIGNATURE[:7] + b"\r", b"\x09HWS\r\n\x1a\n"):
            decoder = Decoder()
            decoder.feed(seen)
            with self.assertRaises(NotHawser):
                decoder.next_frame()

    def test_length(self) -> None:
        for length, most in ((0, MAX_PAYLOAD), (4, MAX_PAYLOAD), (65_542, MAX_PAYLOAD), (16_390, 16_384)):
            decoder = Decoder()
            decoder.max_payload = most
            decoder.feed(SIGNATURE + struct.pack(">I", length))
            with self.violates("1"):
                decoder.next_frame()
        self.assertEqual(len(frames_of(encode_frame(Kind.ITEM, 1, b"x" * 65_536))[0].payload), 65_536)

    def test_kinds_ids_and_payloads(self) -> None:
        for kind in (0x00, 0x0E, 0x0F, 0x19, 0x44, 0x7F):
            with self.violates("1"):
                check_frame(kind, 0, b"")
        for kind in Kind:
            with self.violates("1"):  # may not be cut, or not into nothing
                check_frame(kind | 0x80, 1 if kind in hawser.OF_CONVERSATIONS else 0, b"")
        for kind, id in ((Kind.PING, 1), (Kind.EVENT, 2), (Kind.ITEM, 0), (Kind.REQUEST, 0), (Kind.CLOSE, 9)):
            with self.violates("2"):
                check_frame(kind, id, b"\0" * 8)
        for kind, size in ((Kind.PING, 7), (Kind.PONG, 9), (Kind.DRAIN, 1), (Kind.ACK, 4), (Kind.REJECT, 7), (Kind.CREDIT, 8)):
            with self.violates("2"):
                check_frame(kind, 0, b"\0" * size)

    def test_joiner(self) -> None:
        joiner = Joiner(2, 10)

        def come(*frame: Any) -> Tuple[bool, Optional[bytes]]:
            made = Frame(*frame)
            return joiner.begins(made), joiner.add(made)

        self.assertEqual(come(Kind.ITEM, 1, b"ab", True), (True, None))
        self.assertEqual(come(Kind.EVENT, 0, b"ev", True), (True, None))
        self.assertEqual(come(Kind.PING, 0, b"12345678"), (True, b"12345678"))
        self.assertEqual(come(Kind.CREDIT, 1, b"\0\0\0\1"), (True, b"\0\0\0\1"))
        self.assertEqual(come(Kind.RESULT, 5, b"whole"), (True, b"whole"))
        with self.violates("1"):
            come(Kind.RESULT, 5, b"", True)  # a third one
        with self.violates("1"):
            come(Kind.END, 1, b"")
        self.assertEqual(come(Kind.ITEM, 1, b"", False), (False, b"ab"))
        self.assertEqual(come(Kind.ITEM, 1, b"ab", True), (True, None))
        self.assertEqual(come(Kind.ITEM, 1, b"c"), (False, b"abc"))
        self.assertEqual(come(Kind.EVENT, 0, b"ent"), (False, b"event"))
        self.assertEqual(come(Kind.ITEM, 1, b"x" * 74), (True, b"x" * 74))
        with self.violates("1", "MESSAGE_TOO_LARGE"):
            come(Kind.ITEM, 1, b"x" * 75)

    def test_outbox_cuts_and_takes_turns(self) -> None:
        outbox = Outbox(max_partials=9, piece_bytes=2)
        outbox.put_message(Kind.REQUEST, 1, b"aabbc")
        outbox.put_message(Kind.ITEM, 3, b"ddee")
        outbox.put_message(Kind.END, 3, b"")
        outbox.put_message(Kind.RESULT, 2, b"ff")
        outbox.put_frame(Kind.PING, 0, b"12345678")
        self.assertEqual(everything(outbox), [
            Frame(Kind.PING, 0, b"12345678"),
            Frame(Kind.REQUEST, 1, b"aa", True), Frame(Kind.ITEM, 3, b"dd", True), Frame(Kind.RESULT, 2, b"ff"),
            Frame(Kind.REQUEST, 1, b"bb", True), Frame(Kind.ITEM, 3, b"ee"),
            Frame(Kind.REQUEST, 1, b"c"), Frame(Kind.END, 3, b""),
        ])

    def test_outbox_keeps_to_max_partials(self) -> None:
        outbox = Outbox(max_partials=1, piece_bytes=2)
        for id in (1, 3, 5):
            outbox.put_message(Kind.REQUEST, id, b"xxyy")
        outbox.put_message(Kind.REQUEST, 7, b"z")
        self.assertEqual([(f.id, f.more) for f in everything(outbox)],
                         [(1, True), (7, False), (1, False), (3, True), (3, False), (5, True), (5, False)])
        for id in (1, 3):
            outbox.put_message(Kind.REQUEST, id, b"xxyy")
        outbox.next()
        outbox.drop(1)  # what is cancelled counts no more
        self.assertEqual([f.id for f in everything(outbox)], [3, 3])
        self.assertFalse(outbox.holds(1))

    def test_pieces_there_and_back(self) -> None:
        payload = bytes(range(256)) * 1_000
        outbox, joiner = Outbox(2), Joiner(1, len(payload))
        outbox.put_message(Kind.RESULT, 4, payload)
        frames = everything(outbox)
        self.assertEqual([len(f.payload) for f in frames], [65_536, 65_536, 65_536, 59_392])
        self.assertEqual([joiner.add(f) for f in frames], [None, None, None, payload])


class HeadsAndBodies(Violations):
    """§2"""

    def test_head_in_bytes(self) -> None:
        trace = Trace(bytes.fromhex("0af7651916cd43dd8448eb211c80319c"), bytes.fromhex("b7ad6b7169203331"), 1)
        for kind, head, text in (
            (Kind.REQUEST, Head(258), "0102 00"),
            (Kind.REQUEST, Head(0, deadline=1_000), "0000 01 000003e8"),
            (Kind.STREAM, Head(1, 5, trace, None, True), "0001 0b 00000005 0af7651916cd43dd8448eb211c80319c b7ad6b7169203331 01"),
            (Kind.EVENT, Head(3, number=2), "0003 04 0000000000000002"),
            (Kind.EVENT, Head(3, trace=trace, number=1), "0003 06 0af7651916cd43dd8448eb211c80319c b7ad6b7169203331 01 0000000000000001"),
        ):
            self.assertEqual(encode_head(head), bytes.fromhex(text))
            self.assertEqual(decode_head(kind, bytes.fromhex(text) + b"body"), (head, b"body"))
        for none in ("00" * 16 + "b7ad6b7169203331", "0af7651916cd43dd8448eb211c80319c" + "00" * 8):
            self.assertEqual(decode_head(Kind.EVENT, bytes.fromhex("0003 02" + none + "01") + b"body"), (Head(3), b"body"))
        self.assertEqual(trace.traceparent(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

    def test_heads_that_must_not_be_sent(self) -> None:
        for kind, text in ((Kind.REQUEST, ""), (Kind.REQUEST, "0000"), (Kind.REQUEST, "0000 10"), (Kind.REQUEST, "0000 04 0000000000000001"),
                           (Kind.REQUEST, "0000 08"), (Kind.EVENT, "0000 01 00000001"), (Kind.EVENT, "0000 04 00000001"),
                           (Kind.REQUEST, "0000 01 00000000"), (Kind.STREAM, "0000 02 0102")):
            with self.violates("2"):
                decode_head(kind, bytes.fromhex(text))
        with self.violates("8"):
            decode_head(Kind.EVENT, bytes.fromhex("0000 04 0000000000000000"))

    def test_bodies(self) -> None:
        for codec, value, body in (("json", {"ä": [1, None]}, '{"ä":[1,null]}'.encode()), ("json", None, b"null"), ("json", NOTHING, b""),
                                   ("text", "ä", "ä".encode()), ("text", "", b""), ("bytes", b"\xff", b"\xff"), ("bytes", b"", b"")):
            self.assertEqual(encode_body(codec, value), body)
            self.assertEqual(decode_body(codec, body), value)
        for codec, body in (("json", b"{"), ("json", b"NaN"), ("json", b"\xef\xbb\xbf1"), ("json", b'"\xff"'), ("json", b"[" * 100_000),
                            ("text", b"\xff"), ("cbor", b"\0")):
            with self.assertRaises(ValueError):
                decode_body(codec, body)


def welcome_members(**members: Any) -> Dict[str, Any]:
    return {**make_hello(CONTRACT, LIMITS), "hawser": 1, "session": "0123456789abcdef" * 2, "origin": "fedcba9876543210" * 2, "resumed": False, "received": 0,
            "resumeWindowMs": 60_000, **members}


class TheHandshake(Violations):
    """§3"""

    def test_hello(self) -> None:
        hello = make_hello(CONTRACT, LIMITS, {"token": 1}, Resume("00" * 16, 7))
        self.assertEqual(list(hello), ["hawser", "protocol", "version", "accepts", "features", "messages", "limits", "auth", "resume"])
        self.assertEqual(hello["messages"][1], ["raw", "request", "bytes", ""])
        self.assertEqual(hello["resume"], {"session": "00" * 16, "received": 7})

    def test_welcome(self) -> None:
        welcome = read_welcome(encode_json(welcome_members(more="is ignored")), CONTRACT)
        self.assertEqual((welcome.limits, welcome.resume_window_ms, welcome.contract.find("talk")),
                         (LIMITS, 60_000, Message("talk", "stream")))

    def test_unreadable_welcome(self) -> None:
        limits = welcome_members()["limits"]
        unreadable: List[Dict[str, Any]] = [
            {"accepts": [2, 3]}, {"accepts": 1}, {"version": 0}, {"version": True}, {"session": "xyz"}, {"resumed": 1}, {"received": -1},
            {"messages": [["say", "request", "json"]]}, {"messages": [["say", "verb", "json", ""]]},
            {"messages": [["say", "request", "json", ""]] * 2}, {"messages": [["say", "request", "json", "12"]]},
            {"messages": [["say", "request", "json", "ABCDEFABCDEFABCD"]]}, {"session": "ABCDEF0123456789" * 2}, {"resumeWindowMs": 2**32},
            {"limits": {**limits, "windowBytes": 0}}, {"limits": {**limits, "maxPartials": 2**32}}, {"limits": {}},
            {"limits": {**limits, "maxMessageBytes": 1_023}}, {"limits": {**limits, "eventWindowBytes": 2**31}}, {"received": 2**53},
        ]
        for members in unreadable:
            with self.subTest(members), self.violates("3"):
                read_welcome(encode_json(welcome_members(**members)), CONTRACT)
        for payload in (b"", b"[]", b"nonsense"):
            with self.violates("3"):
                read_welcome(payload, CONTRACT)
        with self.violates("3", "VERSION_UNSUPPORTED"):
            read_welcome(encode_json(welcome_members(hawser=2)), CONTRACT)

    def test_contracts(self) -> None:
        def contract(name: str, version: int, accepts: Tuple[int, int], *messages: Message) -> Contract:
            return Contract(name, version, accepts, messages)

        say, digest, other = Message("say", "request"), Message("say", "request", digest="0" * 16), Message("say", "request", digest="1" * 16)
        for a, b in ((contract("x", 1, (1, 1), say, Message("a", "event")), contract("x", 1, (1, 2), Message("a", "event"), say)),
                     (contract("x", 1, (1, 1), say), contract("x", 2, (1, 2))), (contract("x", 1, (1, 1), say), contract("x", 1, (1, 1), digest)),
                     (contract("x", 2, (2, 2), digest), contract("x", 9, (1, 9), other))):
            compare_contracts(a, b)
            compare_contracts(b, a)
        for a, b, code in (
            (contract("x", 1, (1, 1)), contract("y", 1, (1, 1)), "PROTOCOL_MISMATCH"),
            (contract("x", 1, (1, 9)), contract("x", 2, (2, 2)), "PROTOCOL_MISMATCH"),
            (contract("x", 2, (1, 9)), contract("x", 9, (3, 9)), "PROTOCOL_MISMATCH"),
            (contract("x", 1, (1, 1), say), contract("x", 1, (1, 1)), "CONTRACT_DIFFERS"),
            (contract("x", 1, (1, 1), say), contract("x", 1, (1, 1), Message("say", "stream")), "CONTRACT_DIFFERS"),
            (contract("x", 1, (1, 1), say), contract("x", 1, (1, 1), Message("say", "request", "text")), "CONTRACT_DIFFERS"),
            (contract("x", 1, (1, 1), digest), contract("x", 1, (1, 1), other), "CONTRACT_DIFFERS"),
        ):
            for one, two in ((a, b), (b, a)):
                with self.violates("3", code):
                    compare_contracts(one, two)


class CreditAndErrors(Violations):
    """§5 and §6"""

    def test_credit(self) -> None:
        credit = hawser.Credit(20)
        credit.spend(b"x" * 100)
        self.assertEqual(credit.left, -96)
        credit.add(struct.pack(">I", 2**31 - 1))
        credit.add(struct.pack(">I", 96))
        with self.violates("5", "FLOW_VIOLATION"):
            credit.add(struct.pack(">I", 1))

    def test_window(self) -> None:
        window = hawser.Window(100)
        cost = window.arrive(b"x" * 20)
        self.assertEqual((cost, window.left), (36, 64))
        self.assertEqual((window.take(cost), window.left), (0, 64))  # waits for half the window
        self.assertEqual((window.take(window.arrive(b"x" * 60)), window.left), (112, 100))
        window.arrive(b"x" * 84)
        with self.violates("5", "FLOW_VIOLATION"):
            window.check(Kind.ITEM)
        self.assertEqual(hawser.Window(1).take(17), 17)

    def test_failures(self) -> None:
        for failure in (Failed("NAMED", "m", name="nope", payload={"why": 1}), Failed("NAMED", "", name="bare"), Failed("ITEM_INVALID", "m", path=["a", 0]), Failed("OVERLOADED")):
            back = hawser.read_failure(hawser.make_failure(failure))
            self.assertEqual((back.code, back.message, back.name, back.payload, back.path),
                             (failure.code, failure.message, failure.name, failure.payload, failure.path))
        self.assertEqual(hawser.read_failure(b'{"code":"LATER","message":""}').code, "HANDLER_FAILED")
        for payload in (b"", b"[]", b'{"code":1,"message":""}', b'{"code":"NAMED","message":""}'):
            for kind in (Kind.FAIL, Kind.REJECT):
                with self.violates("6"):
                    hawser.read_failure(payload, kind)

    def test_closings(self) -> None:
        self.assertEqual(hawser.read_closing(b'{"code":"NORMAL","message":"m"}'), ("NORMAL", "m"))
        for payload in (b"", b"{}", b'{"code":"LATER","message":""}', b'{"code":["NORMAL"],"message":""}'):
            self.assertEqual(hawser.read_closing(payload), ("PROTOCOL_VIOLATION", ""))


# --- The examples of the page ------------------------------------------------------------------------


Exchange = Dict[str, bytes]  # what `>` and `<` send on one connection


def examples() -> List[Exchange]:
    """The bytes of §9, which says how they are written."""
    section = PAGE.read_text("utf-8").split("\n## 9.")[1].split("\n## ")[0]
    exchanges: List[Exchange] = []
    for line in section.splitlines():
        if line.startswith("    # ="):
            exchanges.append({">": b"", "<": b""})
        elif line.startswith(("    > ", "    < ")):
            exchanges[-1][line[4]] += written(line[6:])
    return exchanges


def written(text: str) -> bytes:
    if text.startswith("|"):
        return text[1:].encode()
    data = b""
    for word in text.split("#")[0].split():
        byte, _, count = word.partition("*")
        data += bytes.fromhex(byte) * int(count or 1)
    return data


ECHO = (Message("note", "event"), Message("say", "request"), Message("count", "stream"))


class TheExamples(unittest.TestCase):
    """§9: this code reads and makes the same bytes."""

    def setUp(self) -> None:
        self.exchanges = examples()
        if not self.exchanges:
            self.skipTest("PROTOCOL.md has no examples yet")

    def frames(self, data: bytes) -> List[Frame]:
        data = data[len(SIGNATURE) :] if data.startswith(SIGNATURE) else data
        frames = frames_of(data)
        self.assertEqual(b"".join(encode_frame(*frame) for frame in frames), data, "a frame is cut off, or made otherwise")
        return frames

    def test_frames_and_payloads(self) -> None:
        for exchange in self.exchanges:
            for data in exchange.values():
                joiner = Joiner(100, 1 << 24)
                for frame in self.frames(data):
                    joiner.begins(frame)
                    payload = joiner.add(frame)
                    if payload is not None:
                        with self.subTest(frame=frame):
                            self.check_payload(frame.kind, payload)

    def check_payload(self, kind: Kind, payload: bytes) -> None:
        if kind in hawser.FLAGS_OF:
            head, body = decode_head(kind, payload)
            self.assertEqual(encode_head(head) + body, payload)
            payload = body
        if kind == Kind.REJECT:
            payload = payload[8:]
        if payload and kind not in hawser.EXACT_PAYLOAD:
            self.assertEqual(encode_json(decode_json(payload)), payload)

    def test_handshakes(self) -> None:
        for exchange in self.exchanges:
            if not exchange[">"].startswith(SIGNATURE):
                continue
            first, answer = self.frames(exchange[">"])[0], self.frames(exchange["<"])[0]
            self.assertTrue(exchange["<"].startswith(SIGNATURE))
            hello = decode_json(first.payload)
            lists = [read_list(decode_json(f.payload)) for f in self.frames(exchange[">"])[1:2] if f.kind == Kind.MESSAGES]
            contract, limits = hawser.read_contract(hello, lists[0] if lists else ECHO)
            resume = Resume(**hello["resume"]) if "resume" in hello else None
            self.assertEqual(encode_json(make_hello(contract, limits, hello.get("auth", NOTHING), resume, hello["features"], False)), first.payload)
            self.assertEqual(contract.name, "echo")
            if answer.kind == Kind.WANT:
                answer = self.frames(exchange["<"])[1]
            if answer.kind == Kind.WELCOME:
                welcome = read_welcome(answer.payload, contract)
                self.assertEqual(welcome.contract.messages, ECHO)
                self.assertEqual({m.name: m.type for m in welcome.contract.messages}, {"note": "event", "say": "request", "count": "stream"})
            else:
                self.assertEqual((answer.kind, decode_json(answer.payload)["code"]), (Kind.REFUSE, "PROTOCOL_MISMATCH"))
                with self.assertRaises(Violation) as caught:
                    compare_contracts(contract, Contract("echo", 1, (1, 1), ()))
                self.assertEqual(caught.exception.code, "PROTOCOL_MISMATCH")

    def test_requests_and_events_are_made_alike(self) -> None:
        exchange = self.exchanges[0]
        sent = self.frames(exchange[">"])
        contract, limits = hawser.read_contract(decode_json(sent[0].payload), ECHO)
        codecs = {message.name: message.codec for message in contract.messages}
        joiner = Joiner(100, 1 << 24)
        for frame in sent:
            joiner.begins(frame)
            payload = joiner.add(frame)
            if payload is not None and frame.kind in hawser.FLAGS_OF:
                head, body = decode_head(frame.kind, payload)
                name = contract.messages[head.name].name
                made = encode_head(Head(contract.index(name), head.deadline, head.trace, head.number, head.sends_items))
                made += encode_body(codecs[name], decode_body(codecs[name], body))
                outbox = Outbox(limits.maxPartials)
                outbox.put_message(frame.kind, frame.id, made)
                self.assertEqual(everything(outbox)[-1], frame)


# --- Against a server that breaks rules --------------------------------------------------------------

Use = Callable[[Session], Awaitable[Any]]


async def against(use: Use, *answers: bytes, welcome: bytes = encode_json(welcome_members()), until: bytes = b"", **options: Any) -> bytes:
    """Runs `use` with a session whose server writes the next of `answers` whenever something has come, but the last only
    when `until` has come; what the client has sent behind HELLO."""
    came = bytearray()
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(8)
            await reader.readexactly(struct.unpack(">I", await reader.readexactly(4))[0])
            writer.write(SIGNATURE + encode_frame(Kind.WELCOME, 0, welcome))
            data = b"HELLO"
            for index, answer in enumerate(answers, 1):
                while index == len(answers) and until not in came:
                    came.extend(await reader.read(100_000))
                writer.write(answer)
                data = await reader.read(100_000)
                came.extend(data)
            while data:
                data = await reader.read(100_000)
                came.extend(data)
        except OSError:
            pass
        ended.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    session: Optional[Session] = None
    try:
        options = {"limits": LIMITS, **options}
        session = Session(server.sockets[0].getsockname()[:2], CONTRACT, **options)
        await session.connect()
        await asyncio.wait_for(use(session), 5)
    finally:
        if session is not None:
            await session.close()
        await asyncio.wait_for(ended.wait(), 5)
        server.close()
    return bytes(came)


async def nothing(session: Session) -> None:
    while session.over is None:
        await asyncio.sleep(0.005)
    raise session.over


async def ask(session: Session) -> None:
    await session.request("say", 1)


async def talk(session: Session) -> None:
    stream = await session.stream("talk")
    async for _ in stream:
        pass
    await nothing(session)


async def talk_and_stall(session: Session) -> None:
    await session.stream("talk")
    await nothing(session)


def allow(session: Session, bytes: int) -> None:
    """As if the server's WELCOME had said so."""
    assert session.link is not None and session.welcome is not None
    session.welcome = replace(session.welcome, limits=replace(session.welcome.limits, maxMessageBytes=bytes))
    session.link.welcome = session.welcome


async def note(session: Session) -> None:
    session.emit("note", 1)
    await nothing(session)


async def fill_and_ask(session: Session) -> None:
    """Two requests in pieces are all that the server lets be unfinished: of the third nothing is sent."""
    allow(session, 10_000_000)
    await asyncio.gather(*(session.request("say", "x" * 4_000_000) for _ in range(3)))


def breach_by_server(section: str, use: Use, *answers: bytes, code: str = "PROTOCOL_VIOLATION") -> Any:
    async def run(self: Violations) -> None:
        caught: List[Violation] = []

        async def keep(session: Session) -> None:
            try:
                await use(session)
            except Violation as violation:
                caught.append(violation)

        sent = await against(keep, *answers)
        self.assertEqual([(v.section, v.code) for v in caught], [(section, code)])
        last = frames_of(sent)[-1]
        self.assertEqual(last.kind, Kind.CLOSE)
        self.assertEqual(decode_json(last.payload)["code"], code)

    return lambda self: asyncio.run(run(self))


def f(kind: int, id: int = 0, payload: bytes = b"", more: bool = False) -> bytes:
    return encode_frame(kind, id, payload, more)


def event(number: Optional[int], name: int = 3) -> bytes:
    return f(Kind.EVENT, 0, encode_head(Head(name, number=number)) + b"1")


def u64(number: int) -> bytes:
    return struct.pack(">Q", number)


OPENING = encode_head(Head(0)) + b"1"


class BreachesByTheServer(Violations):
    """Every rule that the receiver can check."""

    test_length = breach_by_server("1", nothing, struct.pack(">I", 4))
    test_kind = breach_by_server("1", nothing, f(0x19, 1))
    test_bit_7 = breach_by_server("1", nothing, f(Kind.PING, 0, b"12345678", True))
    test_between_pieces = breach_by_server("1", talk, b"", f(Kind.ITEM, 1, b"1", True) + f(Kind.END, 1))
    test_partials = breach_by_server("1", nothing, b"".join(f(Kind.REQUEST, id, OPENING, True) for id in (2, 4, 6)))
    test_too_large = breach_by_server("1", ask, b"", f(Kind.RESULT, 1, b"x" * 1_089), code="MESSAGE_TOO_LARGE")
    test_empty_piece = breach_by_server("1", ask, b"", f(Kind.RESULT, 1, b"", True))
    test_too_large_in_pieces = breach_by_server("1", ask, b"", f(Kind.RESULT, 1, b"x" * 1_000, True) + f(Kind.RESULT, 1, b"x" * 89, True),
                                                code="MESSAGE_TOO_LARGE")
    test_payload = breach_by_server("2", nothing, f(Kind.CREDIT, 0, b"1"))
    test_flag = breach_by_server("2", nothing, f(Kind.REQUEST, 2, b"\0\0\x20"))
    test_index = breach_by_server("2", nothing, f(Kind.REQUEST, 2, encode_head(Head(99)) + b"1"))
    test_index_of_event = breach_by_server("2", nothing, event(1, 99))
    test_pong_without_ping = breach_by_server("2", nothing, f(Kind.PONG, 0, b"12345678"))
    test_cancel_by_responder = breach_by_server("2", ask, b"", f(Kind.CANCEL, 1))
    test_result_by_opener = breach_by_server("2", nothing, f(Kind.REQUEST, 2, OPENING, True)[:-1] + b"1" + f(Kind.PING, 0, b"12345678")
                                             + f(Kind.STREAM, 4, encode_head(Head(2, sends_items=True))) + f(Kind.RESULT, 4))
    test_result_of_stream = breach_by_server("2", talk, b"", f(Kind.RESULT, 1, b"1"))
    test_item_of_request = breach_by_server("2", ask, b"", f(Kind.ITEM, 1, b"1"))
    test_end_of_request = breach_by_server("2", ask, b"", f(Kind.END, 1))
    test_credit_of_request = breach_by_server("2", ask, b"", f(Kind.CREDIT, 1, b"\0\0\0\1"))
    test_second_welcome = breach_by_server("3", nothing, f(Kind.WELCOME, 0, b"{}"))
    test_odd_id = breach_by_server("4", nothing, f(Kind.REQUEST, 3, OPENING))
    test_id_in_use = breach_by_server("4", nothing, f(Kind.REQUEST, 2, OPENING, True) + f(Kind.REQUEST, 4, OPENING, True)
                                      + f(Kind.STREAM, 6, encode_head(Head(2, sends_items=True))) + f(Kind.STREAM, 6, encode_head(Head(2))))
    test_too_many = breach_by_server("4", nothing, b"".join(f(Kind.STREAM, id, encode_head(Head(2, sends_items=True))) for id in (2, 4, 6, 8)))
    test_unknown_result = breach_by_server("4", nothing, f(Kind.RESULT, 1, b"1"))
    test_unknown_item = breach_by_server("4", nothing, f(Kind.ITEM, 2, b"1"))
    test_behind_end = breach_by_server("4", talk, b"", f(Kind.END, 1) + f(Kind.ITEM, 1, b"1"))
    test_item_of_opener = breach_by_server("4", nothing, f(Kind.STREAM, 2, encode_head(Head(2))) + f(Kind.ITEM, 2, b"1"))
    test_item_flow = breach_by_server("5", talk_and_stall, b"", f(Kind.ITEM, 1, b"1" * 84) + f(Kind.ITEM, 1, b"1"), code="FLOW_VIOLATION")
    test_event_flow = breach_by_server("5", nothing, f(Kind.EVENT, 0, encode_head(Head(4)) + b"1" * 84) + event(None, 4), code="FLOW_VIOLATION")
    test_credit_beyond_everything = breach_by_server("5", nothing, f(Kind.CREDIT, 0, b"\x7f\xff\xff\xff"), code="FLOW_VIOLATION")
    test_fail = breach_by_server("6", ask, b"", f(Kind.FAIL, 1, b"no"))
    test_answer_to_nothing_sent = breach_by_server("4", fill_and_ask, b"", f(Kind.RESULT, 5, b"1"))
    test_gap = breach_by_server("8", nothing, event(1) + event(3))
    test_first_number = breach_by_server("8", nothing, event(2))
    test_number_0 = breach_by_server("8", nothing, event(0))
    test_ack = breach_by_server("8", nothing, f(Kind.ACK, 0, u64(1)))
    test_reject = breach_by_server("8", nothing, f(Kind.REJECT, 0, u64(1) + b'{"code":"HANDLER_FAILED","message":""}'))
    test_reject_of_0 = breach_by_server("8", nothing, f(Kind.REJECT, 0, u64(0) + b'{"code":"HANDLER_FAILED","message":""}'))
    test_unreadable_reject = breach_by_server("6", note, b"", f(Kind.REJECT, 0, u64(1) + b'{"code":"NAMED","message":""}'))

    def test_wrong_welcomes(self) -> None:
        for members, code in (({"protocol": "other"}, "PROTOCOL_MISMATCH"), ({"version": 2, "accepts": [2, 2]}, "PROTOCOL_MISMATCH"),
                              ({"messages": []}, "CONTRACT_DIFFERS"), ({"hawser": 3}, "VERSION_UNSUPPORTED"), ({"resumed": True}, "PROTOCOL_VIOLATION"),
                              ({"received": 4}, "PROTOCOL_VIOLATION")):
            with self.subTest(members), self.violates("3", code):
                asyncio.run(against(nothing, b"", welcome=encode_json(welcome_members(**members))))


class WhatTheClientSends(unittest.TestCase):
    """What is not a breach, seen in bytes."""

    def sent(self, use: Use, *answers: bytes, **options: Any) -> List[Frame]:
        frames = frames_of(asyncio.run(against(use, *answers, **options)))
        self.assertEqual((frames[-1].kind, decode_json(frames[-1].payload)["code"]), (Kind.CLOSE, "NORMAL"))
        return frames[:-1]

    def test_request(self) -> None:
        async def use(session: Session) -> None:
            self.assertEqual(await session.request("say", {"a": 1}, deadline_ms=4_000), "b")

        self.assertEqual(self.sent(use, b"", f(Kind.RESULT, 1, b'"b"')), [Frame(Kind.REQUEST, 1, bytes.fromhex("0000 01 00000fa0") + b'{"a":1}')])

    def test_cancel_by_giving_up(self) -> None:
        async def use(session: Session) -> None:
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(session.request("say", 1), 0.05)
            with self.assertRaises(Failed) as caught:
                await session.request("say", 2, deadline_ms=50)
            self.assertEqual(caught.exception.code, "DEADLINE_EXCEEDED")

        self.assertEqual([(frame.kind, frame.id) for frame in self.sent(use, b"")],
                         [(Kind.REQUEST, 1), (Kind.CANCEL, 1), (Kind.REQUEST, 3), (Kind.CANCEL, 3)])

    def test_no_more_conversations_than_allowed(self) -> None:
        async def use(session: Session) -> None:
            asking = [asyncio.ensure_future(session.request("say", n)) for n in range(5)]
            await asyncio.sleep(0.05)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

        frames = self.sent(use, b"")
        self.assertEqual([frame.kind for frame in frames], [Kind.REQUEST] * 3 + [Kind.CANCEL] * 3)

    def test_items_wait_for_credit(self) -> None:
        async def use(session: Session) -> None:
            stream = await session.stream("talk", sends_items=True)
            for n in range(9):
                await stream.send("x" * 30)  # 48 of 100 bytes
            await stream.end()

        frames = self.sent(use, b"", f(Kind.CREDIT, 1, struct.pack(">I", 144)), f(Kind.CREDIT, 1, struct.pack(">I", 144)))
        self.assertEqual([frame.kind for frame in frames], [Kind.STREAM] + [Kind.ITEM] * 9 + [Kind.END])

    def test_credit_is_given_back(self) -> None:
        async def use(session: Session) -> None:
            self.assertEqual([item async for item in await session.stream("talk")], [1, "x" * 60])

        items = f(Kind.ITEM, 1, b"1") + f(Kind.ITEM, 1, b'"' + b"x" * 60 + b'"')
        self.assertEqual(self.sent(use, b"", items, f(Kind.END, 1))[1:], [Frame(Kind.CREDIT, 1, struct.pack(">I", 17 + 78))])

    def test_cancel_behind_the_responders_end(self) -> None:
        async def use(session: Session) -> None:
            stream = await session.stream("talk", sends_items=True)
            with self.assertRaises(Failed):
                await stream.__anext__()
            with self.assertRaises(Failed):
                await stream.send(1)

        frames = self.sent(use, b"", f(Kind.FAIL, 1, b'{"code":"UNKNOWN_MESSAGE","message":""}'))
        self.assertEqual([frame.kind for frame in frames], [Kind.STREAM, Kind.CANCEL])

    def test_answer_before_the_last_piece(self) -> None:
        async def use(session: Session) -> None:
            allow(session, 10_000_000)
            with self.assertRaises(Failed) as caught:
                await session.request("say", "x" * 9_000_000)
            self.assertEqual(caught.exception.code, "OVERLOADED")
            self.assertEqual(await session.request("say", 1), 2)

        again = f(Kind.REQUEST, 1, OPENING)
        frames = self.sent(use, b"", f(Kind.FAIL, 1, b'{"code":"OVERLOADED","message":""}'), f(Kind.RESULT, 1, b"2"), until=again)
        self.assertTrue(all(frame.more for frame in frames[:-2]))
        self.assertEqual([(frame.kind, frame.id) for frame in frames[-2:]], [(Kind.CANCEL, 1), (Kind.REQUEST, 1)])

    def test_answer_that_can_not_be_sent(self) -> None:
        async def say(value: Any, conversation: Conversation) -> Any:
            if value == 2:
                raise Failed("NAMED", name="rude", payload="x" * 2_000)
            return "x" * 2_000

        async def use(session: Session) -> None:
            await asyncio.sleep(0.1)

        with self.assertLogs("hawser"):
            frames = self.sent(use, f(Kind.REQUEST, 2, encode_head(Head(0)) + b"1") + f(Kind.REQUEST, 4, encode_head(Head(0)) + b"2"), handlers={"say": say})
        self.assertEqual([(frame.id, decode_json(frame.payload)["code"]) for frame in frames], [(2, "HANDLER_FAILED"), (4, "HANDLER_FAILED")])

    def test_answers_to_the_server(self) -> None:
        async def say(value: Any, conversation: Conversation) -> Any:
            if value == "fail":
                raise ValueError("a secret")
            if value == "wait":
                await asyncio.sleep(10)
            return value

        async def use(session: Session) -> None:
            await asyncio.sleep(0.2)

        def request(id: int, body: bytes, **head: Any) -> bytes:
            return f(Kind.REQUEST, id, encode_head(Head(0, **head)) + body)

        with self.assertLogs("hawser"):
            frames = self.sent(use, request(2, b'"x"') + request(16, b'"x"') + request(4, b'"fail"') + request(6, b"{") + request(8, b'"wait"') + f(Kind.CANCEL, 8)
                               + request(10, b'"wait"', deadline=50) + f(Kind.REQUEST, 12, b"\0\0", True) + f(Kind.CANCEL, 12)
                               + f(Kind.REQUEST, 14, encode_head(Head(2))) + f(Kind.CANCEL, 2), handlers={"say": say},
                               limits=Limits(1_024, 2, 9, 100, 100))
        self.assertEqual([frame for frame in frames if frame.kind == Kind.RESULT], [Frame(Kind.RESULT, 16, b'"x"')])
        codes = {frame.id: decode_json(frame.payload)["code"] for frame in frames if frame.kind == Kind.FAIL}
        self.assertEqual(codes, {2: "CANCELLED", 4: "HANDLER_FAILED", 6: "INPUT_INVALID", 8: "CANCELLED", 10: "DEADLINE_EXCEEDED",
                                 12: "CANCELLED", 14: "UNKNOWN_MESSAGE"})
        self.assertNotIn(b"secret", b"".join(frame.payload for frame in frames))

    def test_serves_a_stream(self) -> None:
        async def double(value: Any, stream: Conversation) -> None:
            async for item in stream:
                await stream.send(item * 2)

        async def use(session: Session) -> None:
            await asyncio.sleep(0.1)

        frames = self.sent(use, f(Kind.STREAM, 2, encode_head(Head(2, sends_items=True))) + f(Kind.ITEM, 2, b"4") + f(Kind.ITEM, 2, b"5")
                           + f(Kind.END, 2), handlers={"talk": double})
        self.assertEqual(frames, [Frame(Kind.ITEM, 2, b"8"), Frame(Kind.ITEM, 2, b"10"), Frame(Kind.END, 2, b"")])

    def test_events_come_in(self) -> None:
        got: List[Any] = []

        async def note(value: Any, event: IncomingEvent) -> None:
            got.append((value, event.number))
            if value == 2:
                raise Failed("HANDLER_FAILED", "no")

        async def use(session: Session) -> None:
            await asyncio.sleep(0.1)

        def numbered(number: int, name: int = 3) -> bytes:
            return f(Kind.EVENT, 0, encode_head(Head(name, number=number)) + str(number).encode())

        with self.assertLogs("hawser"):
            frames = self.sent(use, numbered(1) + numbered(2) + numbered(1) + numbered(3, 0) + numbered(4), handlers={"note": note},
                               limits=Limits(1_024, 2, 3, 100, 1_000))
        self.assertEqual(got, [(1, 1), (2, 2), (4, 4)])
        self.assertEqual([(frame.kind, struct.unpack(">Q", frame.payload[:8])[0]) for frame in frames],
                         [(Kind.ACK, 1), (Kind.REJECT, 2), (Kind.ACK, 2), (Kind.REJECT, 3), (Kind.ACK, 3), (Kind.ACK, 4)])
        self.assertEqual([decode_json(frame.payload[8:])["code"] for frame in frames if frame.kind == Kind.REJECT], ["HANDLER_FAILED", "UNKNOWN_MESSAGE"])

    def test_ping_is_answered(self) -> None:
        async def use(session: Session) -> None:
            await asyncio.sleep(0.05)

        self.assertEqual(self.sent(use, f(Kind.PING, 0, b"12345678")), [Frame(Kind.PONG, 0, b"12345678")])

    def test_close_that_can_not_be_read(self) -> None:
        async def use(session: Session) -> None:
            with self.assertRaises(Closed) as caught:
                await nothing(session)
            self.assertEqual((caught.exception.code, caught.exception.by_other), ("PROTOCOL_VIOLATION", True))

        self.assertEqual(asyncio.run(against(use, f(Kind.CLOSE, 0, b"{}"))), b"")

    def test_no_calls_behind_drain(self) -> None:
        async def use(session: Session) -> None:
            await session.drain()
            with self.assertRaises(Failed) as caught:
                await session.request("say", 1)
            self.assertEqual(caught.exception.code, "DRAINING")

        self.assertEqual([frame.kind for frame in self.sent(use)], [Kind.DRAIN])

    def test_drain(self) -> None:
        async def use(session: Session) -> None:
            self.assertEqual(await session.request("say", 1), 2)
            with self.assertRaises(Closed) as caught:
                await nothing(session)
            self.assertEqual(caught.exception.code, "DRAINED")

        frames = frames_of(asyncio.run(against(use, b"", f(Kind.DRAIN) + f(Kind.RESULT, 1, b"2"))))
        self.assertEqual([frame.kind for frame in frames], [Kind.REQUEST, Kind.CLOSE])

    def test_drain_waits_for_events(self) -> None:
        async def slow(value: Any, event: IncomingEvent) -> None:
            await asyncio.sleep(0.05)

        async def use(session: Session) -> None:
            session.emit("note", 1)
            with self.assertRaises(Closed):
                await nothing(session)

        frames = frames_of(asyncio.run(against(use, event(1) + f(Kind.DRAIN), f(Kind.ACK, 0, u64(1)), handlers={"note": slow})))
        self.assertEqual([frame.kind for frame in frames], [Kind.EVENT, Kind.ACK, Kind.CLOSE])

    def test_heartbeat(self) -> None:
        async def use(session: Session) -> None:
            while session.link is not None:
                await asyncio.sleep(0.01)
            self.assertIsNone(session.over)  # it may be resumed

        frames = frames_of(asyncio.run(against(use, heartbeat=(0.05, 0.05))))
        self.assertEqual([frame.kind for frame in frames], [Kind.PING, Kind.CLOSE])
        self.assertEqual(decode_json(frames[1].payload)["code"], "HEARTBEAT_LOST")


# --- Against the fake server -------------------------------------------------------------------------


def with_server(test: Callable[[Any, FakeServer], Coroutine[Any, Any, None]]) -> Callable[[Any], None]:
    async def run(self: Any) -> None:
        server = FakeServer()
        await server.start()
        try:
            await asyncio.wait_for(test(self, server), 20)
        finally:
            await server.stop()

    return lambda self: asyncio.run(run(self))


class AgainstTheFakeServer(unittest.TestCase):
    @with_server
    async def test_calls(self, server: FakeServer) -> None:
        session = await connect(("127.0.0.1", server.port), script.CONTRACT)
        self.assertEqual(await session.request("add", {"a": 1, "b": 2}), 3)
        self.assertEqual(await session.request("upload", b"\xfe" * 300_000), b"\xfe" * 300_000)
        with self.assertRaises(Failed) as caught:
            await session.request("refuse", {"why": "so"})
        self.assertEqual((caught.exception.name, caught.exception.payload), ("nope", {"why": "so"}))
        with self.assertRaises(Rejected):
            await session.emit("bad", {})
        self.assertGreater(await session.ping(), 0)
        await session.close()
        with self.assertRaises(Closed):
            await session.request("echo", 1)

    @with_server
    async def test_lost_connection(self, server: FakeServer) -> None:
        session = await connect(("127.0.0.1", server.port), script.CONTRACT)
        slow = asyncio.ensure_future(session.request("slow", {"ms": 5_000}))
        await session.ping()
        session.lose()
        with self.assertRaises(ConnectionLost) as caught:
            await slow
        self.assertIsNone(caught.exception.arrived)
        settled = session.emit("note", {"text": "while there is no connection"})
        with self.assertRaises(ConnectionLost):
            await session.request("echo", 1)
        self.assertTrue(await session.connect())
        await settled
        server.states.clear()  # the server forgets the session
        session.lose()
        settled = session.emit("note", {"text": "for the next session"})
        self.assertFalse(await session.connect())
        await settled
        await session.close()

    @with_server
    async def test_lost_rejects(self, server: FakeServer) -> None:
        handling = asyncio.Event()

        async def said(value: Any, event: IncomingEvent) -> None:
            handling.set()
            await asyncio.sleep(0.05)
            raise Failed("HANDLER_FAILED", "no")

        session = await connect(("127.0.0.1", server.port), script.CONTRACT, handlers={"said": said})
        session.emit("note", {"text": "x"})
        await handling.wait()
        state = next(iter(server.states.values()))
        session.lose()
        await asyncio.sleep(0.1)  # the REJECT has no connection to go out on
        self.assertTrue(await session.connect())
        while state.retained:
            await asyncio.sleep(0.005)
        self.assertEqual(state.rejected, [1])
        session.lose()  # it is sent again, and does no harm
        self.assertTrue(await session.connect())
        await session.ping()
        self.assertEqual(state.rejected, [1])
        await session.close()

    @with_server
    async def test_unix_socket(self, server: FakeServer) -> None:
        with tempfile.TemporaryDirectory() as folder:
            await server.start_at(f"{folder}/socket")
            session = await connect(f"{folder}/socket", script.CONTRACT)
            self.assertEqual(await session.request("echo", 1), 1)
            await session.close()
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                failed = await script.run(f"{folder}/socket", {name for name, _ in script.STEPS if name.startswith("§1")})
            self.assertEqual(failed, [], out.getvalue())

    @with_server
    async def test_refused(self, server: FakeServer) -> None:
        with self.assertRaises(Refused) as caught:
            await connect(("127.0.0.1", server.port), CONTRACT)
        self.assertEqual(caught.exception.code, "PROTOCOL_MISMATCH")

    @with_server
    async def test_the_other_side_drains(self, server: FakeServer) -> None:
        session = await connect(("127.0.0.1", server.port), script.CONTRACT)
        slow = asyncio.ensure_future(session.request("slow", {"ms": 50}))
        await asyncio.sleep(0.02)  # DRAIN may overtake a REQUEST
        await session.drain()
        self.assertIsNone(await slow)
        with self.assertRaises(Closed) as caught:
            await nothing(session)
        self.assertEqual((caught.exception.code, caught.exception.by_other), ("DRAINED", True))


class TheScript(unittest.TestCase):
    def run_script(self, *faults: str, only: Optional[str] = None) -> Tuple[List[str], str]:
        async def run() -> List[str]:
            server = FakeServer(faults)
            await server.start()
            steps = None if only is None else {name for name, _ in script.STEPS if re.search(only, name)}
            try:
                return await script.run(("127.0.0.1", server.port), steps)
            finally:
                await server.stop()

        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            return asyncio.run(run()), out.getvalue()

    def test_every_step_passes(self) -> None:
        failed, out = self.run_script()
        self.assertEqual(failed, [], out)

    @mock.patch("script.WAIT_SECONDS", 0.7)
    def test_faults_are_seen(self) -> None:
        for fault, only in (
            ("any signature", "wrong signature"), ("any length", "length of 65 542"),
            ("ignores credit", "flood stops"), ("any flow", "item without credit"), ("ignores the window", "share the credit of WINDOW"), ("odd ids", "ask: "), ("no cancel", "CANCEL: "),
            ("no deadline", "deadline: "), ("no reject", "bad: "), ("any number", "gap"), ("takes twice", "number that the server has"),
            ("sends all again", "unacknowledged events are sent again"), ("forgets to acknowledge", "ACK was lost"),
            ("forgets its rejects", "REJECT that was lost"), ("any received", "`received` that the client"),
        ):
            with self.subTest(fault):
                failed, out = self.run_script(fault, only=only)
                self.assertTrue(failed, out)

    def test_a_server_that_answers_at_once(self) -> None:
        failed, out = self.run_script("eager", only="REQUEST together")
        self.assertEqual(failed, [], out)

    def test_names_are_unique(self) -> None:
        names = [name for name, _ in script.STEPS]
        self.assertEqual(len(names), len(set(names)))


if __name__ == "__main__":
    unittest.main()
