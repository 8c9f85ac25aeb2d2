"""Frames: bytes to frames to messages, and back (PROTOCOL.md §1 and §2).

Owns the signature, the form of each kind, and how pieces are joined. Must not know conversations.

    length u32 | kind u8 | id u32 | payload
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Dict, NamedTuple, Optional, Tuple

from .errors import MAX_CANCEL_BYTES, NotHawser, Violation

SIGNATURE = bytes.fromhex("894857530D0A1A0A")
#: `kind` and `id`, which `length` counts together with the payload.
HEADER_BYTES = 5
MAX_PAYLOAD = 65_536
#: Before the session is ready.
MAX_EARLY_PAYLOAD = 16_384
#: Bit of `kind`: another piece of the message follows.
MORE = 0x80
#: Bit of `kind`: a receiver that does not know the kind ignores the frame.
IGNORABLE = 0x40
#: Bytes that a joined payload may have above `maxMessageBytes`, for its head.
MAX_HEAD = 64
#: Bytes of a range in ACK.
RANGE_BYTES = 16
MAX_RANGES = 255


class Kind(IntEnum):
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
    LANE = 0x0E
    REQUEST = 0x10
    RESULT = 0x11
    FAIL = 0x12
    CANCEL = 0x13
    STREAM = 0x14
    ITEM = 0x15
    END = 0x16
    EVENT = 0x17
    STOP = 0x18


_CUT = {Kind.REQUEST, Kind.RESULT, Kind.FAIL, Kind.STREAM, Kind.ITEM, Kind.EVENT, Kind.MESSAGES}
_OF_CONVERSATIONS = {
    Kind.REQUEST,
    Kind.RESULT,
    Kind.FAIL,
    Kind.CANCEL,
    Kind.STREAM,
    Kind.ITEM,
    Kind.END,
    Kind.STOP,
    Kind.LANE,
}
_ANY_ID = {Kind.CREDIT, Kind.EVENT}
_EXACT = {
    Kind.PING: 8,
    Kind.PONG: 8,
    Kind.DRAIN: 0,
    Kind.CREDIT: 4,
    Kind.WINDOW: 4,
    Kind.LANE: 4,
    Kind.WANT: 0,
    Kind.END: 0,
    Kind.STOP: 0,
}


class Frame(NamedTuple):
    kind: Kind
    id: int
    payload: bytes
    #: A piece, and not the last one.
    more: bool = False


def encode_frame(kind: int, id: int = 0, payload: bytes = b"", more: bool = False) -> bytes:
    return (
        struct.pack(">IBI", HEADER_BYTES + len(payload), kind | (MORE if more else 0), id) + payload
    )


class Decoder:
    """Bytes in, frames out. Checks the signature first, and then the form of every frame."""

    def __init__(self) -> None:
        self.max_payload = MAX_EARLY_PAYLOAD
        #: True from the first greeting on: then ignorable kinds are ignored.
        self.ignores = False
        self._bytes = bytearray()
        self._is_signed = False

    def feed(self, data: bytes) -> None:
        self._bytes += data

    @property
    def is_signed(self) -> bool:
        return self._is_signed

    @property
    def pending(self) -> int:
        """Number of bytes that are fed and not read as frames."""
        return len(self._bytes)

    def next_frame(self) -> Optional[Frame]:
        """The next whole frame, or None until more bytes are fed."""
        if not self._is_signed and not self._read_signature():
            return None
        while len(self._bytes) >= 4:
            length = int.from_bytes(self._bytes[:4], "big")
            if not HEADER_BYTES <= length <= HEADER_BYTES + self.max_payload:
                raise Violation("frame-length", f"sent a frame of length {length}")
            if len(self._bytes) < 4 + length:
                return None
            kind, id = struct.unpack_from(">BI", self._bytes, 4)
            payload = bytes(self._bytes[4 + HEADER_BYTES : 4 + length])
            del self._bytes[: 4 + length]
            if kind & IGNORABLE and self.ignores:
                continue
            return check_frame(kind, id, payload)
        return None

    def _read_signature(self) -> bool:
        seen = bytes(self._bytes[: len(SIGNATURE)])
        if seen != SIGNATURE[: len(seen)]:
            raise NotHawser(bytes(self._bytes[:32]))
        if len(seen) < len(SIGNATURE):
            return False
        del self._bytes[: len(SIGNATURE)]
        self._is_signed = True
        return True


def check_frame(kind_byte: int, id: int, payload: bytes) -> Frame:
    """The frame, where its form is right by itself."""
    more = bool(kind_byte & MORE)
    try:
        kind = Kind(kind_byte & ~MORE)
    except ValueError:
        raise Violation(
            "unknown-kind", f"sent a frame of the unknown kind {kind_byte:02X}"
        ) from None
    if more and kind not in _CUT:
        raise Violation("pieces-kinds", f"sent {kind.name} in pieces")
    if more and not payload:
        raise Violation("pieces-empty", f"sent an empty piece of {kind.name} {id}")
    if kind not in _ANY_ID and (id != 0) != (kind in _OF_CONVERSATIONS):
        raise Violation("id-zero", f"sent {kind.name} with the id {id}")
    size = len(payload)
    if (
        size != _EXACT.get(kind, size)
        or (kind == Kind.REJECT and size < 8)
        or (kind == Kind.CANCEL and size > MAX_CANCEL_BYTES)
        or (
            kind == Kind.ACK
            and (size < 8 or (size - 8) % RANGE_BYTES or size > 8 + MAX_RANGES * RANGE_BYTES)
        )
    ):
        raise Violation("payload-size", f"sent {kind.name} with {size} bytes")
    return Frame(kind, id, payload, more)


#: Kinds that may come between the pieces of a message of their id.
_BETWEEN = {Kind.CANCEL, Kind.CREDIT, Kind.STOP}


class Joiner:
    """Joins the pieces of the peer's messages. Conversations and the lanes of events have numbers
    apart.
    """

    def __init__(self, max_partials: int, max_message_bytes: int) -> None:
        self._max_partials = max_partials
        self._max_payload = max_message_bytes + MAX_HEAD
        self._partials: Dict[Tuple[bool, int], Tuple[Kind, bytearray]] = {}

    def begins(self, frame: Frame) -> bool:
        """True if the frame begins something; False: it goes on with a message that had begun."""
        key = (frame.kind == Kind.EVENT, frame.id)
        if key not in self._partials:
            if frame.more and len(self._partials) >= self._max_partials:
                raise Violation(
                    "max-partials", f"began more than {self._max_partials} messages at once"
                )
            return True
        kind = self._partials[key][0]
        if frame.kind == kind:
            return False
        if frame.id == 0 or frame.kind in _BETWEEN or frame.kind == Kind.LANE:
            return True
        raise Violation(
            "pieces-between", f"sent {frame.kind.name} between the pieces of {kind.name} {frame.id}"
        )

    def add(self, frame: Frame) -> Optional[bytes]:
        """The payload of the message that this frame completes; None while pieces are missing."""
        key = (frame.kind == Kind.EVENT, frame.id)
        kind, payload = self._partials.get(key, (frame.kind, bytearray()))
        if frame.kind != kind:  # it may come between the pieces
            return frame.payload
        payload += frame.payload
        if len(payload) > self._max_payload and kind in _CUT:
            raise Violation(
                "max-message",
                f"sent {kind.name} with more than {self._max_payload} bytes",
                "MESSAGE_TOO_LARGE",
            )
        if frame.more:
            self._partials[key] = (kind, payload)
            return None
        self._partials.pop(key, None)
        return bytes(payload)

    def partial(self, frame: Frame) -> bytes:
        """The part that is here of the message of this frame."""
        found = self._partials.get((frame.kind == Kind.EVENT, frame.id))
        return b"" if found is None else bytes(found[1])

    def drop(self, id: int) -> None:
        """Forgets what has begun of a conversation."""
        self._partials.pop((False, id), None)
