"""A client of the Hawser session protocol, version 1, in Python's standard library.

Written from PROTOCOL.md alone. The sign § names the section of that page which a part implements.
The first half (§1 to §3) works on bytes and needs no network; the second half is the session:

    session = await connect(("localhost", 4000), contract, handlers={"question": answer})
    total = await session.request("add", {"a": 1, "b": 2})
    await session.close()

A breach of a rule by the other side raises `Violation`, with the section of the rule, and ends the
session with CLOSE.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import struct
import time
from collections import OrderedDict, deque
from dataclasses import asdict, dataclass, field, replace
from enum import IntEnum
from typing import Any, Awaitable, Callable, Deque, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

log = logging.getLogger("hawser")


class Nothing:
    """The value that the empty body stands for (§2). JSON's null is None, and is not the same."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING = Nothing()


# --- Errors ------------------------------------------------------------------------------------------


class HawserError(Exception):
    """Everything that this module raises."""


class NotHawser(HawserError):
    """§1: the stream does not begin with the signature. It is closed without a reply."""

    def __init__(self, seen: bytes) -> None:
        super().__init__(f"expected the Hawser signature, saw {seen!r}")


class Violation(HawserError):
    """The other side broke a rule. The session ends with CLOSE and this code."""

    def __init__(self, section: str, message: str, code: str = "PROTOCOL_VIOLATION") -> None:
        super().__init__(f"§{section}: {message} ({code})")
        self.section = section
        self.code = code


class Refused(HawserError):
    """§3: the server answered HELLO with REFUSE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"refused: {code}: {message}")
        self.code = code
        self.message = message


class Closed(HawserError):
    """§6: the session is over, by the CLOSE of either side."""

    def __init__(self, code: str, message: str, by_other: bool) -> None:
        super().__init__(f"closed by {'the other side' if by_other else 'this side'}: {code}: {message}")
        self.code = code
        self.message = message
        self.by_other = by_other


class ConnectionLost(HawserError):
    """§7: the stream ended without CLOSE. `arrived` is False where nothing of the call was sent, else None."""

    def __init__(self, message: str, arrived: Optional[bool] = None) -> None:
        super().__init__(message)
        self.arrived = arrived


class Failed(HawserError):
    """§6: a FAIL. A handler raises it to answer with one."""

    def __init__(self, code: str, message: str = "", *, name: Optional[str] = None, payload: Any = NOTHING,
                 path: Optional[List[Union[str, int]]] = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.name = name
        self.payload = payload
        self.path = path


class Rejected(HawserError):
    """§8: the other side's program failed to handle a numbered event."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


# --- §1 The stream -----------------------------------------------------------------------------------

SIGNATURE = bytes.fromhex("89485753 0D0A1A0A")
HEADER_BYTES = 5  # kind and id, which `length` counts together with the payload
MAX_PAYLOAD = 65_536
MAX_PAYLOAD_BEFORE_READY = 16_384
MORE = 0x80  # bit 7 of `kind`: another piece of the message follows
IGNORABLE = 0x40  # bit 6 of `kind`: who does not know the kind ignores the frame; no kind here has it
MAX_HEAD = 64  # bytes that a joined payload may have above `maxMessageBytes`


class Kind(IntEnum):
    """§2: the kinds of frames."""

    HELLO = 0x01
    WELCOME = 0x02
    REFUSE = 0x03
    PING = 0x04
    PONG = 0x05
    DRAIN = 0x06
    CLOSE = 0x07
    ACK = 0x08
    REJECT = 0x09
    CREDIT = 0x0A
    WINDOW = 0x0B
    WANT = 0x0C
    MESSAGES = 0x0D
    REQUEST = 0x10
    RESULT = 0x11
    FAIL = 0x12
    CANCEL = 0x13
    STREAM = 0x14
    ITEM = 0x15
    END = 0x16
    EVENT = 0x17
    STOP = 0x18


MAY_BE_CUT = {Kind.REQUEST, Kind.RESULT, Kind.FAIL, Kind.STREAM, Kind.ITEM, Kind.EVENT, Kind.MESSAGES}
OF_CONVERSATIONS = {Kind.REQUEST, Kind.RESULT, Kind.FAIL, Kind.CANCEL, Kind.STREAM, Kind.ITEM, Kind.END, Kind.STOP}
EXACT_PAYLOAD = {Kind.PING: 8, Kind.PONG: 8, Kind.DRAIN: 0, Kind.ACK: 8, Kind.CREDIT: 4, Kind.WINDOW: 4, Kind.STOP: 0, Kind.END: 0}


class Frame(NamedTuple):
    kind: Kind
    id: int
    payload: bytes
    more: bool = False  # a piece, and not the last one


def encode_frame(kind: int, id: int = 0, payload: bytes = b"", more: bool = False) -> bytes:
    """length u32 | kind u8 | id u32 | payload"""
    return struct.pack(">IBI", HEADER_BYTES + len(payload), kind | (MORE if more else 0), id) + payload


class Decoder:
    """Bytes in, frames out: checks the signature first, and then the form of every frame (§1, §2)."""

    def __init__(self) -> None:
        self.max_payload = MAX_PAYLOAD_BEFORE_READY
        self._bytes = bytearray()
        self._signed = False

    def feed(self, data: bytes) -> None:
        self._bytes += data

    def rest(self) -> bytes:
        """Takes out what is fed and not read as frames."""
        rest = bytes(self._bytes)
        self._bytes.clear()
        return rest

    def next_frame(self) -> Optional[Frame]:
        """The next whole frame, or None until more bytes are fed."""
        if not self._signed:
            seen = bytes(self._bytes[: len(SIGNATURE)])
            if seen != SIGNATURE[: len(seen)]:
                raise NotHawser(bytes(self._bytes[:32]))
            if len(seen) < len(SIGNATURE):
                return None
            del self._bytes[: len(SIGNATURE)]
            self._signed = True
        while True:
            if len(self._bytes) < 4:
                return None
            length = int.from_bytes(self._bytes[:4], "big")
            if not HEADER_BYTES <= length <= HEADER_BYTES + self.max_payload:
                raise Violation("1", f"a frame of length {length}")
            if len(self._bytes) < 4 + length:
                return None
            kind, id = struct.unpack_from(">BI", self._bytes, 4)
            payload = bytes(self._bytes[4 + HEADER_BYTES : 4 + length])
            del self._bytes[: 4 + length]
            if not kind & IGNORABLE:
                return check_frame(kind, id, payload)


def check_frame(kind_byte: int, id: int, payload: bytes) -> Frame:
    """What can be said of one frame by itself."""
    more = bool(kind_byte & MORE)
    try:
        kind = Kind(kind_byte & ~MORE)
    except ValueError:
        raise Violation("1", f"unknown kind {kind_byte:02X}") from None
    if more and kind not in MAY_BE_CUT:
        raise Violation("1", f"{kind.name} must not be cut into pieces")
    if more and not payload:
        raise Violation("1", f"an empty piece of {kind.name} {id}, and not the last one")
    if (id != 0) != (kind in OF_CONVERSATIONS) and kind != Kind.CREDIT:
        raise Violation("2", f"{kind.name} with id {id}")
    if len(payload) != EXACT_PAYLOAD.get(kind, len(payload)) or (kind == Kind.REJECT and len(payload) < 8) or (kind == Kind.CANCEL and len(payload) > 1_024):
        raise Violation("2", f"{kind.name} with a payload of {len(payload)} bytes")
    return Frame(kind, id, payload, more)


class Joiner:
    """The pieces of messages that come from the other side, joined (§1)."""

    def __init__(self, max_partials: int, max_message_bytes: int) -> None:
        self._max_partials = max_partials
        self._max_payload = max_message_bytes + MAX_HEAD
        self._partials: Dict[int, Tuple[Kind, bytearray]] = {}

    def begins(self, frame: Frame) -> bool:
        """Checks that this frame may come now, and tells whether it begins something (else it goes on)."""
        if frame.id not in self._partials:
            if frame.more and len(self._partials) >= self._max_partials:
                raise Violation("1", f"more than {self._max_partials} messages begun and unfinished")
            return True
        kind = self._partials[frame.id][0]
        if frame.kind == kind:
            return False
        if frame.id == 0 or frame.kind in (Kind.CANCEL, Kind.CREDIT, Kind.STOP):
            return True
        raise Violation("1", f"{frame.kind.name} between the pieces of {kind.name} {frame.id}")

    def add(self, frame: Frame) -> Optional[bytes]:
        """The payload of the message that this frame completes, or None while pieces are missing."""
        kind, payload = self._partials.get(frame.id, (frame.kind, bytearray()))
        if frame.kind != kind:  # something that may come between the pieces
            return frame.payload
        payload += frame.payload
        if kind in MAY_BE_CUT and len(payload) > self._max_payload:
            raise Violation("1", f"{kind.name} of more than {self._max_payload} bytes", "MESSAGE_TOO_LARGE")
        if frame.more:
            self._partials[frame.id] = (kind, payload)
            return None
        self._partials.pop(frame.id, None)
        return bytes(payload)

    def drop(self, id: int) -> None:
        self._partials.pop(id, None)


class Outgoing:
    """A message on its way out. `begun` is set when its first piece is taken."""

    def __init__(self, kind: Kind, id: int, payload: bytes) -> None:
        self.kind = kind
        self.id = id
        self.payload = payload
        self.at = 0
        self.begun = False


class Outbox:
    """What waits to be written: first the frames that may come between pieces, then the pieces of the
    messages, one of each id in turn (§1). Messages of the same id keep their order."""

    def __init__(self, max_partials: int, piece_bytes: int = MAX_PAYLOAD) -> None:
        self._max_partials = max_partials
        self._piece_bytes = piece_bytes
        self._first: Deque[bytes] = deque()
        self._lines: "OrderedDict[int, Deque[Outgoing]]" = OrderedDict()  # in the order of their turns
        self._unfinished = 0

    def put_frame(self, kind: Kind, id: int = 0, payload: bytes = b"") -> None:
        """For kinds that may come between the pieces of a message."""
        self._first.append(encode_frame(kind, id, payload))

    def put_message(self, kind: Kind, id: int, payload: bytes) -> Outgoing:
        message = Outgoing(kind, id, payload)
        self._lines.setdefault(id, deque()).append(message)
        return message

    def holds(self, id: int) -> bool:
        """Whether something of this id is not written yet."""
        return id in self._lines

    def drop(self, id: int) -> List[Outgoing]:
        """Forgets what is not written yet, and returns it: CANCEL takes its place."""
        line = self._lines.pop(id, None)
        if line and line[0].begun:
            self._unfinished -= 1
        return list(line or ())

    def next(self) -> Optional[bytes]:
        """The next frame to write, or None."""
        if self._first:
            return self._first.popleft()
        for id, line in self._lines.items():
            message = line[0]
            fits = len(message.payload) <= self._piece_bytes
            if message.begun or fits or self._unfinished < self._max_partials:
                break
        else:
            return None
        piece = message.payload[message.at : message.at + self._piece_bytes]
        message.at += len(piece)
        more = message.at < len(message.payload)
        self._unfinished += int(more) - int(message.begun)
        message.begun = True
        if not more:
            line.popleft()
        del self._lines[id]
        if line:
            self._lines[id] = line  # at the end: the other ids come first
        return encode_frame(message.kind, id, piece, more)


# --- §2 Heads and bodies -----------------------------------------------------------------------------


class Trace(NamedTuple):
    """W3C Trace Context, version 00, in binary."""

    trace_id: bytes  # 16 bytes
    parent_id: bytes  # 8 bytes
    flags: int

    def encode(self) -> bytes:
        return struct.pack(">16s8sB", *self)

    def traceparent(self) -> str:
        return f"00-{self.trace_id.hex()}-{self.parent_id.hex()}-{self.flags:02x}"

    @staticmethod
    def decode(data: bytes) -> Optional["Trace"]:
        """None for one that is as no trace."""
        trace = Trace(*struct.unpack(">16s8sB", data))
        return trace if any(trace.trace_id) and any(trace.parent_id) else None


class Head(NamedTuple):
    """The beginning of REQUEST, STREAM and EVENT."""

    name: int
    deadline: Optional[int] = None  # milliseconds
    trace: Optional[Trace] = None
    number: Optional[int] = None
    sends_items: bool = False


DEADLINE, TRACE, NUMBER, SENDS_ITEMS = 0x01, 0x02, 0x04, 0x08
FLAGS_OF = {Kind.REQUEST: DEADLINE | TRACE, Kind.STREAM: DEADLINE | TRACE | SENDS_ITEMS, Kind.EVENT: TRACE | NUMBER}


def encode_head(head: Head) -> bytes:
    """name u16 | flags u8 | [deadline u32] | [trace 25 bytes] | [number u64]"""
    flags, fields = 0, b""
    if head.deadline is not None:
        flags |= DEADLINE
        fields += struct.pack(">I", head.deadline)
    if head.trace is not None:
        flags |= TRACE
        fields += head.trace.encode()
    if head.number is not None:
        flags |= NUMBER
        fields += struct.pack(">Q", head.number)
    if head.sends_items:
        flags |= SENDS_ITEMS
    return struct.pack(">HB", head.name, flags) + fields


def decode_head(kind: Kind, payload: bytes) -> Tuple[Head, bytes]:
    """The head and the body behind it."""
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        if at > len(payload):
            raise Violation("2", f"the head of a {kind.name} ends early")
        return payload[at - size : at]

    name = int.from_bytes(take(2), "big")
    flags = take(1)[0]
    if flags & ~FLAGS_OF[kind]:
        raise Violation("2", f"flags {flags:02X} on {kind.name}")
    deadline = int.from_bytes(take(4), "big") if flags & DEADLINE else None
    trace = Trace.decode(take(25)) if flags & TRACE else None
    number = int.from_bytes(take(8), "big") if flags & NUMBER else None
    if deadline == 0:
        raise Violation("2", "a deadline of 0 milliseconds")
    if number == 0:
        raise Violation("8", "an event with number 0")
    return Head(name, deadline, trace, number, bool(flags & SENDS_ITEMS)), payload[at:]


def encode_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def decode_json(data: bytes) -> Any:
    """RFC 8259 in UTF-8 without a byte order mark; ValueError for anything else."""

    def no_constant(text: str) -> Any:
        raise ValueError(f"{text} is not JSON")

    try:
        return json.loads(data.decode("utf-8"), parse_constant=no_constant)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def encode_body(codec: str, value: Any) -> bytes:
    if isinstance(value, Nothing):
        return b""
    if codec == "bytes":
        return bytes(value)
    if codec == "text":
        return str(value).encode("utf-8")
    if codec == "json":
        return encode_json(value)
    raise HawserError(f"this client has no codec {codec!r}")


def decode_body(codec: str, body: bytes) -> Any:
    """ValueError if the body can't be read."""
    if codec == "bytes":
        return body
    if codec == "text":
        return body.decode("utf-8")
    if codec == "json":
        return decode_json(body) if body else NOTHING
    raise ValueError(f"this client has no codec {codec!r}")


# --- §3 Handshake ------------------------------------------------------------------------------------

HAWSER_VERSION = 1
MAX_WHOLE = 2**53 - 1
MAX_U32 = 4_294_967_295
MAX_CREDIT = 2_147_483_647
LIMIT_RANGES = {
    "maxMessageBytes": (1_024, MAX_U32), "maxPartials": (1, MAX_U32), "maxConversations": (1, MAX_U32),
    "windowBytes": (1, MAX_CREDIT), "eventWindowBytes": (0, MAX_CREDIT), "connectionWindowBytes": (0, MAX_CREDIT),
    "maxInputBytes": (1, MAX_U32),
}
OPTIONAL_LIMITS = {"connectionWindowBytes", "maxInputBytes"}


@dataclass(frozen=True)
class Message:
    name: str
    type: str  # "request", "stream" or "event"
    codec: str = "json"
    digest: str = ""
    at_least_once: bool = False  # for events; not part of the handshake


@dataclass(frozen=True)
class Limits:
    """What one side can take; the names are those of the handshake."""

    maxMessageBytes: int = 16_777_216
    maxPartials: int = 16
    maxConversations: int = 1_024
    windowBytes: int = 262_144
    eventWindowBytes: int = 262_144
    connectionWindowBytes: Optional[int] = 4_194_304  # None: absent, as the next
    maxInputBytes: Optional[int] = 16_777_216


@dataclass(frozen=True)
class Contract:
    """What a side brings to the handshake, and what it learns of the other."""

    name: str
    version: int
    accepts: Tuple[int, int]
    messages: Tuple[Message, ...]

    def find(self, name: str) -> Optional[Message]:
        return next((message for message in self.messages if message.name == name), None)

    def index(self, name: str) -> int:
        return next(index for index, message in enumerate(self.messages) if message.name == name)

    def knows(self, message: Message) -> bool:
        """§3: whether this side has a message of the other's."""
        own = self.find(message.name)
        return own is not None and (own.type, own.codec) == (message.type, message.codec)


class Resume(NamedTuple):
    """§8: the session to go on with, and the highest number of the server's events that arrived."""

    session: str
    received: int


@dataclass(frozen=True)
class Welcome:
    contract: Contract
    limits: Limits
    session: str
    resumed: bool
    received: int
    resume_window_ms: int


def fingerprint(messages: Sequence[Message]) -> str:
    """§3: FNV-1a (64 bits) of a list of messages."""
    value = 0xCBF29CE484222325
    for byte in "".join(f"{m.name}\0{m.type}\0{m.codec}\0{m.digest}\n" for m in messages).encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def make_hello(contract: Contract, limits: Limits, auth: Any = NOTHING, resume: Optional[Resume] = None,
               features: Sequence[str] = (), lists: bool = True) -> Dict[str, Any]:
    """A HELLO with the list of messages, or its fingerprint alone; this client knows none of the features itself."""
    hello: Dict[str, Any] = {
        "hawser": [HAWSER_VERSION, HAWSER_VERSION],
        "protocol": contract.name,
        "version": contract.version,
        "accepts": list(contract.accepts),
        "features": list(features),
        **({"messages": make_list(contract)} if lists else {"fingerprint": fingerprint(contract.messages)}),
        "limits": {name: value for name, value in asdict(limits).items() if value is not None},
    }
    if not isinstance(auth, Nothing):
        hello["auth"] = auth
    if resume is not None:
        hello["resume"] = resume._asdict()
    return hello


def make_list(contract: Contract) -> List[List[str]]:
    return [[m.name, m.type, m.codec, m.digest] for m in contract.messages]


def whole(value: Any, lowest: int, highest: int = MAX_WHOLE) -> int:
    """ValueError unless it is a whole number in the range."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1 or not lowest <= value <= highest:
        raise ValueError(f"{value!r} is not a whole number from {lowest} to {highest}")
    return int(value)


def is_hexadecimal(value: Any, digits: int) -> bool:
    return isinstance(value, str) and len(value) == digits and not set(value) - set("0123456789abcdef")


def read_list(said: Any) -> Tuple[Message, ...]:
    """A list of messages. ValueError or TypeError if unreadable."""
    messages = []
    for name, type, codec, digest in said:
        if not isinstance(name, str) or type not in ("request", "stream", "event") or not isinstance(codec, str):
            raise ValueError(f"{[name, type, codec, digest]} is not a message")
        if digest != "" and not is_hexadecimal(digest, 16):
            raise ValueError(f"{digest!r} is not a digest")
        messages.append(Message(name, type, codec, digest))
    if len({message.name for message in messages}) < len(messages):
        raise ValueError("two messages of the same name")
    return tuple(messages)


def read_contract(said: Dict[str, Any], messages: Optional[Tuple[Message, ...]] = None) -> Tuple[Contract, Limits]:
    """The members that HELLO and WELCOME have in common; the list may be told elsewhere. ValueError, KeyError or TypeError if unreadable."""
    version = whole(said["version"], 1)
    lowest, highest = (whole(value, 1) for value in said["accepts"])
    if not lowest <= version <= highest:
        raise ValueError(f"version {version} is not within {said['accepts']}")
    if messages is None:
        messages = read_list(said["messages"])
    if not isinstance(said["protocol"], str):
        raise ValueError("the contract has no name")
    contract = Contract(said["protocol"], version, (lowest, highest), messages)
    absent = {name: None for name in OPTIONAL_LIMITS - said["limits"].keys()}
    known = {name: whole(said["limits"][name], *range) for name, range in LIMIT_RANGES.items() if name not in absent}
    return contract, Limits(**known, **absent)


def compare_contracts(ours: Contract, theirs: Contract) -> None:
    """Raises the code with which the other side has to be refused."""

    def title(contract: Contract) -> str:
        return f"{contract.name} {contract.version} (accepts {contract.accepts[0]} to {contract.accepts[1]})"

    lower, higher = sorted((ours, theirs), key=lambda contract: contract.version)
    if ours.name != theirs.name or not higher.accepts[0] <= lower.version <= higher.accepts[1]:
        raise Violation("3", f"{title(ours)} can't talk with {title(theirs)}", "PROTOCOL_MISMATCH")
    if ours.version != theirs.version:
        return
    differing = []
    for name in OrderedDict.fromkeys(m.name for m in ours.messages + theirs.messages):
        a, b = ours.find(name), theirs.find(name)
        if a is None or b is None or not ours.knows(b) or (a.digest and b.digest and a.digest != b.digest):
            differing.append(name)
    if differing:
        raise Violation("3", f"messages that differ: {', '.join(differing[:5])}", "CONTRACT_DIFFERS")


def read_welcome(payload: bytes, ours: Contract) -> Welcome:
    """WELCOME, checked by the rules by which a server checks HELLO."""
    try:
        said = decode_json(payload)
        if whole(said["hawser"], 0) != HAWSER_VERSION:
            raise Violation("3", f"version {said['hawser']} of the protocol", "VERSION_UNSUPPORTED")
        if "features" not in said:
            raise Violation("3", "a draft of the protocol", "VERSION_UNSUPPORTED")
        contract, limits = read_contract(said, ours.messages if "messages" not in said and said["fingerprint"] == fingerprint(ours.messages) else None)
        session = said["session"]
        if not is_hexadecimal(session, 32) or not is_hexadecimal(said["origin"], 32):
            raise ValueError(f"{session!r} or {said['origin']!r} is not an identity")
        if not isinstance(said["resumed"], bool):
            raise ValueError("`resumed` is not true or false")
        welcome = Welcome(contract, limits, session, said["resumed"], whole(said["received"], 0), whole(said["resumeWindowMs"], 0, MAX_U32))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Violation("3", f"the WELCOME can't be read: {error!r}") from error
    compare_contracts(ours, contract)
    return welcome


# --- §6 Errors on the wire ---------------------------------------------------------------------------

CLOSE_CODES = {
    "NORMAL", "VERSION_UNSUPPORTED", "PROTOCOL_MISMATCH", "CONTRACT_DIFFERS", "HELLO_INVALID", "AUTH_REFUSED", "OVERLOADED", "DRAINING",
    "PROTOCOL_VIOLATION", "FLOW_VIOLATION", "MESSAGE_TOO_LARGE", "HEARTBEAT_LOST", "SESSION_REPLACED", "DRAINED",
}
FAIL_CODES = {
    "NAMED", "UNKNOWN_MESSAGE", "INPUT_INVALID", "ITEM_INVALID", "HANDLER_FAILED", "CANCELLED", "DEADLINE_EXCEEDED", "OVERLOADED", "DRAINING",
}


def read_error(payload: bytes) -> Dict[str, Any]:
    """The object `{code, message, ...}`; ValueError where there is none."""
    error = decode_json(payload)
    if not isinstance(error, dict) or not isinstance(error.get("code"), str) or not isinstance(error.get("message"), str):
        raise ValueError("code and message are not text")
    return error


def read_closing(payload: bytes) -> Tuple[str, str]:
    """Code and message of CLOSE or REFUSE; what can't be read, or is not known, is PROTOCOL_VIOLATION."""
    try:
        error = read_error(payload)
    except ValueError:
        return "PROTOCOL_VIOLATION", ""
    return (error["code"] if error["code"] in CLOSE_CODES else "PROTOCOL_VIOLATION"), error["message"]


def read_failure(payload: bytes, kind: Kind = Kind.FAIL) -> Failed:
    """What FAIL or REJECT says; it must be readable."""
    try:
        error = read_error(payload)
        if error["code"] == "NAMED" and not isinstance(error.get("name"), str):
            raise ValueError("the code NAMED without a name")
    except ValueError as cause:
        raise Violation("6", f"the payload of {kind.name} can't be read: {cause!r}") from cause
    code = error["code"] if error["code"] in FAIL_CODES else "HANDLER_FAILED"
    return Failed(code, error["message"], name=error.get("name"), payload=error.get("payload", NOTHING), path=error.get("path"))


def make_failure(failure: Failed) -> bytes:
    error: Dict[str, Any] = {"code": failure.code, "message": failure.message}
    if failure.code == "NAMED":
        error["name"] = failure.name
        if not isinstance(failure.payload, Nothing):
            error["payload"] = failure.payload
    if failure.code in ("INPUT_INVALID", "ITEM_INVALID"):
        error["path"] = failure.path or []
    return encode_json(error)


# --- §4 Conversations and §5 Credit ------------------------------------------------------------------

COST_ABOVE_BODY = 16


class Credit:
    """The credit for one direction, on the side that sends (§5)."""

    def __init__(self, window: Optional[int]) -> None:
        self.left: float = float("inf") if window is None else window

    def spend(self, body: bytes) -> None:
        self.left -= len(body) + COST_ABOVE_BODY

    def add(self, payload: bytes) -> None:
        given = int.from_bytes(payload, "big")
        if given == 0:
            raise Violation("5", "credit of 0 bytes")
        self.left += given
        if MAX_CREDIT < self.left < float("inf"):
            raise Violation("5", f"credit of {self.left} bytes", "FLOW_VIOLATION")


class SessionWindow:
    """The credit for events, or for the items of all streams, on the side that receives: of a session, over its connections (§5)."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._held = 0
        self.left = 0  # what the other side has

    def announce(self) -> int:
        self.left = max(0, self._window - self._held)
        return self.left

    def check(self, kind: Kind) -> None:
        """Something begins: there must be credit."""
        if self.left <= 0:
            raise Violation("5", f"{kind.name} without credit", "FLOW_VIOLATION")

    def arrive(self, body: bytes) -> int:
        cost = len(body) + COST_ABOVE_BODY
        self.left -= cost
        self._held += cost
        return cost

    def release(self, cost: int) -> None:
        self._held -= cost

    def due(self) -> int:
        """How many bytes should be given back now, or 0 to wait for more. The caller sends them."""
        give = self._window - self._held - self.left
        if give * 2 < self._window or give <= 0:
            return 0
        self.left += give
        return give


class Window:
    """The credit of one stream, on the side that receives (§5)."""

    def __init__(self, window: int) -> None:
        self._give_at = max(1, window // 2)
        self._taken = 0
        self.left = window

    def check(self, kind: Kind) -> None:
        """Something begins: there must be credit."""
        if self.left <= 0:
            raise Violation("5", f"{kind.name} without credit", "FLOW_VIOLATION")

    def arrive(self, body: bytes) -> int:
        cost = len(body) + COST_ABOVE_BODY
        self.left -= cost
        return cost

    def take(self, cost: int) -> int:
        """The program took something: how many bytes CREDIT should give back now, or 0 to wait for more."""
        self._taken += cost
        if self._taken < self._give_at:
            return 0
        give, self._taken = self._taken, 0
        self.left += give
        return give


class Outcome(NamedTuple):
    """RESULT with its value, or END."""

    value: Any = None


class Conversation:
    """A request or a stream. The opener of a stream gets one from `Session.stream`; handlers get one with
    their input."""

    def __init__(self, link: "Link", id: int, mine: bool, is_stream: bool) -> None:
        self.id = id
        self.mine = mine  # this side opened it
        self.is_stream = is_stream
        self.name = ""
        self.trace: Optional[Trace] = None
        self.deadline_ms: Optional[int] = None
        self.my_part_over = False
        self.their_part_over = False
        self.message: Optional[Outgoing] = None  # the REQUEST or STREAM, while this side sends it
        self.task: Optional["asyncio.Task[None]"] = None  # of the handler
        self.cancelled = False
        self.refused = False  # the other side takes no more items
        self.credit = Credit(link.welcome.limits.windowBytes)
        self.window = Window(link.limits.windowBytes)
        self.held = 0  # cost of the items that came and are not taken
        self._link = link
        self._codec = "json"
        self._inbox: Deque[Tuple[Any, int]] = deque()
        self._outcome: Union[None, Outcome, HawserError] = None
        self._changed = asyncio.Event()

    def named(self, message: Message) -> None:
        self.name, self._codec = message.name, message.codec

    @property
    def over(self) -> bool:
        return self.my_part_over and self.their_part_over

    # What the program calls.

    async def send(self, item: Any) -> None:
        """Sends an item as soon as there is credit (§5)."""
        body = self._link.body(self._codec, item)
        while not self.my_part_over and not self.refused:
            await self._until(lambda: self.credit.left > 0 or self.my_part_over or self.refused)
            if self.my_part_over or self.refused or self._link.items_credit.left > 0:
                break
            await self._link.items_credit_comes()
        if self.my_part_over:
            raise self._outcome if isinstance(self._outcome, HawserError) else HawserError("the stream is over")
        if self.refused:
            raise HawserError("the other side takes no more items")
        self.credit.spend(body)
        self._link.items_credit.spend(body)
        self._link.send(Kind.ITEM, self.id, body)

    async def end(self) -> None:
        if not self.my_part_over:
            self._link.last(self, Kind.END)

    async def cancel(self) -> None:
        """The opener gives up. What still comes is dropped (§4)."""
        self._link.cancel(self)

    def __aiter__(self) -> "Conversation":
        return self

    async def __anext__(self) -> Any:
        """The next item; the iteration ends with END, and raises what FAIL or the end of the session says."""
        await self._until(lambda: bool(self._inbox) or self._outcome is not None)
        if self._inbox:
            item, cost = self._inbox.popleft()
            self.release(cost)
            self._link.give_back(self, cost)
            return item
        if isinstance(self._outcome, HawserError):
            raise self._outcome
        raise StopAsyncIteration

    async def result(self) -> Any:
        """The value of RESULT."""
        await self._until(lambda: self._outcome is not None)
        if isinstance(self._outcome, Outcome):
            return self._outcome.value
        raise self._outcome or HawserError("no outcome")

    async def _until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            self._changed.clear()
            await self._changed.wait()

    # What the link calls.

    def wake(self) -> None:
        self._changed.set()

    def release(self, cost: int) -> None:
        """§5: credit of all streams, which is due whatever becomes of this one."""
        self.held -= cost
        self._link.release_items(cost)

    def release_all(self) -> None:
        """The program takes nothing more."""
        self._inbox.clear()
        if self.held:
            self.release(self.held)

    def arrived(self, body: bytes) -> None:
        cost = self.window.arrive(body)
        self.held += self._link.session.items_window.arrive(body)
        if self.cancelled or not self.mine and self.my_part_over:
            self.release(cost)
            return  # it was under way when this side cancelled, or answered (§4): dropped
        try:
            self._inbox.append((decode_body(self._codec, body), cost))
        except ValueError as error:
            self.release(cost)
            failure = Failed("ITEM_INVALID", str(error), path=[])
            if self.mine:
                self._link.cancel(self, failure)
            else:
                self.stop(failure)
        self._changed.set()

    def answered(self, body: bytes) -> None:
        try:
            self.finish(Outcome(decode_body(self._codec, body)))
        except ValueError as error:
            self.finish(Failed("OUTPUT_INVALID", str(error), path=[]))

    def finish(self, outcome: Union[Outcome, HawserError]) -> None:
        if self._outcome is None:
            self._outcome = outcome
        self._changed.set()

    def wake(self) -> None:
        self._changed.set()

    def stop(self, failure: Failed) -> None:
        """Answers in place of the handler, and ends it: it was cancelled, or its deadline passed (§4)."""
        self._link.fail(self, failure)
        if self.task is not None:
            self.task.cancel()


RequestHandler = Callable[[Any, Conversation], Awaitable[Any]]


# --- The connection: one stream of bytes under a session ---------------------------------------------


class Link:
    """Everything that ends with the connection: the stream, the frames, the conversations, the heartbeat."""

    def __init__(self, session: "Session", reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decoder: Decoder,
                 welcome: Welcome) -> None:
        self.session = session
        self.limits = session.limits
        self.welcome = welcome
        self.over: Optional[HawserError] = None
        self.ended = asyncio.Event()
        self.drain_sent = False
        self.drain_received = False
        self.event_credit = Credit(welcome.limits.eventWindowBytes)
        self.items_credit = Credit(welcome.limits.connectionWindowBytes)
        self._items_credit_came = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._decoder = decoder
        self._joiner = Joiner(session.limits.maxPartials, session.limits.maxMessageBytes)
        self._outbox = Outbox(welcome.limits.maxPartials)
        self._mine: Dict[int, Conversation] = {}
        self._theirs: Dict[int, Conversation] = {}
        self._freed = asyncio.Event()
        self._wake = asyncio.Event()
        self._heard = time.monotonic()
        self._ping: Optional[Tuple[bytes, float, "asyncio.Future[float]"]] = None
        self._receivers: Dict[Kind, Callable[[Frame, bytes], None]] = {
            Kind.PING: self._on_ping, Kind.PONG: self._on_pong, Kind.DRAIN: self._on_drain, Kind.CLOSE: self._on_close,
            Kind.ACK: self._on_ack, Kind.REJECT: self._on_reject, Kind.CREDIT: self._on_credit,
            Kind.WINDOW: self._on_window,
            Kind.REQUEST: self._on_opening, Kind.STREAM: self._on_opening, Kind.EVENT: self._on_event,
            Kind.RESULT: self._on_result, Kind.FAIL: self._on_fail, Kind.CANCEL: self._on_cancel,
            Kind.ITEM: self._on_item, Kind.END: self._on_end, Kind.STOP: self._on_stop,
        }
        self._tasks = [asyncio.ensure_future(loop) for loop in (self._read(), self._write(), self._beat())]

    # Reading and writing (§1).

    async def _read(self) -> None:
        try:
            while self.over is None:
                frame = self._decoder.next_frame()
                while frame is not None and self.over is None:
                    self._receive(frame)
                    frame = self._decoder.next_frame()
                if self.over is not None:
                    break
                data = await self._reader.read(65_536)
                if not data:
                    self.end(ConnectionLost("the stream ended without CLOSE"))
                self._heard = time.monotonic()
                self._decoder.feed(data)
        except Violation as violation:
            self.end(violation, violation.code, str(violation))
        except OSError as error:
            self.end(ConnectionLost(f"the stream failed: {error!r}"))
        except Exception as error:  # a fault of this client: say so, and wait for nothing
            log.exception("the client failed")
            self.end(HawserError(f"the client failed: {error!r}"), "PROTOCOL_VIOLATION", "the client failed")

    async def _write(self) -> None:
        try:
            while self.over is None:
                data = self._outbox.next()
                if data is None:
                    self._wake.clear()
                    await self._wake.wait()
                else:
                    self._writer.write(data)
                    await self._writer.drain()
        except OSError as error:
            self.end(ConnectionLost(f"the stream failed: {error!r}"))

    def _receive(self, frame: Frame) -> None:
        begins = self._joiner.begins(frame)
        if begins:
            self._begin(frame)
        payload = self._joiner.add(frame)
        if payload is not None:
            self._receivers[frame.kind](frame, payload)

    def frame(self, kind: Kind, id: int = 0, payload: bytes = b"") -> None:
        self._outbox.put_frame(kind, id, payload)
        self._wake.set()

    def send(self, kind: Kind, id: int, payload: bytes = b"") -> Outgoing:
        self._wake.set()
        return self._outbox.put_message(kind, id, payload)

    def body(self, codec: str, value: Any) -> bytes:
        """A body of a size that the other side takes (§3)."""
        body = encode_body(codec, value)
        if len(body) > self.welcome.limits.maxMessageBytes:
            raise HawserError(f"the other side takes {self.welcome.limits.maxMessageBytes} bytes, and not {len(body)}")
        return body

    def _begin(self, frame: Frame) -> None:
        """What must hold when the first piece of something comes."""
        kind, id = frame.kind, frame.id
        if kind not in self._receivers:
            raise Violation("3", f"{kind.name} after the handshake")
        if kind in (Kind.REQUEST, Kind.STREAM):
            if id % 2:
                raise Violation("4", f"the server opened a conversation with the odd id {id}")
            if id in self._theirs:
                raise Violation("4", f"id {id} is in use")
            if len(self._theirs) >= self.limits.maxConversations:
                raise Violation("4", f"more than {self.limits.maxConversations} conversations")
            self._theirs[id] = Conversation(self, id, False, kind == Kind.STREAM)
        elif kind == Kind.EVENT:
            self.session.event_window.check(kind)
        elif kind in (Kind.RESULT, Kind.FAIL, Kind.ITEM, Kind.END):
            conversation = self._find(id)
            if conversation is None or conversation.message is not None and not conversation.message.begun:
                raise Violation("4", f"{kind.name} for {id}, which is not open")
            if conversation.their_part_over:
                raise Violation("4", f"{kind.name} for {id} behind the last frame")
            if kind in (Kind.RESULT, Kind.FAIL) and not conversation.mine:
                raise Violation("2", f"{kind.name} from the opener")
            if conversation.is_stream and kind == Kind.RESULT or not conversation.is_stream and kind in (Kind.ITEM, Kind.END):
                raise Violation("2", f"{kind.name} for a {'stream' if conversation.is_stream else 'request'}")
            if kind == Kind.ITEM:
                conversation.window.check(kind)
                self.session.items_window.check(kind)

    # Conversations (§4).

    def _find(self, id: int) -> Optional[Conversation]:
        return (self._mine if id % 2 else self._theirs).get(id)

    async def open(self, kind: Kind, name: str, value: Any, deadline_ms: Optional[int], trace: Optional[Trace],
                   sends_items: bool) -> Conversation:
        message = self.session.contract.find(name)
        if message is None or message.type != kind.name.lower():
            raise HawserError(f"the contract has no {kind.name.lower()} {name!r}")
        if not self.welcome.contract.knows(message):
            raise Failed("UNKNOWN_MESSAGE", f"the other side has no {kind.name.lower()} {name!r}, or with another codec")
        head = Head(self.session.contract.index(name), deadline_ms, trace, None, sends_items)
        payload = encode_head(head) + self.body(message.codec, value)
        while True:
            if self.over is not None or self.drain_received or self.drain_sent:
                raise self.over or Failed("DRAINING", "there are no new conversations on this connection")
            if len(self._mine) < self.welcome.limits.maxConversations:
                break
            self._freed.clear()
            await self._freed.wait()
        id = next(id for id in itertools.count(1, 2) if id not in self._mine)
        conversation = Conversation(self, id, True, kind == Kind.STREAM)
        conversation.named(message)
        conversation.my_part_over = not sends_items
        conversation.message = self.send(kind, id, payload)
        self._mine[id] = conversation
        return conversation

    def last(self, conversation: Conversation, kind: Kind, payload: bytes = b"") -> None:
        """Sends this side's last frame of a conversation."""
        if kind == Kind.CANCEL:
            self.frame(kind, conversation.id)
        else:
            self.send(kind, conversation.id, payload)
        conversation.my_part_over = True
        if not conversation.mine:
            conversation.release_all()
        self._free_if_over(conversation)

    def fail(self, conversation: Conversation, failure: Failed) -> None:
        if not conversation.my_part_over and self.over is None:
            payload = make_failure(failure)
            if len(payload) > self.welcome.limits.maxMessageBytes:  # §4: it can't be sent
                payload = make_failure(Failed("HANDLER_FAILED", "the error is too large"))
            self.last(conversation, Kind.FAIL, payload)

    def cancel(self, conversation: Conversation, outcome: Optional[HawserError] = None) -> None:
        if not conversation.mine or conversation.over or conversation.cancelled:
            return
        conversation.cancelled = True
        conversation.finish(outcome or Failed("CANCELLED", "cancelled here"))
        conversation.release_all()
        self._drop(conversation.id)
        if conversation.message is not None and not conversation.message.begun:
            conversation.my_part_over = conversation.their_part_over = True  # nothing of it was sent
            self._free_if_over(conversation)
        else:
            self.last(conversation, Kind.CANCEL)

    def _drop(self, id: int) -> None:
        """Takes out what is not written; ITEMs that are cut off, or never begin, cost nothing of the credit of all streams (§5)."""
        for message in self._outbox.drop(id):
            if message.kind == Kind.ITEM:
                self.items_credit.left += len(message.payload) + COST_ABOVE_BODY
        self._items_credit_came.set()

    async def items_credit_comes(self) -> None:
        self._items_credit_came.clear()
        await self._items_credit_came.wait()

    def release_items(self, cost: int) -> None:
        self.session.items_window.release(cost)
        self.session.give_back_items()

    def _free_if_over(self, conversation: Conversation) -> None:
        if not conversation.over:
            return
        if conversation.mine:
            self._mine.pop(conversation.id, None)
            self._freed.set()
        else:
            self._theirs.pop(conversation.id, None)
        self.close_if_drained()

    def give_back(self, conversation: Conversation, cost: int) -> None:
        """§5: the program took an item. Nothing is given back where nothing can come or be sent any more."""
        give = conversation.window.take(cost)
        may_send = conversation.mine or not conversation.my_part_over
        if give and may_send and not conversation.their_part_over and self.over is None:
            self.frame(Kind.CREDIT, conversation.id, struct.pack(">I", give))

    def _on_opening(self, frame: Frame, payload: bytes) -> None:
        conversation = self._theirs[frame.id]
        head, body = decode_head(frame.kind, payload)
        conversation.their_part_over = not head.sends_items
        conversation.trace, conversation.deadline_ms = head.trace, head.deadline
        message = self.theirs(head)
        handler = self.session.handlers.get(message.name)
        if handler is None or message.type != frame.kind.name.lower() or not self.session.contract.knows(message):
            return self.fail(conversation, Failed("UNKNOWN_MESSAGE", f"no {frame.kind.name.lower()} {message.name!r} here"))
        conversation.named(message)
        try:
            value = decode_body(message.codec, body)
        except ValueError as error:
            return self.fail(conversation, Failed("INPUT_INVALID", str(error), path=[]))
        conversation.task = asyncio.ensure_future(self._serve(conversation, handler, value, message.codec))

    def theirs(self, head: Head) -> Message:
        """§2: the message of a head, in the other side's list."""
        messages = self.welcome.contract.messages
        if head.name >= len(messages):
            raise Violation("2", f"the index {head.name}, where the list has {len(messages)} messages")
        return messages[head.name]

    async def _serve(self, conversation: Conversation, handler: RequestHandler, value: Any, codec: str) -> None:
        timer = None
        if conversation.deadline_ms is not None:
            loop = asyncio.get_running_loop()
            late = Failed("DEADLINE_EXCEEDED", "the deadline passed")
            timer = loop.call_later(conversation.deadline_ms / 1000, conversation.stop, late)
        try:
            result = await handler(value, conversation)
            if conversation.is_stream:
                await conversation.end()
            elif not conversation.my_part_over and self.over is None:
                self.last(conversation, Kind.RESULT, self.body(codec, result))
        except Failed as failure:
            self.fail(conversation, failure)
        except Exception:  # §6: the cause stays here
            log.exception("the handler of %s failed", conversation.name)
            self.fail(conversation, Failed("HANDLER_FAILED", "the handler failed"))
        finally:
            if timer is not None:
                timer.cancel()

    def _on_result(self, frame: Frame, payload: bytes) -> None:
        conversation = self._mine[frame.id]
        conversation.answered(payload)
        self._their_last(conversation)

    def _on_fail(self, frame: Frame, payload: bytes) -> None:
        conversation = self._mine[frame.id]
        conversation.finish(read_failure(payload))
        self._their_last(conversation)

    def _on_end(self, frame: Frame, payload: bytes) -> None:
        conversation = self._find(frame.id)
        assert conversation is not None
        conversation.finish(Outcome())
        self._their_last(conversation)

    def _their_last(self, conversation: Conversation) -> None:
        conversation.their_part_over = True
        if conversation.mine and (not conversation.my_part_over or self._outbox.holds(conversation.id)):
            self._drop(conversation.id)
            self.last(conversation, Kind.CANCEL)  # §4: the responder's part is over: the opener's must end soon
        self._free_if_over(conversation)

    def _on_item(self, frame: Frame, payload: bytes) -> None:
        conversation = self._find(frame.id)
        assert conversation is not None
        conversation.arrived(payload)

    def _on_cancel(self, frame: Frame, payload: bytes) -> None:
        if frame.id % 2:
            raise Violation("2", f"CANCEL for {frame.id} from the responder")
        if payload:
            read_failure(payload, Kind.CANCEL)
        conversation = self._theirs.get(frame.id)
        if conversation is None:
            return  # §4: it crossed the end
        self._joiner.drop(frame.id)
        conversation.their_part_over = True
        conversation.stop(Failed("CANCELLED", "cancelled by the opener"))
        self._free_if_over(conversation)

    def _on_stop(self, frame: Frame, payload: bytes) -> None:
        conversation = self._find(frame.id)
        if conversation is None or conversation.my_part_over or conversation.refused:
            return  # §4: it crossed the end
        conversation.refused = True
        conversation.wake()
        if conversation.mine:
            self.last(conversation, Kind.END)

    def _on_credit(self, frame: Frame, payload: bytes) -> None:
        if frame.id == 0:
            self.event_credit.add(payload)
            return self.session.send_events()
        conversation = self._find(frame.id)
        if conversation is None:
            return  # §4: it crossed the end
        if not conversation.is_stream:
            raise Violation("2", f"CREDIT for {frame.id}, which is a request")
        conversation.credit.add(payload)
        conversation.wake()

    def _on_window(self, frame: Frame, payload: bytes) -> None:
        self.items_credit.add(payload)
        self._items_credit_came.set()

    # Events (§8): the session keeps them, this connection carries them.

    def _on_event(self, frame: Frame, payload: bytes) -> None:
        head, body = decode_head(frame.kind, payload)
        self.session.event_arrived(self, head, body, self.session.event_window.arrive(body))

    def _on_ack(self, frame: Frame, payload: bytes) -> None:
        self.session.acknowledged(int.from_bytes(payload, "big"))

    def _on_reject(self, frame: Frame, payload: bytes) -> None:
        error = read_failure(payload[8:], frame.kind)
        self.session.rejected(int.from_bytes(payload[:8], "big"), Rejected(error.code, error.message))

    # Life and end (§7).

    async def _beat(self) -> None:
        interval, timeout = self.session.heartbeat
        while True:
            quiet = time.monotonic() - self._heard
            if quiet < interval:
                await asyncio.sleep(interval - quiet)
                continue
            asked = time.monotonic()
            self.ping()
            await asyncio.sleep(timeout)
            if self._heard < asked:
                error = ConnectionLost("nothing came within the heartbeat timeout")
                self.end(error, "HEARTBEAT_LOST", str(error))

    def ping(self) -> "asyncio.Future[float]":
        """The round trip in seconds. At most one PING is unanswered: a second call shares the first's answer."""
        if self._ping is None:
            data = os.urandom(8)
            self.session.rejects_asked()
            self._ping = (data, time.monotonic(), asyncio.get_running_loop().create_future())
            self.frame(Kind.PING, 0, data)
        return self._ping[2]

    def _on_ping(self, frame: Frame, payload: bytes) -> None:
        self.frame(Kind.PONG, 0, payload)

    def _on_pong(self, frame: Frame, payload: bytes) -> None:
        if self._ping is None or self._ping[0] != payload:
            raise Violation("2", "a PONG without its PING")
        _, asked, answer = self._ping
        self._ping = None
        self.session.rejects_proved()
        answer.set_result(time.monotonic() - asked)

    def drain(self) -> None:
        if not self.drain_sent:
            self.drain_sent = True
            self.frame(Kind.DRAIN)

    def _on_drain(self, frame: Frame, payload: bytes) -> None:
        self.drain_received = True
        self.close_if_drained()

    def close_if_drained(self) -> None:
        """The side that received DRAIN closes when nothing is open any more, and its events and those that came are settled."""
        if self.drain_received and not self._mine and not self._theirs and self.session.settled:
            self.close("DRAINED", "nothing is open any more")

    def _on_close(self, frame: Frame, payload: bytes) -> None:
        self.end(Closed(*read_closing(payload), True))

    def close(self, code: str, message: str) -> None:
        """CLOSE behind everything that waits to be written."""
        if self.over is None:
            for data in iter(self._outbox.next, None):
                self._writer.write(data)
            self.end(Closed(code, message, False), code, message)

    def end(self, error: HawserError, code: Optional[str] = None, message: str = "") -> None:
        """The connection is over; with a code, CLOSE is sent."""
        if self.over is not None:
            return
        self.over = error
        if code is not None:
            self._writer.write(encode_frame(Kind.CLOSE, 0, encode_json({"code": code, "message": message[:1_000]})))
        for conversation in [*self._mine.values(), *self._theirs.values()]:
            if conversation.task is not None:
                conversation.task.cancel()
            unsent = conversation.message is not None and not conversation.message.begun
            conversation.finish(ConnectionLost("nothing of it was sent", False) if unsent else error)
            if not conversation.mine:
                conversation.release_all()
            conversation.my_part_over = conversation.their_part_over = True
        self._freed.set()
        self._items_credit_came.set()
        if self._ping is not None:
            self._ping[2].cancel()
        self.session.link_ended(self, error)
        asyncio.ensure_future(self._shut(code is not None))

    async def _shut(self, closing: bool) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await shut(self._reader, self._writer, closing)
        self.ended.set()

    def lose(self) -> None:
        """Drops the connection without CLOSE, as a broken network does."""
        self._writer.transport.abort()
        self.end(ConnectionLost("the connection was dropped here"))


async def shut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, after_close: bool) -> None:
    """Closes the stream. Behind a CLOSE the other side's bytes are read until it closes, for a while: a stream
    that is closed with unread bytes in it may lose the CLOSE too."""
    try:
        if after_close:
            if writer.can_write_eof():
                writer.write_eof()

            async def discard() -> None:
                while await reader.read(65_536):
                    pass

            await asyncio.wait_for(discard(), 1)
    except (OSError, asyncio.TimeoutError):
        pass
    writer.close()
    try:
        await asyncio.wait_for(writer.wait_closed(), 1)
    except (OSError, asyncio.TimeoutError):
        pass


# --- The session -------------------------------------------------------------------------------------

Address = Union[str, Tuple[str, int]]  # the path of a Unix socket, or host and port


async def open_stream(address: Address) -> Tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(address, str):
        return await asyncio.open_unix_connection(address)
    return await asyncio.open_connection(*address)


@dataclass
class OutgoingEvent:
    name: str
    body: bytes
    trace: Optional[Trace]
    number: Optional[int]  # None: at most once
    settled: Optional["asyncio.Future[None]"]


@dataclass
class IncomingEvent:
    """An event on its way to its handler, which gets it as its second argument."""

    name: str
    value: Any
    trace: Optional[Trace]
    number: Optional[int]
    handler: Callable[[Any, "IncomingEvent"], Awaitable[Any]] = field(repr=False)
    link: Link = field(repr=False)
    session_id: str = ""
    cost: int = 0


class Session:
    """A session, over one connection after another (§8). `connect` makes one."""

    def __init__(self, address: Address, contract: Contract, *, handlers: Optional[Dict[str, Callable[[Any, Any], Awaitable[Any]]]] = None,
                 limits: Limits = Limits(), auth: Any = NOTHING, heartbeat: Tuple[float, float] = (15.0, 15.0),
                 handshake_timeout: float = 10.0) -> None:
        self.address = address
        self.contract = contract
        self.handlers = dict(handlers or {})
        self.limits = limits
        self.auth = auth
        self.heartbeat = heartbeat  # interval and timeout, in seconds
        self.handshake_timeout = handshake_timeout
        self.id = ""
        self.over: Optional[HawserError] = None  # set once the session can't go on
        self.welcome: Optional[Welcome] = None
        self.link: Optional[Link] = None  # None while there is no connection
        # Events that go out.
        self._last_number = 0
        self._highest_sent = 0
        self._settled_to = 0  # highest number that ACK or REJECT named
        self._retained: "OrderedDict[int, OutgoingEvent]" = OrderedDict()
        self._unsent: Deque[OutgoingEvent] = deque()
        # Events that come in.
        self._received = 0
        self._handled = 0
        self._rejects: Deque[Tuple[int, bytes]] = deque()  # those that the other side is not known to have
        self._rejects_asked = 0  # the highest that was sent before the last PING
        self._unhandled = 0
        self._inbox: "asyncio.Queue[IncomingEvent]" = asyncio.Queue()
        self._worker: Optional["asyncio.Task[None]"] = None
        self.event_window = SessionWindow(limits.eventWindowBytes)
        self.items_window = SessionWindow(MAX_CREDIT if limits.connectionWindowBytes is None else limits.connectionWindowBytes)

    # Connections.

    async def connect(self) -> bool:
        """Connects, or after a lost connection connects again: whether the session goes on (`resumed`)."""
        if self.over is not None:
            raise self.over
        if self.link is not None:
            raise HawserError("there is a connection already")
        resume = Resume(self.id, self._received) if self.id else None
        reader, writer = await open_stream(self.address)
        try:
            decoder, welcome = await asyncio.wait_for(self._handshake(reader, writer, resume), self.handshake_timeout)
        except asyncio.TimeoutError:
            await shut(reader, writer, False)
            raise ConnectionLost("no WELCOME came in time", False) from None
        except BaseException as error:
            if isinstance(error, Violation):
                close = {"code": error.code, "message": str(error)[:1_000]}
                writer.write(encode_frame(Kind.CLOSE, 0, encode_json(close)))
            await shut(reader, writer, isinstance(error, Violation))
            raise
        self.welcome = welcome
        if self._worker is None:
            self._worker = asyncio.ensure_future(self._handle_events())
        if not welcome.resumed:
            self._begin_anew()
        self.id = welcome.session
        self.link = Link(self, reader, writer, decoder, welcome)
        self._unsent = deque(event for number, event in self._retained.items() if number > welcome.received)
        for _, reject in self._rejects:
            self.link.frame(Kind.REJECT, 0, reject)
        if self._handled:  # the ACK of before may have been lost
            self.link.frame(Kind.ACK, 0, struct.pack(">Q", self._handled))
        self.give_back_events()
        self.give_back_items()
        self.send_events()
        if self._rejects:
            self.link.ping()
        return welcome.resumed

    async def _handshake(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                         resume: Optional[Resume]) -> Tuple[Decoder, Welcome]:
        """§3: signature and HELLO, and nothing more before WELCOME."""
        counts = self.limits.connectionWindowBytes is not None
        items = self.items_window.announce()
        limits = replace(self.limits, eventWindowBytes=self.event_window.announce(), connectionWindowBytes=items if counts else None)
        hello = encode_json(make_hello(self.contract, limits, self.auth, resume))
        if len(hello) > MAX_PAYLOAD_BEFORE_READY:
            raise HawserError(f"a HELLO of {len(hello)} bytes is too large")
        writer.write(SIGNATURE + encode_frame(Kind.HELLO, 0, hello))
        decoder = Decoder()
        frame = decoder.next_frame()
        while frame is None:
            data = await reader.read(65_536)
            if not data:
                raise ConnectionLost("the stream ended before WELCOME")
            decoder.feed(data)
            frame = decoder.next_frame()
        if frame.kind in (Kind.REFUSE, Kind.CLOSE):
            raise Refused(*read_closing(frame.payload))
        if frame.kind != Kind.WELCOME:
            raise Violation("3", f"{frame.kind.name} before WELCOME")
        welcome = read_welcome(frame.payload, self.contract)
        if welcome.resumed:
            if resume is None:
                raise Violation("3", "`resumed` for a session that this side did not name")
            if not self._settled_to <= welcome.received <= self._highest_sent:
                raise Violation("8", f"`received` is {welcome.received}, sent {self._highest_sent}, settled {self._settled_to}")
        elif welcome.received != 0:
            raise Violation("3", f"`received` is {welcome.received} in a new session")
        decoder.max_payload = MAX_PAYLOAD  # §1: the session is ready
        return decoder, welcome

    def _begin_anew(self) -> None:
        """§8: a new session. What was unacknowledged gets new numbers."""
        events = list(self._retained.values())
        self._retained.clear()
        self._last_number = self._highest_sent = self._settled_to = 0
        self._received = self._handled = 0
        self._rejects.clear()
        for event in events:
            self._retain(event)

    def link_ended(self, link: Link, error: HawserError) -> None:
        if self.link is link:
            self.link = None
        self._unsent.clear()  # those at most once are lost; the others are retained
        if not isinstance(error, ConnectionLost) and not (isinstance(error, Closed) and error.code == "HEARTBEAT_LOST"):
            self._finish(error)

    def _finish(self, error: HawserError) -> None:
        """The session is over: what is unacknowledged is of unknown outcome."""
        self.over = error
        if self._worker is not None:
            self._worker.cancel()
        for event in self._retained.values():
            if event.settled is not None and not event.settled.done():
                event.settled.set_exception(error)
                event.settled.exception()  # seen: nobody needs to ask
        self._retained.clear()

    def lose(self) -> None:
        """Drops the connection without CLOSE; `connect` resumes."""
        if self.link is not None:
            self.link.lose()

    async def close(self, code: str = "NORMAL", message: str = "") -> None:
        """CLOSE; returns when the stream is closed."""
        link = self.link
        if link is None:
            if self.over is None:
                self._finish(Closed(code, message, False))
            return
        link.close(code, message)
        await link.ended.wait()

    async def drain(self) -> None:
        """§7: asks the other side to open no more conversations."""
        self._connected().drain()

    async def ping(self) -> float:
        return await self._connected().ping()

    def _connected(self) -> Link:
        if self.link is None:
            raise self.over or ConnectionLost("there is no connection", False)
        return self.link

    # Conversations.

    async def request(self, name: str, value: Any = NOTHING, *, deadline_ms: Optional[int] = None, trace: Optional[Trace] = None) -> Any:
        """Sends REQUEST and returns the value of RESULT; raises `Failed` for FAIL. Giving up sends CANCEL."""
        conversation = await self._connected().open(Kind.REQUEST, name, value, deadline_ms, trace, False)
        try:
            return await asyncio.wait_for(conversation.result(), None if deadline_ms is None else deadline_ms / 1000)
        except asyncio.TimeoutError:
            await conversation.cancel()
            raise Failed("DEADLINE_EXCEEDED", "the deadline passed here") from None
        except asyncio.CancelledError:
            await conversation.cancel()
            raise

    async def stream(self, name: str, value: Any = NOTHING, *, sends_items: bool = False, deadline_ms: Optional[int] = None,
                     trace: Optional[Trace] = None) -> Conversation:
        """Sends STREAM. The caller iterates over the items, and sends some if `sends_items`."""
        return await self._connected().open(Kind.STREAM, name, value, deadline_ms, trace, sends_items)

    # Events that go out (§8).

    def emit(self, name: str, value: Any = NOTHING, *, trace: Optional[Trace] = None) -> "asyncio.Future[None]":
        """Sends an event as soon as there is credit. The future of one that is sent at least once is done with
        its ACK, or raises `Rejected`; that of one that is sent at most once is done at once."""
        message = self.contract.find(name)
        if message is None or message.type != "event":
            raise HawserError(f"the contract has no event {name!r}")
        if self.over is not None:
            raise self.over
        if self.welcome and not self.welcome.contract.knows(message):
            raise HawserError(f"the other side has no event {name!r}, or with another codec")
        limits = self.welcome.limits if self.welcome else Limits()
        body = encode_body(message.codec, value)
        if len(body) > limits.maxMessageBytes:
            raise HawserError(f"the other side takes {limits.maxMessageBytes} bytes, and not {len(body)}")
        settled: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()
        event = OutgoingEvent(name, body, trace, None, settled)
        if message.at_least_once:
            self._retain(event)
        else:
            settled.set_result(None)
        if self.link is not None:
            self._unsent.append(event)
            self.send_events()
        return settled

    def _retain(self, event: OutgoingEvent) -> None:
        self._last_number += 1
        event.number = self._last_number
        self._retained[self._last_number] = event

    def send_events(self) -> None:
        while self.link is not None and self._unsent and self.link.event_credit.left > 0:
            event = self._unsent.popleft()
            self.link.event_credit.spend(event.body)
            head = Head(self.contract.index(event.name), None, event.trace, event.number)
            self.link.send(Kind.EVENT, 0, encode_head(head) + event.body)
            self._highest_sent = max(self._highest_sent, event.number or 0)

    @property
    def settled(self) -> bool:
        """Whether all events of this side are sent and settled, and all that came are handled."""
        return not self._retained and not self._unsent and not self._unhandled

    def acknowledged(self, number: int) -> None:
        if number > self._highest_sent:
            raise Violation("8", f"ACK of {number}, sent {self._highest_sent}")
        for event in [event for known, event in self._retained.items() if known <= number]:
            self._settle(event, None)
        self._settled_to = max(self._settled_to, number)
        if self.link is not None:
            self.link.close_if_drained()

    def rejected(self, number: int, error: Rejected) -> None:
        if not 1 <= number <= self._highest_sent:
            raise Violation("8", f"REJECT of {number}, sent {self._highest_sent}")
        event = self._retained.get(number)
        if event is not None:
            self._settle(event, error)
        self._settled_to = max(self._settled_to, number)

    def _settle(self, event: OutgoingEvent, error: Optional[Rejected]) -> None:
        assert event.number is not None and event.settled is not None
        del self._retained[event.number]
        if not event.settled.done():
            if error is None:
                event.settled.set_result(None)
            else:
                event.settled.set_exception(error)

    # Events that come in (§8).

    def event_arrived(self, link: Link, head: Head, body: bytes, cost: int) -> None:
        message = link.theirs(head)
        if head.number is not None:
            if head.number > self._received + 1:
                raise Violation("8", f"event {head.number} behind {self._received} leaves a gap")
            if head.number <= self._received:
                return self._release_event(cost)  # a duplicate
            self._received = head.number
        handler = self.handlers.get(message.name, _ignore)
        value: Any = NOTHING
        try:
            if message.type != "event" or not self.contract.knows(message):
                raise Failed("UNKNOWN_MESSAGE", f"no event {message.name!r} here")
            value = decode_body(message.codec, body)
        except ValueError as error:
            value, handler = Failed("INPUT_INVALID", str(error), path=[]), _refuse
        except Failed as failure:
            log.warning("dropped an event: %s", failure)
            value, handler = failure, _refuse
        self._unhandled += 1
        self._inbox.put_nowait(IncomingEvent(message.name, value, head.trace, head.number, handler, link, self.id, cost))

    async def _handle_events(self) -> None:
        """Hands the events to the program, one after the other."""
        while True:
            event = await self._inbox.get()
            failure: Optional[Failed] = None
            try:
                await event.handler(event.value, event)
            except Failed as error:
                failure = error
            except Exception:
                log.exception("the handler of the event %s failed", event.name)
                failure = Failed("HANDLER_FAILED", "the handler failed")
            self._unhandled -= 1
            self._release_event(event.cost)
            if event.number is not None and event.session_id == self.id:
                self._settle_theirs(event.number, failure)
            if self.link is not None:
                self.link.close_if_drained()

    # Credit (§5): of the session, over its connections.

    def _release_event(self, cost: int) -> None:
        self.event_window.release(cost)
        self.give_back_events()

    def give_back_events(self) -> None:
        give = self.event_window.due() if self.link is not None and self.link.over is None else 0
        if give and self.link is not None:
            self.link.frame(Kind.CREDIT, 0, struct.pack(">I", give))

    def give_back_items(self) -> None:
        give = self.items_window.due() if self.link is not None and self.link.over is None else 0
        if give and self.link is not None and self.limits.connectionWindowBytes is not None:
            self.link.frame(Kind.WINDOW, 0, struct.pack(">I", give))

    # REJECTs (§8) are kept until a PONG proves that they have arrived.

    def rejects_asked(self) -> None:
        self._rejects_asked = self._rejects[-1][0] if self._rejects else 0

    def rejects_proved(self) -> None:
        while self._rejects and self._rejects[0][0] <= self._rejects_asked:
            self._rejects.popleft()
        if len(self._rejects) >= 64 and self.link is not None:
            self.link.ping()

    def _settle_theirs(self, number: int, failure: Optional[Failed]) -> None:
        self._handled = number
        if failure is not None:
            code = failure.code if failure.code != "NAMED" else "HANDLER_FAILED"  # the contract names no errors of events
            reject = struct.pack(">Q", number) + make_failure(Failed(code, failure.message[:1_000]))
            self._rejects.append((number, reject))
        if self.link is not None:
            if failure is not None:
                self.link.frame(Kind.REJECT, 0, reject)
            self.link.frame(Kind.ACK, 0, struct.pack(">Q", number))
            if len(self._rejects) >= 64:
                self.link.ping()


async def _ignore(value: Any, event: IncomingEvent) -> None:
    """For an event that the program does not listen to."""


async def _refuse(value: Any, event: IncomingEvent) -> None:
    """For an event that the program never sees."""
    raise value


async def connect(address: Address, contract: Contract, **options: Any) -> Session:
    """A session with the server at `address`; the options are those of `Session`."""
    session = Session(address, contract, **options)
    await session.connect()
    return session
