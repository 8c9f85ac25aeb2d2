"""Codecs: values to bytes and back, by the codec's name in the contract (PROTOCOL.md §2).

Owns `json`, `text` and `bytes`, and NOTHING, the value that the empty body stands for.
"""

from __future__ import annotations

import json
from typing import Any

#: Arrays and objects in each other that JSON may have here.
MAX_DEPTH = 512


class Nothing:
    """The value of the empty body. JSON's null is None, and another value."""

    def __repr__(self) -> str:
        return "NOTHING"

    def __bool__(self) -> bool:
        return False


NOTHING = Nothing()

#: Codecs whose empty body stands for NOTHING.
_EMPTY_IS_NOTHING = ("json", "msgpack", "cbor")


def encode_json(value: Any) -> bytes:
    """RFC 8259 in UTF-8. Raises ValueError or TypeError for what JSON can't carry."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8")  # fails for a lone surrogate


def decode_json(data: bytes) -> Any:
    """Raises ValueError for anything but RFC 8259 in UTF-8 without a byte order mark."""
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it nests too deeply") from None


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def encode_body(codec: str, value: Any) -> bytes:
    """Raises ValueError or TypeError for a value that the codec can't carry."""
    if isinstance(value, Nothing):
        return b""
    if codec == "json":
        return encode_json(value)
    if codec == "bytes":
        return bytes(memoryview(value))  # not bytes(value): of a number that makes zeros
    if codec == "text":
        if not isinstance(value, str):
            raise TypeError(f"the codec text carries str, not {type(value).__name__}")
        return value.encode("utf-8")
    raise ValueError(f"there is no codec {codec!r} here")


def decode_body(codec: str, body: bytes) -> Any:
    """Raises ValueError for bytes that the codec can't read."""
    if not body and codec in _EMPTY_IS_NOTHING:
        return NOTHING
    if codec == "json":
        return decode_json(body)
    if codec == "bytes":
        return body
    if codec == "text":
        return body.decode("utf-8")
    raise ValueError(f"there is no codec {codec!r} here")
