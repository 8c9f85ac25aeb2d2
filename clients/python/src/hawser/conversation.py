"""Conversation: one request or stream, at its opener and its responder (PROTOCOL.md §4, §5).

Owns the items that wait, the stream's credit, and the outcome. Must not know frames.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Deque, Optional, Tuple, Union

from .codecs import decode_body
from .contract import Check, Message
from .credit import Credit, StreamWindow, cost_of
from .errors import Failed, HawserError, Invalid
from .heads import Trace
from .outbox import Outgoing

if TYPE_CHECKING:
    from .link import Link
    from .session import Session


class Outcome:
    """RESULT with its value, or END."""

    def __init__(self, value: Any = None) -> None:
        self.value = value


class Conversation:
    """The value of `stream()`, and what a handler of a call gets beside its input."""

    def __init__(self, link: "Link", id: int, mine: bool, is_stream: bool) -> None:
        self.id = id
        #: True if this side opened it.
        self.mine = mine
        self.is_stream = is_stream
        self.name = ""
        self.trace: Optional[Trace] = None
        self.deadline_ms: Optional[int] = None
        #: Why the opener gave it up, or the deadline passed: a code of PROTOCOL.md §6; None: it is
        #: open.
        self.cancel_code: Optional[str] = None
        #: True if the peer takes no more items.
        self.is_refused = False
        self.my_part_over = False
        self.their_part_over = False
        self.sends_items = False
        self.cancelled = False
        self.stopped = False
        self.opening: Optional[Outgoing] = None
        #: Bytes of the body that opened it, at its responder.
        self.input_bytes = 0
        self.task: Optional["asyncio.Task[Any]"] = None
        self.credit = Credit(link.peer.limits.windowBytes)
        self.window = StreamWindow(link.session.limits.windowBytes)
        self.takes_items = True
        self._held = 0
        self._link = link
        self._codec = "json"
        self._check: Optional[Check] = None
        self._inbox: Deque[Tuple[Any, int]] = deque()
        self._outcome: Union[None, Outcome, HawserError] = None
        #: Called when the outcome is known.
        self.when_over: Optional[Callable[[], None]] = None
        self._changed = asyncio.Event()
        self._sendable = asyncio.Event()

    def of(self, message: Message) -> None:
        """Its message in this side's contract."""
        self.name, self._codec = message.name, message.codec
        if not self.mine:
            self._check = message.check_item
            self.takes_items = message.sends_items

    @property
    def session(self) -> "Session":
        return self._link.session

    @property
    def over(self) -> bool:
        return self.my_part_over and self.their_part_over

    # For programs.

    async def send(self, item: Any) -> bool:
        """Sends an item as soon as there is credit for it. Returns False where the peer takes no
        more items.

        Raises what ended the stream.
        """
        body = self._link.encode(self.name, self._codec, item)
        began: "Optional[asyncio.Future[None]]" = None
        while True:
            if began is not None and began.done():
                await self._link.room()
                return True
            if self.is_refused:
                return False
            if self.my_part_over:
                raise (
                    self._outcome
                    if isinstance(self._outcome, HawserError)
                    else HawserError("the stream is over")
                )
            if began is None:
                began = self._link.send_item(self, body)
                began.add_done_callback(lambda _: self.wake())
            self._sendable.clear()
            if not began.done():
                await self._sendable.wait()

    async def end(self) -> None:
        """Says that this side sends no more items."""
        self._link.end_part(self)

    async def cancel(self) -> None:
        """Gives the call or stream up. What still comes is dropped."""
        self.give_up()

    def give_up(self, code: str = "CANCELLED") -> None:
        """As `cancel`, at once, and with another reason."""
        self._link.cancel(self, code)

    def refuse(self) -> None:
        """Asks the peer to send no more items; the conversation goes on. Those that wait are
        dropped.
        """
        if not self.stopped and not self.their_part_over:
            self.stopped = True
            self.release_all()
            self._link.stop(self)

    def __aiter__(self) -> "Conversation":
        return self

    async def __anext__(self) -> Any:
        """The peer's next item. The iteration ends with its END, and raises what else ended the
        stream.
        """
        while not self._inbox and self._outcome is None:
            self._changed.clear()
            await self._changed.wait()
        if self._inbox:
            item, cost = self._inbox.popleft()
            self._release(cost)
            self._link.give_back(self, cost)
            return item
        if isinstance(self._outcome, HawserError):
            raise self._outcome
        raise StopAsyncIteration

    async def result(self) -> Any:
        """The value of a request's RESULT."""
        while self._outcome is None:
            self._changed.clear()
            await self._changed.wait()
        if isinstance(self._outcome, Outcome):
            return self._outcome.value
        raise self._outcome

    # For the link.

    def wake(self) -> None:
        """The sender looks again."""
        self._sendable.set()

    def release_all(self) -> None:
        """The program takes nothing more: the credit of all streams is due."""
        self._inbox.clear()
        if self._held:
            self._release(self._held)

    def _release(self, cost: int) -> None:
        self._held -= cost
        self._link.session.release_items(cost)

    def arrived(self, body: bytes) -> None:
        """An ITEM has come whole."""
        cost = cost_of(body)
        self.window.hold(cost)
        self._held += cost
        self._link.session.items_window.hold(cost)
        if (
            self.cancelled
            or self.stopped
            or not self.takes_items
            or (not self.mine and self.my_part_over)
        ):
            self._release(cost)
            return
        try:
            item = decode_body(self._codec, body)
            if self._check is not None:
                item = self._check(item)
        except ValueError as error:
            self._release(cost)
            path = error.path if isinstance(error, Invalid) else []
            if self.mine:
                self.finish(Failed("ITEM_INVALID", "the peer's item is invalid", path=path))
                self._link.cancel(self, "ITEM_INVALID")
            else:
                self._link.fail(self, Failed("ITEM_INVALID", "the item is invalid", path=path))
                self.stop("ITEM_INVALID")
            return
        self._inbox.append((item, cost))
        self._changed.set()

    def answered(self, body: bytes) -> None:
        try:
            self.finish(Outcome(decode_body(self._codec, body)))
        except ValueError:
            self.finish(Failed("OUTPUT_INVALID", "the peer's answer can't be read", path=[]))

    def finish(self, outcome: Union[Outcome, HawserError]) -> None:
        if self._outcome is None:
            self._outcome = outcome
            if self.when_over is not None and self.mine:
                self.when_over()
        self._changed.set()
        self._sendable.set()

    def stop(self, code: str) -> None:
        """Nobody waits for the answer any more: the handler's task is cancelled, and answers when
        it ends.
        """
        if self.cancel_code is None:
            self.cancel_code = code
        self.release_all()
        self.finish(Failed(code, "the call was given up"))
        if self.task is not None:
            self.task.cancel()


Handler = Callable[[Any, Conversation], Any]
