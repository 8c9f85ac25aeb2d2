"""Receiver: the events that the peer sends, over one connection after another (PROTOCOL.md §5 and
§8).

Owns their lanes, numbers and duplicates, and what the peer is told of them: ACK, REJECT, CREDIT,
LANE.

    EVENT -> [lane: waiting] -> handler -> REJECT, ACK, CREDIT, LANE      one at a time in a lane
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import struct
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, Dict, List, NamedTuple, Optional

from .codecs import decode_body
from .contract import Message
from .credit import SessionWindow, cost_of
from .errors import Failed, Invalid, Violation, make_failure
from .frames import MAX_RANGES, Frame, Kind
from .heads import First, Head, Trace, decode_head, peek_number
from .numbers import NumberSet

if TYPE_CHECKING:
    from .link import Link
    from .session import Session

log = logging.getLogger("hawser")

#: Events that are handled at once, of as many lanes.
MAX_HANDLERS = 16
#: Rejections that the peer is not known to have: from the first on it is asked, at the second no
#: event begins.
PROVE_REJECTS = 64
MAX_REJECTS = 256


class Event:
    """What the handler of an event gets beside its payload."""

    def __init__(
        self, session: "Session", message: Message, trace: Optional[Trace], id: Optional[str]
    ) -> None:
        self.session = session
        self.name = message.name
        self.trace = trace
        #: The same however often it is sent, in whatever session; None for an event at most once.
        self.id = id


class _Waiting(NamedTuple):
    message: Optional[Message]
    head: Head
    body: bytes
    cost: int
    epoch: int
    origin: str


class _Lane:
    def __init__(self) -> None:
        self.queue: Deque[_Waiting] = deque()
        self.running = False
        #: Cost of this connection's events that the lane has not given back.
        self.owed = 0

    @property
    def is_idle(self) -> bool:
        return not self.running and not self.queue


class _Begun:
    """An event of which the first pieces have come."""

    def __init__(self, lane: int) -> None:
        self.lane = lane
        self.number: Optional[int] = None
        #: The least credit with which an event began behind it.
        self.least: float = float("inf")


class Receiver:
    def __init__(self, session: "Session") -> None:
        self._session = session
        self.window = SessionWindow(session.limits.eventWindowBytes)
        self._lanes: Dict[int, _Lane] = {}
        self._ready: Deque[int] = deque()
        self._running = 0
        self._came = NumberSet()
        self._handled = NumberSet()
        self._acked = 0
        self._ack_due = False
        self._rejects: List["tuple[int, bytes]"] = []
        self._rejected = 0
        self._asked = 0
        self._epoch = 0
        self._origin = ""
        self._begun: List[_Begun] = []
        self._highest_begun = 0

    @property
    def received(self) -> int:
        return self._came.up_to

    @property
    def is_idle(self) -> bool:
        return all(lane.is_idle for lane in self._lanes.values())

    def announce(self) -> int:
        for lane in self._lanes.values():
            lane.owed = 0
        return self.window.announce()

    def attached(self, link: "Link", is_new: bool, origin: str) -> None:
        self._begun = []
        self._highest_begun = 0
        if is_new:
            self._epoch += 1
            self._came, self._handled = NumberSet(), NumberSet()
            self._acked = 0
            self._rejects = []
        self._origin = origin
        for _, payload in self._rejects:
            link.frame(Kind.REJECT, 0, payload)
        if self._handled.highest:
            self._acknowledge(link)
        self.give_back()
        if self._rejects:
            link.ping()
        self._pump()

    def close(self) -> None:
        for lane in self._lanes.values():
            for waiting in lane.queue:
                self.window.release(waiting.cost)
            lane.queue.clear()

    # What comes.

    def begins(self, frame: Frame) -> None:
        """The first piece of an event has come, or the whole event."""
        if self.window.left <= 0:
            raise Violation("events-flow", "sent an event without credit", "FLOW_VIOLATION")
        lane_window = self._session.limits.laneWindowBytes
        if (
            frame.id
            and lane_window is not None
            and frame.id in self._lanes
            and self._lanes[frame.id].owed >= lane_window
        ):
            raise Violation(
                "lanes-flow",
                f"sent an event without credit in its lane {frame.id}",
                "FLOW_VIOLATION",
            )
        if self._begun:
            self._begun[-1].least = min(self._begun[-1].least, self.window.left)
        if frame.more:
            self._begun.append(_Begun(frame.id))

    def grew(self, frame: Frame, part: bytes) -> None:
        """More has come of an event that is not whole."""
        begun = next((each for each in self._begun if each.lane == frame.id), None)
        if begun is None or begun.number is not None:
            return
        begun.number = peek_number(part)
        if begun.number is not None:
            self._highest_begun = max(self._highest_begun, begun.number)
            self._check_gap(0)

    def arrived(self, link: "Link", frame: Frame, payload: bytes) -> None:
        head, body = decode_head(Kind.EVENT, payload)
        cost = cost_of(body)
        was_any = bool(self._begun)
        self._finish_begun(frame.id, cost)
        message = link.message_of(head.name)
        number = head.number or 0
        if number or was_any:
            self._highest_begun = max(self._highest_begun, number)
            self._check_gap(number)
        lane = self._lanes.setdefault(frame.id, _Lane())
        self.window.hold(cost)
        lane.owed += cost
        if number and number in self._came:
            self.window.release(cost)
            self._give_back_lane(frame.id, lane, cost)
            self.give_back()
            return
        if number:
            self._came.add(number)
        lane.queue.append(_Waiting(message, head, body, cost, self._epoch, self._origin))
        if not lane.running and frame.id not in self._ready:
            self._ready.append(frame.id)
        self._pump()

    def _finish_begun(self, lane: int, cost: int) -> None:
        at = next((at for at, each in enumerate(self._begun) if each.lane == lane), None)
        if at is None:
            return
        for each in self._begun[at:]:
            each.least -= cost
        had_credit = all(each.least > 0 for each in self._begun[at:])
        begun = self._begun.pop(at)
        if at > 0:
            self._begun[at - 1].least = min(self._begun[at - 1].least, begun.least)
        if not had_credit:
            raise Violation(
                "events-flow",
                "sent an event without credit behind one that took it all",
                "FLOW_VIOLATION",
            )

    def _check_gap(self, number: int) -> None:
        missing = self._came.missing_below(self._highest_begun)
        known = {number, *(each.number for each in self._begun if each.number is not None)}
        left = sum(1 for each in missing if each not in known)
        if left > sum(1 for each in self._begun if each.number is None):
            raise Violation(
                "events-numbers", f"sent the event {self._highest_begun} after {self._came.up_to}"
            )

    # Handling.

    def _pump(self) -> None:
        while self._ready and self._running < MAX_HANDLERS and len(self._rejects) < MAX_REJECTS:
            id = self._ready.popleft()
            lane = self._lanes[id]
            if lane.running or not lane.queue:
                continue
            lane.running = True
            self._running += 1
            self._session.spawn(self._handle(id, lane, lane.queue.popleft()))

    async def _handle(self, id: int, lane: _Lane, waiting: _Waiting) -> None:
        failure: Optional[Failed] = None
        try:
            await self._run(waiting)
        except Failed as error:
            failure = error
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception(
                "the handler of the event %s failed", waiting.message and waiting.message.name
            )
            failure = Failed("HANDLER_FAILED", "the handler failed")
        lane.running = False
        self._running -= 1
        number = waiting.head.number
        if number and waiting.epoch == self._epoch:
            if failure is not None:
                self._reject(number, failure)
            self._handled.add(number)
            self._schedule_ack()
        self.window.release(waiting.cost)
        self.give_back()
        self._give_back_lane(id, lane, 0)
        if lane.queue and id not in self._ready:
            self._ready.append(id)
        self._pump()
        self._session.check_drained()

    async def _run(self, waiting: _Waiting) -> None:
        session, message, head = self._session, waiting.message, waiting.head
        own = None if message is None else session.contract.find(message.name)
        if (
            own is None
            or message is None
            or not own.fits(message)
            or own.type != "event"
            or own.sender == session.side
        ):
            log.warning(
                "dropped an event that this side's contract does not have, or not from the peer"
            )
            raise Failed("UNKNOWN_MESSAGE", "there is no such event here")
        try:
            value = decode_body(own.codec, waiting.body)
            if own.check is not None:
                value = own.check(value)
        except ValueError as error:
            log.warning("dropped an invalid event %s: %s", own.name, error)
            raise Failed(
                "INPUT_INVALID",
                "the event is invalid",
                path=error.path if isinstance(error, Invalid) else [],
            ) from error
        handler = session.handlers.get(own.name)
        id = None if not head.number else (head.first or First(waiting.origin, head.number)).id
        if handler is None:
            if head.number:
                raise Failed("UNKNOWN_MESSAGE", f"nobody handles the event {own.name!r}")
            return
        memory = session.deduplication
        if id is not None and head.first is not None and await _settled(memory.seen(id)):
            return
        await _settled(handler(value, Event(session, own, head.trace, id)))
        if id is not None:
            await _settled(memory.remember(id))

    # What the peer is told.

    def _schedule_ack(self) -> None:
        if not self._ack_due:
            self._ack_due = True
            asyncio.get_running_loop().call_soon(self._ack)

    def _ack(self) -> None:
        self._ack_due = False
        link = self._session.link
        if link is not None and link.over is None:
            self._acknowledge(link)
            self._session.check_drained()

    def acknowledge_now(self) -> None:
        """An ACK that is due is written now."""
        if self._ack_due:
            self._ack()

    def _acknowledge(self, link: "Link") -> None:
        ranges = self._handled.ranges
        for at in range(0, max(1, len(ranges)), MAX_RANGES):
            part = b"".join(
                struct.pack(">QQ", first, last) for first, last in ranges[at : at + MAX_RANGES]
            )
            link.frame(Kind.ACK, 0, struct.pack(">Q", self._handled.up_to) + part)

    def _reject(self, number: int, failure: Failed) -> None:
        code = "HANDLER_FAILED" if failure.code == "NAMED" else failure.code
        payload = struct.pack(">Q", number) + make_failure(
            Failed(code, failure.message[:1_000], path=failure.path)
        )
        self._rejected += 1
        self._rejects.append((self._rejected, payload))
        link = self._session.link
        if link is not None and link.over is None:
            link.frame(Kind.REJECT, 0, payload)
            if len(self._rejects) >= PROVE_REJECTS:
                link.ping()

    def pinged(self) -> None:
        """A PING is sent: its PONG proves that the peer has the rejections so far."""
        self._asked = self._rejects[-1][0] if self._rejects else 0

    def ponged(self) -> None:
        self._rejects = [each for each in self._rejects if each[0] > self._asked]
        link = self._session.link
        if len(self._rejects) >= PROVE_REJECTS and link is not None:
            link.ping()
        self._pump()

    def give_back(self) -> None:
        link = self._session.link
        if link is None or link.over is not None:
            return
        give = self.window.due()
        if give:
            link.frame(Kind.CREDIT, 0, struct.pack(">I", give))

    def _give_back_lane(self, id: int, lane: _Lane, cost: int) -> None:
        """Of a duplicate at once, else when nothing of the lane waits or is handled."""
        link = self._session.link
        due = min(lane.owed, lane.owed if lane.is_idle else cost)
        if id and due > 0 and link is not None and link.over is None:
            if self._session.limits.laneWindowBytes is not None:
                link.frame(Kind.LANE, id, struct.pack(">I", due))
            lane.owed -= due
        if lane.is_idle:
            self._lanes.pop(id, None)


async def _settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
