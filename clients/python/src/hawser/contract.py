"""Contracts: the messages that both sides share, what of a peer's list fits them, and the two
hashes (PROTOCOL.md §3 and §8). Must not know frames or connections.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from .errors import Violation

#: A function of a value that came, which returns the value for the program, or raises Invalid.
Check = Callable[[Any], Any]
#: The lane of an event: a name, or a function of the payload that returns a key. None: the common
#: lane.
Lane = Union[None, str, Callable[[Any], Union[str, int, float]]]

_TYPES = ("request", "stream", "event")


@dataclass(frozen=True)
class Message:
    """One message of a contract."""

    name: str
    type: str  # "request", "stream" or "event"
    codec: str = "json"
    #: 16 hexadecimal digits, or "": not known. Compared with the peer's where the versions are the
    #: same.
    digest: str = ""
    #: Who may open or emit it: "client", "server" or "both".
    sender: str = "client"
    #: Of an event: the peer acknowledges it, and it is sent again until then.
    at_least_once: bool = False
    lane: Lane = None
    #: Of a stream: its opener sends items too.
    sends_items: bool = False
    #: Of a request's or stream's input, or an event's payload; and of the opener's items.
    check: Optional[Check] = field(default=None, compare=False)
    check_item: Optional[Check] = field(default=None, compare=False)

    def fits(self, other: "Message") -> bool:
        return (self.type, self.codec) == (other.type, other.codec)


@dataclass(frozen=True)
class Contract:
    """A contract: its name, its version and the versions it accepts, and its messages in their
    order.
    """

    name: str
    version: int
    messages: Tuple[Message, ...]
    accepts: Optional[Tuple[int, int]] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "messages", tuple(self.messages))
        if self.accepts is None:
            object.__setattr__(self, "accepts", (self.version, self.version))
        object.__setattr__(self, "_places", {m.name: (i, m) for i, m in enumerate(self.messages)})

    def find(self, name: str) -> Optional[Message]:
        found: Dict[str, Tuple[int, Message]] = getattr(self, "_places")
        return found[name][1] if name in found else None

    def index(self, name: str) -> int:
        found: Dict[str, Tuple[int, Message]] = getattr(self, "_places")
        return found[name][0]

    def knows(self, message: Message) -> bool:
        """True if this side has a message of the other's list."""
        own = self.find(message.name)
        return own is not None and own.fits(message)

    @classmethod
    def from_json(
        cls,
        document: Union[str, bytes, Dict[str, Any]],
        *,
        lanes: Optional[Dict[str, Callable[[Any], Union[str, int, float]]]] = None,
        checks: Optional[Dict[str, Check]] = None,
        item_checks: Optional[Dict[str, Check]] = None,
    ) -> "Contract":
        """The contract of a document as `contractSchema()` of @hawser/protocol makes it.

        `lanes` has the function of each event whose lane is keyed; `checks` and `item_checks` may
        have a check for each message. Raises ValueError for another document, or one without a
        lane's function.
        """
        said = document if isinstance(document, dict) else json.loads(document)
        if said.get("format") != "hawser-contract/1":
            raise ValueError(f"expected the format hawser-contract/1, got {said.get('format')!r}")
        messages = tuple(
            _message(each, lanes or {}, checks or {}, item_checks or {})
            for each in said["messages"]
        )
        contract = cls(
            said["name"], said["version"], messages, (said["accepts"][0], said["accepts"][1])
        )
        if fingerprint(contract.messages) != said["fingerprint"]:
            raise ValueError(
                "the document's messages have another fingerprint: it was changed since it was made"
            )
        return contract


def _message(
    said: Dict[str, Any],
    lanes: Dict[str, Callable[[Any], Union[str, int, float]]],
    checks: Dict[str, Check],
    item_checks: Dict[str, Check],
) -> Message:
    name = said["name"]
    lane: Lane = None
    told = said.get("lane")
    if told is not None and "name" in told:
        lane = told["name"]
    elif told is not None:
        if name not in lanes and said["from"] != "server":
            raise ValueError(f"the event {name!r} has a lane by key: give its function with lanes")
        lane = lanes.get(name)
    return Message(
        name,
        said["type"],
        said["codec"],
        said["digest"],
        said["from"],
        said.get("delivery") == "at-least-once",
        lane,
        said.get("send", False) is not False,
        checks.get(name),
        item_checks.get(name),
    )


@dataclass(frozen=True)
class Limits:
    """What one side can take, by the names of the handshake. None: not told."""

    maxMessageBytes: int = 16_777_216
    maxPartials: int = 16
    maxConversations: int = 1_024
    windowBytes: int = 262_144
    eventWindowBytes: int = 262_144
    laneWindowBytes: Optional[int] = 65_536
    connectionWindowBytes: Optional[int] = 4_194_304
    maxInputBytes: Optional[int] = 16_777_216


def fingerprint(messages: Sequence[Message]) -> str:
    """FNV-1a (64 bits) of a list of messages."""
    text = "".join(f"{m.name}\0{m.type}\0{m.codec}\0{m.digest}\n" for m in messages)
    value = 0xCBF29CE484222325
    for byte in text.encode("utf-8"):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def lane_number(key: Union[str, int, float]) -> int:
    """FNV-1a (32 bits) of a lane's key; 1 where that is 0."""
    if isinstance(key, bool) or not isinstance(key, (str, int, float)):
        raise TypeError(f"a lane's key is a text or a number, got {key!r}")
    if isinstance(key, float):
        key = int(key) if key.is_integer() else repr(key)
    value = 0x811C9DC5
    for byte in str(key).encode("utf-8"):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value or 1


def list_of(messages: Sequence[Message]) -> List[List[str]]:
    """A list of messages as the handshake tells it."""
    return [[m.name, m.type, m.codec, m.digest] for m in messages]


def read_list(said: Any) -> Tuple[Message, ...]:
    """A list of messages that a peer told. Raises ValueError where it is none."""
    if not isinstance(said, list):
        raise ValueError("the list of messages is not a list")
    messages: List[Message] = []
    names = set()
    for entry in said:
        if (
            not isinstance(entry, list)
            or len(entry) < 4
            or not all(isinstance(part, str) for part in entry[:4])
        ):
            raise ValueError("an entry of the list is not [name, type, codec, digest]")
        name, type, codec, digest = entry[:4]
        if type not in _TYPES:
            raise ValueError("the type of a message is not request, stream or event")
        if digest != "" and not is_hexadecimal(digest, 16):
            raise ValueError("a digest is not 16 hexadecimal digits")
        if name in names:
            raise ValueError("two messages have the same name")
        names.add(name)
        messages.append(Message(name, type, codec, digest))
    return tuple(messages)


def is_hexadecimal(value: Any, digits: int) -> bool:
    return (
        isinstance(value, str) and len(value) == digits and not set(value) - set("0123456789abcdef")
    )


def compare_versions(ours: Contract, name: str, version: int, accepts: Tuple[int, int]) -> None:
    """Raises Violation PROTOCOL_MISMATCH where the two contracts can't talk."""
    if ours.version >= version:
        higher, lower = ours.accepts, version
    else:
        higher, lower = accepts, ours.version
    assert higher is not None
    if ours.name == name and (ours.version == version or higher[0] <= lower <= higher[1]):
        return
    raise Violation(
        "versions",
        f"this side speaks {ours.name} version {ours.version}, the peer {name} version "
        f"{version}: update the older one, or let the newer accept it",
        "PROTOCOL_MISMATCH",
    )


def compare_lists(ours: Contract, version: int, theirs: Sequence[Message]) -> None:
    """Raises Violation CONTRACT_DIFFERS where two contracts of one version have other messages."""
    if ours.version != version:
        return
    told = {message.name: message for message in theirs}
    differing = []
    for name in [
        *(m.name for m in ours.messages),
        *(m.name for m in theirs if ours.find(m.name) is None),
    ]:
        mine, their = ours.find(name), told.get(name)
        if mine is None or their is None or not mine.fits(their):
            differing.append(name)
        elif mine.digest and their.digest and mine.digest != their.digest:
            differing.append(name)
    if differing:
        raise Violation(
            "contract-differs",
            f"messages that differ: {', '.join(differing[:5])}",
            "CONTRACT_DIFFERS",
        )
