"""Errors: what a program gets when something fails, and the forms of errors on the wire
(PROTOCOL.md §6).

Owns the codes and their objects. Must not know frames, conversations or connections.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple, Union

from .codecs import NOTHING, Nothing, decode_json, encode_json

Path = List[Union[str, int]]

CLOSE_CODES = frozenset(
    "NORMAL VERSION_UNSUPPORTED PROTOCOL_MISMATCH CONTRACT_DIFFERS HELLO_INVALID "
    "AUTH_REFUSED OVERLOADED "
    "DRAINING PROTOCOL_VIOLATION FLOW_VIOLATION MESSAGE_TOO_LARGE HEARTBEAT_LOST SESSION_REPLACED "
    "FRAME_TIMEOUT DRAINED".split()
)
FAIL_CODES = frozenset(
    "NAMED UNKNOWN_MESSAGE INPUT_INVALID ITEM_INVALID HANDLER_FAILED CANCELLED "
    "DEADLINE_EXCEEDED OVERLOADED "
    "DRAINING".split()
)
CANCEL_CODES = frozenset("CANCELLED DEADLINE_EXCEEDED ITEM_INVALID HANDLER_FAILED".split())
#: Bytes of a CANCEL's payload (§6).
MAX_CANCEL_BYTES = 1_024


class HawserError(Exception):
    """The base of every error that this package raises."""


class NotHawser(HawserError):
    """The stream does not begin with Hawser's signature (§1)."""

    def __init__(self, seen: bytes) -> None:
        super().__init__(
            f"expected Hawser's signature, got {seen!r}; check that the port is the right one"
        )


class Violation(HawserError):
    """The peer broke a rule of PROTOCOL.md: the session ends with CLOSE and `code`."""

    def __init__(self, rule: str, message: str, code: str = "PROTOCOL_VIOLATION") -> None:
        super().__init__(f"{message} (rule {rule}, {code})")
        self.rule = rule
        self.code = code


class Refused(HawserError):
    """REFUSE: the server does not let this client in. `authenticate` of a server raises it."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"refused with {code}: {message}")
        self.code = code
        self.message = message


class Closed(HawserError):
    """The session is over, by the CLOSE of either side."""

    def __init__(self, code: str, message: str, by_peer: bool) -> None:
        super().__init__(
            f"closed by {'the peer' if by_peer else 'this side'} with {code}: {message}"
        )
        self.code = code
        self.message = message
        self.by_peer = by_peer


class ConnectionLost(HawserError):
    """The connection ended without CLOSE. `was_sent`: False where nothing of the call had left."""

    def __init__(self, message: str, was_sent: bool = True) -> None:
        super().__init__(message)
        self.was_sent = was_sent


class Failed(HawserError):
    """A call failed, or an event was rejected. A handler raises it to fail with an error of the
    contract: `raise Failed.named("notFound", {"id": 7})`.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        name: Optional[str] = None,
        payload: Any = NOTHING,
        path: Optional[Path] = None,
    ) -> None:
        super().__init__(f"{code}: {message}" if name is None else f"{code}: {name}")
        self.code = code
        self.message = message
        self.name = name
        self.payload = payload
        self.path = path

    @classmethod
    def named(cls, name: str, payload: Any = NOTHING) -> "Failed":
        """An error that the contract names."""
        return cls("NAMED", name=name, payload=payload)


class Invalid(ValueError):
    """A value is not what its message takes: raised by a message's check. `path` says where it is
    wrong.
    """

    def __init__(self, message: str, path: Optional[Path] = None) -> None:
        super().__init__(message)
        self.path: Path = path or []


def read_object(payload: bytes) -> Dict[str, Any]:
    """The object `{code, message, ...}`. Raises ValueError where it is none."""
    error = decode_json(payload)
    if not isinstance(error, dict):
        raise ValueError("it is no object")
    if not isinstance(error.get("code"), str) or not isinstance(error.get("message"), str):
        raise ValueError("its code and message are not text")
    return error


def read_closing(payload: bytes) -> Tuple[str, str]:
    """Code and message of CLOSE or REFUSE; one that is unknown or can't be read is
    PROTOCOL_VIOLATION.
    """
    try:
        error = read_object(payload)
    except ValueError:
        return "PROTOCOL_VIOLATION", ""
    code = error["code"] if error["code"] in CLOSE_CODES else "PROTOCOL_VIOLATION"
    return code, error["message"]


def read_failure(payload: bytes, kind: str) -> Failed:
    """What FAIL or REJECT says. Raises Violation where it can't be read."""
    try:
        error = read_object(payload)
        if error["code"] == "NAMED" and not isinstance(error.get("name"), str):
            raise ValueError("NAMED without a name")
        if (
            "path" in error
            and error["code"] in ("INPUT_INVALID", "ITEM_INVALID")
            and not _is_path(error["path"])
        ):
            raise ValueError("its path is no list of names and indexes")
    except ValueError as cause:
        raise Violation("fail-form", f"sent a {kind} that can't be read: {cause}") from cause
    code = error["code"] if error["code"] in FAIL_CODES else "HANDLER_FAILED"
    return Failed(
        code,
        error["message"],
        name=error.get("name"),
        payload=error.get("payload", NOTHING),
        path=error.get("path"),
    )


def read_cancel(payload: bytes) -> str:
    """The code of a CANCEL. Raises Violation where it can't be read."""
    if not payload:
        return "CANCELLED"
    try:
        code = read_object(payload)["code"]
    except ValueError as cause:
        raise Violation("cancel-reason", f"sent a CANCEL that can't be read: {cause}") from cause
    return code if code in CANCEL_CODES else "CANCELLED"


def make_cancel(code: str) -> bytes:
    return b"" if code == "CANCELLED" else encode_json({"code": code, "message": ""})


def make_closing(code: str, message: str) -> bytes:
    return encode_json({"code": code, "message": message[:1_000]})


def make_failure(failure: Failed) -> bytes:
    error: Dict[str, Any] = {"code": failure.code, "message": failure.message}
    if failure.code == "NAMED":
        error["name"] = failure.name
        if not isinstance(failure.payload, Nothing):
            error["payload"] = failure.payload
    if failure.code in ("INPUT_INVALID", "ITEM_INVALID"):
        error["path"] = failure.path or []
    return encode_json(error)


def _is_path(path: Any) -> bool:
    if not isinstance(path, list):
        return False
    return all(
        isinstance(step, str)
        or (
            isinstance(step, (int, float))
            and not isinstance(step, bool)
            and step >= 0
            and step % 1 == 0
        )
        for step in path
    )
