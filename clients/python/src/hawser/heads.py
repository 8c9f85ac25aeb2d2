"""Heads: the beginning of REQUEST, STREAM and EVENT (PROTOCOL.md §2).

name u16 | flags u8 | [deadline u32] | [trace 25 bytes] | [number u64 | [origin 16 bytes | number
there u64]]
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional, Tuple

from .errors import Violation
from .frames import Kind

_DEADLINE, _TRACE, _NUMBER, _SENDS_ITEMS, _FIRST = 0x01, 0x02, 0x04, 0x08, 0x10
_FLAGS = {
    Kind.REQUEST: _DEADLINE | _TRACE,
    Kind.STREAM: _DEADLINE | _TRACE | _SENDS_ITEMS,
    Kind.EVENT: _TRACE | _NUMBER | _FIRST,
}


class Trace(NamedTuple):
    """A W3C trace context of version 00."""

    trace_id: bytes  # 16 bytes
    parent_id: bytes  # 8 bytes
    flags: int

    def traceparent(self) -> str:
        return f"00-{self.trace_id.hex()}-{self.parent_id.hex()}-{self.flags:02x}"


class First(NamedTuple):
    """Where an event was first begun: its identity in every session."""

    origin: str  # 32 hexadecimal digits
    number: int

    @property
    def id(self) -> str:
        return f"{self.origin}/{self.number}"


class Head(NamedTuple):
    name: int
    deadline_ms: Optional[int] = None
    trace: Optional[Trace] = None
    number: Optional[int] = None
    sends_items: bool = False
    first: Optional[First] = None


def encode_head(head: Head) -> bytes:
    flags, fields = 0, b""
    if head.deadline_ms is not None:
        flags |= _DEADLINE
        fields += struct.pack(">I", head.deadline_ms)
    if head.trace is not None:
        flags |= _TRACE
        fields += struct.pack(">16s8sB", *head.trace)
    if head.number is not None:
        flags |= _NUMBER
        fields += struct.pack(">Q", head.number)
        if head.first is not None:
            flags |= _FIRST
            fields += bytes.fromhex(head.first.origin) + struct.pack(">Q", head.first.number)
    if head.sends_items:
        flags |= _SENDS_ITEMS
    return struct.pack(">HB", head.name, flags) + fields


def decode_head(kind: Kind, payload: bytes) -> Tuple[Head, bytes]:
    """The head, and the body behind it."""
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        if at > len(payload):
            raise Violation("head-whole", f"sent {kind.name} with a head that is cut short")
        return payload[at - size : at]

    name = int.from_bytes(take(2), "big")
    flags = take(1)[0]
    if flags & ~_FLAGS[kind]:
        raise Violation("flags", f"sent {kind.name} with the flags {flags:02X}")
    if flags & _FIRST and not flags & _NUMBER:
        raise Violation("origin-flags", "sent an event with an origin and no number")
    deadline = int.from_bytes(take(4), "big") if flags & _DEADLINE else None
    trace = Trace(*struct.unpack(">16s8sB", take(25))) if flags & _TRACE else None
    number = int.from_bytes(take(8), "big") if flags & _NUMBER else None
    first = First(take(16).hex(), int.from_bytes(take(8), "big")) if flags & _FIRST else None
    if deadline == 0:
        raise Violation("deadline", "sent a deadline of 0 milliseconds")
    if number == 0:
        raise Violation("events-numbers", "sent an event with the number 0")
    if first is not None and first.number == 0:
        raise Violation("origin-flags", "sent an event with the number 0 in its first session")
    if trace is not None and not (any(trace.trace_id) and any(trace.parent_id)):
        trace = None
    return Head(name, deadline, trace, number, bool(flags & _SENDS_ITEMS), first), payload[at:]


def peek_number(payload: bytes) -> Optional[int]:
    """The number in a part of an EVENT; 0: it has none; None: the part ends before it."""
    if len(payload) < 3:
        return None
    if not payload[2] & _NUMBER:
        return 0
    at = 3 + (25 if payload[2] & _TRACE else 0)
    return int.from_bytes(payload[at : at + 8], "big") if len(payload) >= at + 8 else None
