"""Emitter: the events that this side sends, over one connection after another (PROTOCOL.md §5 and
§8).

Owns their numbers, their lanes' credit, and what becomes of each. Must not know what the peer
emits.

    emit -> [lane's queue] -> outbox    the first of each lane; it has its number when it begins
             [replay] ------> outbox    on a new connection what had begun is first, by number
"""

from __future__ import annotations

import asyncio
import struct
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, Deque, Dict, List, Optional, Set, Tuple

from .codecs import encode_body
from .contract import Message, lane_number
from .credit import MAX_CREDIT, Credit, cost_of
from .errors import ConnectionLost, Failed, HawserError, Violation, read_failure
from .frames import RANGE_BYTES, Kind
from .heads import First, Head, Trace, encode_head
from .numbers import NumberSet
from .outbox import Outgoing

if TYPE_CHECKING:
    from .link import Link
    from .session import Session


class OutgoingEvent:
    def __init__(
        self,
        message: Message,
        lane: int,
        body: bytes,
        trace: Optional[Trace],
        future: "asyncio.Future[None]",
    ) -> None:
        self.message = message
        self.lane = lane
        self.body = body
        self.trace = trace
        self.future = future
        self.number = 0
        self.first: Optional[First] = None
        #: True if the peer may have it whole under its number.
        self.whole = False
        self.settled = False
        #: The REJECT that has come of it; it settles the event, and its ACK says so.
        self.failure: Optional[Failed] = None


class Emitter:
    def __init__(self, session: "Session") -> None:
        self._session = session
        self._last = 0
        self._settled = NumberSet()
        self._numbered: "OrderedDict[int, OutgoingEvent]" = OrderedDict()
        #: What has not begun, by lane, in the order of `emit`; the first of each lane is in the
        #: outbox.
        self._queues: "OrderedDict[int, Deque[OutgoingEvent]]" = OrderedDict()
        #: Events that are sent at most once, have begun, and are not written whole.
        self._passing: Set[OutgoingEvent] = set()
        #: Number of events that wait to be sent again.
        self._replaying = 0
        self._lane_credit: Dict[int, Credit] = {}
        self._credit = Credit(0)
        self._origin = ""

    @property
    def is_settled(self) -> bool:
        """True if nothing waits to be sent or acknowledged."""
        return not (self._numbered or self._queues or self._passing)

    def can_have(self, received: int) -> bool:
        """True if the peer can have all events up to this number, and none that it acknowledged is
        missing.
        """
        if not self._settled.up_to <= received <= self._last:
            return False
        return all(event.whole for number, event in self._numbered.items() if number <= received)

    def emit(self, name: str, value: Any, trace: Optional[Trace]) -> "asyncio.Future[None]":
        session = self._session
        message = session.contract.find(name)
        if (
            message is None
            or message.type != "event"
            or message.sender not in (session.side, "both")
        ):
            raise HawserError(f"the contract has no event {name!r} of the {session.side}")
        if session.over is not None:
            raise session.over
        link = session.link
        if session.peer is not None and not session.peer_knows(message):
            raise Failed(
                "UNKNOWN_MESSAGE", f"the peer has no event {name!r}, or another of that name"
            )
        lane = (
            0
            if message.lane is None
            else lane_number(message.lane(value) if callable(message.lane) else message.lane)
        )
        body = encode_body(message.codec, value)
        session.check_size(name, body)
        future: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()
        event = OutgoingEvent(message, lane, body, trace, future)
        if link is None and not message.at_least_once:
            raise ConnectionLost(
                "there is no connection, and the event is sent at most once", False
            )
        self._queue(event)
        if link is not None and len(self._queues[lane]) == 1:
            self._put(link, event, ("event", lane))
        return future

    def attached(self, link: "Link", is_new: bool, received: int, origin: str) -> None:
        """The session is ready on a connection."""
        limits = link.peer.limits
        self._credit = Credit(limits.eventWindowBytes)
        self._lane_credit = {}
        self._replaying = 0
        if is_new:
            self._renumber()
        self._origin = origin
        for number, event in self._numbered.items():
            if number <= received:
                event.whole = True
                continue
            if number == received + 1:
                event.whole = False
            if event.failure is None:
                self._replaying += 1
                self._put(link, event, "replay")
        for lane, queue in list(self._queues.items()):
            self._keep(lane, [event for event in queue if self._is_taken(link, event)])
            if lane in self._queues:
                self._put(link, self._queues[lane][0], ("event", lane))

    def _is_taken(self, link: "Link", event: OutgoingEvent) -> bool:
        if (
            self._session.peer_knows(event.message)
            and len(event.body) <= link.peer.limits.maxMessageBytes
        ):
            return True
        _fail(
            event.future,
            Failed(
                "UNKNOWN_MESSAGE", f"the peer has no event {event.message.name!r}, or takes less"
            ),
        )
        return False

    def detached(self) -> None:
        """The connection is gone: what is sent at most once and had not left is not sent."""
        lost = ConnectionLost("the connection was lost before the event was sent", False)
        for lane, queue in list(self._queues.items()):
            for event in queue:
                if not event.message.at_least_once:
                    _fail(event.future, lost)
            self._keep(lane, [event for event in queue if event.message.at_least_once])
        for event in self._passing:
            _fail(event.future, ConnectionLost("the connection was lost while the event was sent"))
        self._passing.clear()
        self._replaying = 0

    def close(self, error: HawserError) -> None:
        """The session is over: the outcome of what is unsettled is not known."""
        for event in [*self._numbered.values(), *self._waiting()]:
            _fail(event.future, event.failure or error)
        self._numbered.clear()
        self._queues.clear()

    def credited(self, payload: bytes) -> None:
        self._credit.add(payload)

    def lane_credited(self, lane: int, payload: bytes) -> None:
        link = self._session.link
        window = None if link is None else link.peer.limits.laneWindowBytes
        given = int.from_bytes(payload, "big")
        if given == 0:
            raise Violation("credit-zero", "gave a lane credit of 0 bytes")
        credit = self._lane_credit.get(lane)
        if credit is not None:
            credit.add(payload)
            if window is not None and credit.left >= window:
                del self._lane_credit[lane]  # it is as a new one
        elif window is not None and window + given > MAX_CREDIT:
            raise Violation("credit-max", "gave a lane too much credit", "FLOW_VIOLATION")

    def acknowledged(self, payload: bytes) -> None:
        number = int.from_bytes(payload[:8], "big")
        ranges = [
            struct.unpack(">QQ", payload[at : at + RANGE_BYTES])
            for at in range(8, len(payload), RANGE_BYTES)
        ]
        below = number
        for first, last in ranges:
            if first <= below + 1 or last < first:
                raise Violation(
                    "ack-ranges-form",
                    "sent ACK with ranges that are not above its number, ascending and apart",
                )
            below = last
        if below > self._last:
            raise Violation(
                "acks-unsent", f"acknowledged the event {below}, of {self._last} that were sent"
            )
        covered = [
            event
            for event_number, event in self._numbered.items()
            if event_number <= number
            or any(first <= event_number <= last for first, last in ranges)
        ]
        if not all(event.whole for event in covered):
            raise Violation("acks-unsent", "acknowledged an event that was not sent whole")
        for event in covered:
            self._settle(event)
        if number > 0:
            self._settled.add(1, number)
        for first, last in ranges:
            self._settled.add(first, last)

    def rejected(self, payload: bytes) -> None:
        number = int.from_bytes(payload[:8], "big")
        failure = read_failure(payload[8:], "REJECT")
        event = self._numbered.get(number)
        if not 1 <= number <= self._last or (event is not None and not event.whole):
            raise Violation("rejects-unsent", f"rejected the event {number}, which was not sent")
        if event is not None:
            event.failure = failure

    def _queue(self, event: OutgoingEvent) -> None:
        self._queues.setdefault(event.lane, deque()).append(event)

    def _keep(self, lane: int, events: List[OutgoingEvent]) -> None:
        """Of a lane these alone still wait."""
        if events:
            self._queues[lane] = deque(events)
        else:
            self._queues.pop(lane, None)

    def _waiting(self) -> List[OutgoingEvent]:
        return [event for queue in self._queues.values() for event in queue]

    def _put(self, link: "Link", event: OutgoingEvent, line: Any) -> None:
        """The outbox says when it begins."""
        message = Outgoing(Kind.EVENT, event.lane, b"", cost_of(event.body))
        message.size = len(self._encode(event, 1))
        message.may_begin = lambda: event.settled or self._may_begin(event.lane, line == "replay")
        message.begin = lambda: self._begin(event, line == "replay")
        message.written = lambda: self._written(event, line == "replay")
        link.put(line, message)

    def _may_begin(self, lane: int, is_replay: bool) -> bool:
        if self._credit.left <= 0 or (self._replaying > 0 and not is_replay):
            return False
        return lane == 0 or self._lane(lane).left > 0

    def _lane(self, lane: int) -> Credit:
        link = self._session.link
        window = None if link is None else link.peer.limits.laneWindowBytes
        return self._lane_credit.setdefault(lane, Credit(window))

    def _begin(self, event: OutgoingEvent, is_replay: bool) -> Optional[bytes]:
        if event.settled:  # the peer had it already
            self._replayed(is_replay)
            return None
        cost = cost_of(event.body)
        self._credit.spend(cost)
        if event.lane != 0:
            self._lane(event.lane).spend(cost)
        if not is_replay:
            self._next(event)
        if not event.message.at_least_once:
            self._passing.add(event)
        elif event.number == 0:
            self._last += 1
            event.number = self._last
            self._numbered[event.number] = event
        return self._encode(event, event.number)

    def _next(self, event: OutgoingEvent) -> None:
        """A lane's first event begins: the next one may follow."""
        queue = self._queues[event.lane]
        queue.popleft()
        link = self._session.link
        if not queue:
            del self._queues[event.lane]
        elif link is not None:
            self._put(link, queue[0], ("event", event.lane))

    def _encode(self, event: OutgoingEvent, number: int) -> bytes:
        numbered = number if event.message.at_least_once else None
        index = self._session.contract.index(event.message.name)
        return (
            encode_head(Head(index, None, event.trace, numbered, False, event.first)) + event.body
        )

    def _written(self, event: OutgoingEvent, is_replay: bool) -> None:
        event.whole = True
        self._replayed(is_replay)
        if not event.message.at_least_once:
            self._passing.discard(event)
            if not event.future.done():
                event.future.set_result(None)
        self._session.check_drained()

    def _replayed(self, is_replay: bool) -> None:
        if is_replay:
            self._replaying -= 1

    def _settle(self, event: OutgoingEvent) -> None:
        self._numbered.pop(event.number, None)
        event.settled = True
        if event.future.done():
            return
        if event.failure is None:
            event.future.set_result(None)
        else:
            _fail(event.future, event.failure)

    def _renumber(self) -> None:
        """A new session: what had begun in the old one keeps its identity, not its number."""
        waiting = self._waiting()
        self._queues.clear()
        for event in [*self._numbered.values(), *waiting]:
            if event.failure is not None:
                event.settled = True
                _fail(event.future, event.failure)
                continue
            if event.number:
                event.first = event.first or First(self._origin, event.number)
            event.number = 0
            event.whole = False
            self._queue(event)
        self._numbered.clear()
        self._settled = NumberSet()
        self._last = 0

    def unsettled(self) -> List[Tuple[str, int]]:
        """Name and number of each event that is not acknowledged; 0: it has not begun."""
        return [
            (event.message.name, event.number)
            for event in [*self._numbered.values(), *self._waiting()]
        ]


def _fail(future: "asyncio.Future[None]", error: HawserError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # seen: nobody needs to ask
