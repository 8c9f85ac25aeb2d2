"""Session: what both ends have of a session, over one connection after another.

Owns what outlives a connection. client.py and server.py say how connections are made.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Callable, Coroutine, Dict, Mapping, Optional, Set, Tuple

from .codecs import NOTHING
from .contract import Contract, Limits, Message
from .conversation import Conversation
from .credit import MAX_CREDIT, SessionWindow
from .deduplication import Deduplication, RecentEvents
from .emitter import Emitter
from .errors import Closed, ConnectionLost, HawserError
from .frames import Kind
from .heads import Trace
from .link import Link, Peer
from .receiver import Receiver

#: Bytes that wait for a peer that does not read, by default.
MAX_QUEUED_BYTES = 67_108_864
Handlers = Mapping[str, Callable[[Any, Any], Any]]


class Session:
    """One session. `side` is "client" or "server"."""

    side = "client"
    #: True if openings that crossed this side's DRAIN are answered with DRAINING.
    refuses_when_draining = False

    def __init__(
        self,
        contract: Contract,
        handlers: Optional[Handlers],
        limits: Limits,
        heartbeat: Tuple[float, float],
        deduplication: Optional[Deduplication],
        max_queued_bytes: int,
    ) -> None:
        self.contract = contract
        self.handlers: Dict[str, Callable[[Any, Any], Any]] = dict(handlers or {})
        self.limits = limits
        #: Bytes that may wait for a peer that does not read.
        self.max_queued_bytes = max_queued_bytes
        #: Interval and timeout, in seconds.
        self.heartbeat = heartbeat
        self.deduplication = deduplication if deduplication is not None else RecentEvents()
        self.id = ""
        self.origin = ""
        #: Why the session is over, or None.
        self.over: Optional[HawserError] = None
        self.link: Optional[Link] = None
        self.peer: Optional[Peer] = None
        self.items_window = SessionWindow(
            MAX_CREDIT if limits.connectionWindowBytes is None else limits.connectionWindowBytes
        )
        self.emitter = Emitter(self)
        self.receiver = Receiver(self)
        self.ended = asyncio.Event()
        self._tasks: Set["asyncio.Task[Any]"] = set()

    # For programs.

    async def request(
        self,
        name: str,
        value: Any = NOTHING,
        *,
        timeout: Optional[float] = None,
        trace: Optional[Trace] = None,
    ) -> Any:
        """Calls a request of the contract, and returns its answer. `timeout`: seconds; the peer is
        told of it.

        Raises Failed: the contract's error, or how else the call failed; ConnectionLost.
        """
        call = await self.call(name, value, timeout=timeout, trace=trace)
        try:
            return await call.result()
        except asyncio.CancelledError:
            call.give_up()
            raise

    async def call(
        self,
        name: str,
        value: Any = NOTHING,
        *,
        timeout: Optional[float] = None,
        trace: Optional[Trace] = None,
    ) -> Conversation:
        """As `request`, for a program that does something else meanwhile: `await call.result()`,
        `call.give_up()`.
        """
        conversation = await self._connected().open(
            Kind.REQUEST, name, value, _deadline(timeout), trace, False
        )
        self._limit(conversation, timeout)
        return conversation

    def _limit(self, conversation: Conversation, timeout: Optional[float]) -> None:
        if timeout is not None:
            timer = asyncio.get_running_loop().call_later(
                timeout, conversation.give_up, "DEADLINE_EXCEEDED"
            )
            conversation.when_over = timer.cancel

    async def stream(
        self,
        name: str,
        value: Any = NOTHING,
        *,
        sends_items: Optional[bool] = None,
        timeout: Optional[float] = None,
        trace: Optional[Trace] = None,
    ) -> Conversation:
        """Opens a stream of the contract: iterate over its items with `async for`; `send()` and
        `end()` where the contract has the opener send items too, or `sends_items` says so.
        `timeout`: seconds, for all of it.
        """
        message = self.contract.find(name)
        sends = message is not None and message.sends_items if sends_items is None else sends_items
        conversation = await self._connected().open(
            Kind.STREAM, name, value, _deadline(timeout), trace, sends
        )
        self._limit(conversation, timeout)
        return conversation

    def emit(
        self, name: str, payload: Any = NOTHING, *, trace: Optional[Trace] = None
    ) -> "asyncio.Future[None]":
        """Emits an event. The future is done when the peer has handled one that is delivered at
        least once, or one at most once has left; it raises Failed where the peer's handler failed.

        An event at least once is kept, and sent again, while there is no connection.
        """
        return self.emitter.emit(name, payload, trace)

    async def fetch_contract(self) -> Any:
        """The server's contract as data. Raises Failed where it does not tell it."""
        return await self._connected().fetch_contract()

    async def ping(self) -> float:
        """The round trip in seconds."""
        return await self._connected().ping()

    def drain(self) -> None:
        """Asks the peer to open nothing more: it closes when nothing is open."""
        self._connected().drain()

    async def close(self, code: str = "NORMAL", message: str = "") -> None:
        """Ends the session with CLOSE. Returns when the stream is closed."""
        link = self.link
        if link is None:
            self.finish(Closed(code, message, False))
            return
        link.close(code, message)
        await link.ended.wait()

    # For the link.

    def peer_knows(self, message: Message) -> bool:
        return self.peer is not None and self.peer.knows(message)

    def check_size(self, name: str, body: bytes) -> None:
        most = (
            self.limits.maxMessageBytes if self.peer is None else self.peer.limits.maxMessageBytes
        )
        if len(body) > most:
            raise HawserError(
                f"{name!r} has {len(body)} bytes, and the peer takes {most} (its maxMessageBytes)"
            )

    def release_items(self, cost: int) -> None:
        self.items_window.release(cost)
        self.give_back_items()

    def give_back_items(self) -> None:
        link = self.link
        if link is None or link.over is not None or self.limits.connectionWindowBytes is None:
            return
        give = self.items_window.due()
        if give:
            link.frame(Kind.WINDOW, 0, give.to_bytes(4, "big"))

    def announce(self) -> Limits:
        """The limits for a greeting: of the windows, what is not held already."""
        items = self.items_window.announce()
        return replace(
            self.limits,
            eventWindowBytes=self.receiver.announce(),
            connectionWindowBytes=None if self.limits.connectionWindowBytes is None else items,
        )

    def attach(
        self, link: Link, peer: Peer, is_new: bool, received: int, session_id: str, origin: str
    ) -> None:
        """The session is ready on a connection."""
        self.peer = peer
        self.link = link
        self.id, self.origin = session_id, origin
        self.receiver.attached(link, is_new, origin)
        self.give_back_items()
        self.emitter.attached(link, is_new, received, origin)
        link.start()

    def link_ended(self, link: Link, error: HawserError) -> None:
        if self.link is not link:
            return
        self.link = None
        self.emitter.detached()
        if isinstance(error, ConnectionLost):
            self.lost(error)
        else:
            self.finish(error)

    def lost(self, error: ConnectionLost) -> None:
        """The connection is lost; an end says what becomes of the session."""

    def finish(self, error: HawserError) -> None:
        """The session is over."""
        if self.over is not None:
            return
        self.over = error
        self.emitter.close(error)
        self.receiver.close()
        self.ended.set()

    def check_drained(self) -> None:
        if self.link is not None:
            self.link.close_if_drained()

    def spawn(self, run: Coroutine[Any, Any, Any]) -> None:
        """Runs something for the session."""
        task = asyncio.ensure_future(run)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _connected(self) -> Link:
        if self.link is None:
            raise self.over or ConnectionLost("there is no connection", False)
        return self.link


def _deadline(timeout: Optional[float]) -> Optional[int]:
    return None if timeout is None else max(1, min(4_294_967_295, round(timeout * 1_000)))
