"""Greetings: HELLO, WELCOME and MESSAGES as JSON (PROTOCOL.md §3).

Owns their members and the order in which they are judged. Must not know connections.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .codecs import NOTHING, Nothing, decode_json, encode_json
from .contract import Contract, Limits, Message, fingerprint, is_hexadecimal, list_of, read_list
from .credit import MAX_CREDIT
from .errors import Violation

VERSION = 1
MAX_WHOLE = 2**53 - 1
MAX_U32 = 4_294_967_295
#: Bytes of a list of messages.
MAX_LIST_BYTES = 1_048_576

_RANGES = {
    "maxMessageBytes": (1_024, MAX_U32),
    "maxPartials": (1, MAX_U32),
    "maxConversations": (1, MAX_U32),
    "windowBytes": (1, MAX_CREDIT),
    "eventWindowBytes": (0, MAX_CREDIT),
    "laneWindowBytes": (1, MAX_CREDIT),
    "connectionWindowBytes": (0, MAX_CREDIT),
    "maxInputBytes": (1, MAX_U32),
}
_OPTIONAL = ("laneWindowBytes", "connectionWindowBytes", "maxInputBytes")


class Resume(NamedTuple):
    """The session that goes on, and the number up to which all of the peer's events have come."""

    session: str
    received: int


@dataclass(frozen=True)
class Greeting:
    """What HELLO and WELCOME have in common."""

    name: str
    version: int
    accepts: Tuple[int, int]
    features: Tuple[str, ...]
    fingerprint: str
    messages: Optional[Tuple[Message, ...]]
    limits: Limits


@dataclass(frozen=True)
class Hello(Greeting):
    auth: Any
    resume: Optional[Resume]


@dataclass(frozen=True)
class Welcome(Greeting):
    session: str
    origin: str
    resumed: bool
    received: int
    resume_window_ms: int


def make_hello(
    contract: Contract, limits: Limits, auth: Any, resume: Optional[Resume], features: Sequence[str]
) -> bytes:
    said = {"hawser": [VERSION, VERSION], **_introduce(contract, limits, features)}
    if not isinstance(auth, Nothing):
        said["auth"] = auth
    if resume is not None:
        said["resume"] = resume._asdict()
    return encode_json(said)


def make_welcome(
    contract: Contract,
    limits: Limits,
    features: Sequence[str],
    session: str,
    origin: str,
    resumed: bool,
    received: int,
    resume_window_ms: int,
    with_list: bool,
) -> bytes:
    said = {"hawser": VERSION, **_introduce(contract, limits, features)}
    if with_list:
        said["messages"] = list_of(contract.messages)
    said.update(
        session=session,
        origin=origin,
        resumed=resumed,
        received=received,
        resumeWindowMs=resume_window_ms,
    )
    return encode_json(said)


def make_list(contract: Contract) -> bytes:
    """The payload of MESSAGES."""
    return encode_json(list_of(contract.messages))


def _introduce(contract: Contract, limits: Limits, features: Sequence[str]) -> Dict[str, Any]:
    assert contract.accepts is not None
    return {
        "protocol": contract.name,
        "version": contract.version,
        "accepts": list(contract.accepts),
        "features": list(features),
        "fingerprint": fingerprint(contract.messages),
        "limits": {name: value for name, value in asdict(limits).items() if value is not None},
    }


def read_hello(payload: bytes) -> Hello:
    """Raises Violation HELLO_INVALID or VERSION_UNSUPPORTED."""
    said = _read(payload, "HELLO_INVALID")
    try:
        lowest, highest = _pair(said.get("hawser"))
    except ValueError as error:
        raise Violation(
            "hawser-first", f"sent a HELLO whose hawser has another form: {error}", "HELLO_INVALID"
        ) from error
    if not lowest <= VERSION <= highest:
        raise Violation(
            "hawser",
            f"speaks versions {lowest} to {highest} of the protocol, this side {VERSION}",
            "VERSION_UNSUPPORTED",
        )
    try:
        common = _read_common(said)
        resume = None
        if "resume" in said:
            told = said["resume"]
            if not isinstance(told, dict) or not is_hexadecimal(told.get("session"), 32):
                raise ValueError("resume has no identity of a session")
            resume = Resume(told["session"], _whole(told.get("received"), 0))
        return Hello(*common, said.get("auth", NOTHING), resume)
    except ValueError as error:
        raise Violation(
            "greeting-members", f"sent a HELLO that can't be taken: {error}", "HELLO_INVALID"
        ) from error


def read_welcome(payload: bytes) -> Welcome:
    """Raises Violation."""
    said = _read(payload, "PROTOCOL_VIOLATION")
    try:
        hawser = _whole(said.get("hawser"), 1)
    except ValueError as error:
        raise Violation(
            "hawser-first", f"sent a WELCOME whose hawser has another form: {error}"
        ) from error
    if hawser != VERSION:
        raise Violation(
            "hawser",
            f"chose version {hawser} of the protocol, this side speaks {VERSION}",
            "VERSION_UNSUPPORTED",
        )
    try:
        common = _read_common(said)
        session, origin, resumed = said.get("session"), said.get("origin"), said.get("resumed")
        if not isinstance(session, str) or not isinstance(origin, str):
            raise ValueError("session or origin is not a text")
        if not is_hexadecimal(session, 32) or not is_hexadecimal(origin, 32):
            raise ValueError("session or origin is not 32 hexadecimal digits")
        if not isinstance(resumed, bool):
            raise ValueError("resumed is not true or false")
        received = _whole(said.get("received"), 0)
        window = _whole(said.get("resumeWindowMs"), 0, MAX_U32)
        return Welcome(*common, session, origin, resumed, received, window)
    except ValueError as error:
        raise Violation(
            "greeting-members", f"sent a WELCOME that can't be taken: {error}"
        ) from error


def read_messages(payload: bytes, code: str) -> Tuple[Message, ...]:
    """The list of MESSAGES. Raises Violation with the code."""
    try:
        return read_list(decode_json(payload))
    except ValueError as error:
        raise Violation(
            "want", f"sent MESSAGES that is no list of messages: {error}", code
        ) from error


def _read(payload: bytes, code: str) -> Dict[str, Any]:
    try:
        said = decode_json(payload)
        if not isinstance(said, dict):
            raise ValueError("it is no object")
        return said
    except ValueError as error:
        raise Violation("json", f"sent a greeting that is no JSON object: {error}", code) from error


def _read_common(
    said: Dict[str, Any],
) -> Tuple[str, int, Tuple[int, int], Tuple[str, ...], str, Optional[Tuple[Message, ...]], Limits]:
    if "features" not in said:
        raise Violation(
            "features-draft",
            "speaks a draft of the protocol, from before its version 1",
            "VERSION_UNSUPPORTED",
        )
    if not isinstance(said.get("protocol"), str):
        raise ValueError("protocol is not a text")
    version = _whole(said.get("version"), 1)
    accepts = _pair(said.get("accepts"))
    if not accepts[0] <= version <= accepts[1]:
        raise ValueError("version is not within accepts")
    print_ = said.get("fingerprint", "")
    if print_ != "" and not is_hexadecimal(print_, 16):
        raise ValueError("fingerprint is not 16 hexadecimal digits")
    messages = read_list(said["messages"]) if "messages" in said else None
    return (
        said["protocol"],
        version,
        accepts,
        _read_features(said["features"]),
        print_,
        messages,
        _read_limits(said.get("limits")),
    )


def _read_features(said: Any) -> Tuple[str, ...]:
    if not isinstance(said, list) or len(said) > 32:
        raise ValueError("features is not a list of at most 32")
    for name in said:
        if not isinstance(name, str) or not 1 <= len(name.encode("utf-8", "surrogatepass")) <= 64:
            raise ValueError("the name of a feature is not a text of 1 to 64 bytes")
    if len(set(said)) != len(said):
        raise ValueError("a feature is there twice")
    return tuple(said)


def _read_limits(said: Any) -> Limits:
    if not isinstance(said, dict):
        raise ValueError("limits is not an object")
    values: Dict[str, Optional[int]] = {}
    for name, (least, most) in _RANGES.items():
        if name in _OPTIONAL and name not in said:
            values[name] = None
        else:
            values[name] = _whole(said.get(name), least, most)
    return Limits(**values)  # type: ignore[arg-type]


def _pair(said: Any) -> Tuple[int, int]:
    if not isinstance(said, list) or len(said) < 2:
        raise ValueError("it is not [lowest, highest]")
    lowest, highest = _whole(said[0], 1), _whole(said[1], 1)
    if lowest > highest:
        raise ValueError("the lowest is above the highest")
    return lowest, highest


def _whole(value: Any, least: int, most: int = MAX_WHOLE) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or value % 1 != 0
        or not least <= value <= most
    ):
        raise ValueError(f"{value!r} is not a whole number from {least} to {most}")
    return int(value)


def pieces_of(payload: bytes, size: int) -> List[bytes]:
    """A payload cut into pieces of at most so many bytes."""
    return [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
