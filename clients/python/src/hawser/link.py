"""Link: one connection under a session: its frames, its conversations, its heartbeat (PROTOCOL.md
§1 to §7).

Owns everything that ends with the connection. Must not know how connections are made.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import os
import struct
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from .codecs import decode_body, encode_body
from .contract import Limits, Message
from .conversation import Conversation, Outcome
from .credit import Credit, cost_of
from .errors import (
    Closed,
    ConnectionLost,
    Failed,
    HawserError,
    Invalid,
    Violation,
    make_cancel,
    make_closing,
    make_failure,
    read_cancel,
    read_closing,
    read_failure,
)
from .frames import Decoder, Frame, Joiner, Kind, encode_frame
from .heads import Head, Trace, decode_head, encode_head
from .outbox import Outbox, Outgoing

if TYPE_CHECKING:
    from .session import Session

log = logging.getLogger("hawser")

#: Bytes of the writer's buffer above which `send` waits.
HIGH_BYTES = 65_536
#: The name of the request for the server's contract, where both have the feature `contract`.
CONTRACT_NAME = 65_535


class Peer:
    """What the handshake told of the peer."""

    def __init__(
        self, messages: Tuple[Message, ...], limits: Limits, version: int, features: Tuple[str, ...]
    ) -> None:
        self.messages = messages
        self.limits = limits
        self.version = version
        self.features = features
        self._names = {message.name: message for message in messages}

    def knows(self, message: Message) -> bool:
        own = self._names.get(message.name)
        return own is not None and own.fits(message)


class Link:
    def __init__(
        self,
        session: "Session",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        decoder: Decoder,
        peer: Peer,
    ) -> None:
        self.session = session
        self.peer = peer
        self.over: Optional[HawserError] = None
        self.ended = asyncio.Event()
        self.drain_sent = False
        self.drain_received = False
        self.items_credit = Credit(peer.limits.connectionWindowBytes)
        self._reader = reader
        self._writer = writer
        self._decoder = decoder
        self._joiner = Joiner(session.limits.maxPartials, session.limits.maxMessageBytes)
        self._outbox = Outbox(peer.limits.maxPartials)
        self._mine: Dict[int, Conversation] = {}
        self._theirs: Dict[int, Conversation] = {}
        self._freed = asyncio.Event()
        self._wake = asyncio.Event()
        self._heard = time.monotonic()
        self._ping: Optional[Tuple[bytes, float, "asyncio.Future[float]"]] = None
        #: Called with the first byte behind the greeting.
        self.heard_first: Optional[Callable[[], None]] = None
        self._receivers: Dict[Kind, Callable[[Frame, bytes], None]] = {
            Kind.PING: self._on_ping,
            Kind.PONG: self._on_pong,
            Kind.DRAIN: self._on_drain,
            Kind.CLOSE: self._on_close,
            Kind.ACK: self._on_ack,
            Kind.REJECT: self._on_reject,
            Kind.CREDIT: self._on_credit,
            Kind.WINDOW: self._on_window,
            Kind.LANE: self._on_lane,
            Kind.REQUEST: self._on_opening,
            Kind.STREAM: self._on_opening,
            Kind.EVENT: self._on_event,
            Kind.RESULT: self._on_result,
            Kind.FAIL: self._on_fail,
            Kind.CANCEL: self._on_cancel,
            Kind.ITEM: self._on_item,
            Kind.END: self._on_end,
            Kind.STOP: self._on_stop,
        }
        self._tasks: List["asyncio.Task[None]"] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.ensure_future(loop) for loop in (self._read(), self._write(), self._beat())
        ]

    # Reading and writing.

    async def _read(self) -> None:
        try:
            while self.over is None:
                frame = self._decoder.next_frame()
                while frame is not None and self.over is None:
                    self._receive(frame)
                    if frame.kind in (Kind.REQUEST, Kind.STREAM):
                        await asyncio.sleep(0)  # handlers begin in the order of their calls
                        if self.over is not None:
                            break
                    frame = self._decoder.next_frame()
                if self.over is not None:
                    break
                data = await self._reader.read(65_536)
                if not data:
                    self.end(ConnectionLost("the stream ended without CLOSE"))
                    break
                self._heard = time.monotonic()
                if self.heard_first is not None:
                    self.heard_first()
                    self.heard_first = None
                self._decoder.feed(data)
        except Violation as violation:
            self.end(violation, violation.code, str(violation))
        except OSError as error:
            self.end(ConnectionLost(f"the stream failed: {error}"))
        except Exception as error:  # a fault of this package: say so, and let nobody wait
            log.exception("the session failed")
            self.end(
                HawserError(f"the session failed: {error!r}"),
                "PROTOCOL_VIOLATION",
                "the program failed",
            )

    async def _write(self) -> None:
        try:
            while self.over is None:
                data = self._outbox.next()
                if data is None:
                    self._wake.clear()
                    await self._wake.wait()
                else:
                    self._writer.write(data)
                    await self._writer.drain()
        except OSError as error:
            self.end(ConnectionLost(f"the stream failed: {error}"))

    async def room(self) -> None:
        """Waits while much is written and not yet sent."""
        while self.over is None and self._writer.transport.get_write_buffer_size() > HIGH_BYTES:
            await asyncio.sleep(0.001)

    def frame(self, kind: Kind, id: int = 0, payload: bytes = b"") -> None:
        self._outbox.put_frame(kind, id, payload)
        self._wake.set()
        self._check_queue()

    def put(self, line: Any, message: Outgoing) -> Outgoing:
        self._wake.set()
        self._outbox.put_message(line, message)
        self._check_queue()
        return message

    def _check_queue(self) -> None:
        """A peer that asks and does not read ends its session: its answers are not kept for ever."""
        most = self.session.max_queued_bytes
        if self._outbox.queued_bytes > most and self.over is None:
            error = HawserError(f"more than max_queued_bytes ({most}) wait: the peer does not read")
            self.end(error, "OVERLOADED", "more waits than is kept for a peer that does not read")

    def _send(self, kind: Kind, id: int, payload: bytes = b"", cost: int = 0) -> Outgoing:
        return self.put(id, Outgoing(kind, id, payload, cost))

    def encode(self, name: str, codec: str, value: Any) -> bytes:
        body = encode_body(codec, value)
        self.session.check_size(name, body)
        return body

    def _receive(self, frame: Frame) -> None:
        begins = self._joiner.begins(frame)
        if begins:
            self._begin(frame)
        payload = self._joiner.add(frame)
        if payload is not None:
            self._receivers[frame.kind](frame, payload)
        elif frame.kind == Kind.EVENT:
            self.session.receiver.grew(frame, self._joiner.partial(frame))

    def _begin(self, frame: Frame) -> None:
        """The rules for the first piece of something."""
        kind, id = frame.kind, frame.id
        if kind not in self._receivers:
            raise Violation("handshake-frames", f"sent {kind.name} behind the handshake")
        if kind in (Kind.REQUEST, Kind.STREAM):
            if self.drain_received:
                raise Violation("drain-opens", "opened a conversation behind its DRAIN")
            if self._is_mine(id):
                raise Violation(
                    "id-parity", f"opened a conversation with the id {id}, which is of this side"
                )
            if id in self._theirs:
                raise Violation(
                    "id-free", f"opened a conversation with the id {id}, which is in use"
                )
            if len(self._theirs) >= self.session.limits.maxConversations:
                raise Violation(
                    "max-conversations",
                    f"opened more than {self.session.limits.maxConversations} conversations",
                )
            self._theirs[id] = Conversation(self, id, False, kind == Kind.STREAM)
        elif kind == Kind.EVENT:
            self.session.receiver.begins(frame)
        elif kind in (Kind.RESULT, Kind.FAIL, Kind.ITEM, Kind.END):
            self._begin_part(frame)

    def _begin_part(self, frame: Frame) -> None:
        kind, id = frame.kind, frame.id
        conversation = self._find(id)
        if conversation is None or (
            conversation.opening is not None and not conversation.opening.begun
        ):
            raise Violation(
                "states", f"sent {kind.name} for the conversation {id}, which is not open"
            )
        if kind in (Kind.RESULT, Kind.FAIL) and not conversation.mine:
            raise Violation("states", f"sent {kind.name} for {id} as its opener")
        if (
            kind == Kind.RESULT
            and conversation.is_stream
            or kind in (Kind.ITEM, Kind.END)
            and not conversation.is_stream
        ):
            raise Violation(
                "states",
                (
                    f"sent {kind.name} for {id}, which is "
                    f"{'a stream' if conversation.is_stream else 'a request'}"
                ),
            )
        if conversation.their_part_over:
            if not conversation.mine and conversation.my_part_over and kind == Kind.END:
                return
            raise Violation("states", f"sent {kind.name} for {id} behind its last frame")
        if kind == Kind.ITEM:
            if conversation.window.left <= 0:
                raise Violation(
                    "flow-stream", f"sent an item of {id} without credit", "FLOW_VIOLATION"
                )
            if (
                self.session.limits.connectionWindowBytes is not None
                and self.session.items_window.left <= 0
            ):
                raise Violation(
                    "flow-all", "sent an item without credit of all streams", "FLOW_VIOLATION"
                )

    # Conversations.

    def _is_mine(self, id: int) -> bool:
        return (id % 2 == 1) == (self.session.side == "client")

    def _find(self, id: int) -> Optional[Conversation]:
        return (self._mine if self._is_mine(id) else self._theirs).get(id)

    def message_of(self, name: int) -> Message:
        """The message of a head, in the peer's list."""
        if name >= len(self.peer.messages):
            raise Violation("name-index", f"named the message {name} of {len(self.peer.messages)}")
        return self.peer.messages[name]

    async def open(
        self,
        kind: Kind,
        name: str,
        value: Any,
        deadline_ms: Optional[int],
        trace: Optional[Trace],
        sends_items: bool,
    ) -> Conversation:
        message = self.session.contract.find(name)
        if (
            message is None
            or message.type != kind.name.lower()
            or message.sender not in (self.session.side, "both")
        ):
            raise HawserError(
                (
                    f"the contract has no {kind.name.lower()} {name!r} that the "
                    f"{self.session.side} opens"
                )
            )
        if not self.peer.knows(message):
            raise Failed(
                "UNKNOWN_MESSAGE",
                f"the peer has no {kind.name.lower()} {name!r}, or another of that name",
            )
        head = Head(self.session.contract.index(name), deadline_ms, trace, None, sends_items)
        payload = encode_head(head) + self.encode(name, message.codec, value)
        return await self._open(kind, payload, message, sends_items)

    async def fetch_contract(self) -> Any:
        if "contract" not in self.peer.features or self.session.side != "client":
            raise Failed("UNKNOWN_MESSAGE", "the server does not tell its contract")
        payload = encode_head(Head(CONTRACT_NAME))
        conversation = await self._open(
            Kind.REQUEST, payload, Message("$contract", "request"), False
        )
        return await conversation.result()

    async def _open(
        self, kind: Kind, payload: bytes, message: Message, sends_items: bool
    ) -> Conversation:
        while True:
            if self.over is not None:
                raise ConnectionLost(f"there is no connection: {self.over}", False)
            if self.drain_received or self.drain_sent:
                raise Failed("DRAINING", "there are no new conversations on this connection")
            if len(self._mine) < self.peer.limits.maxConversations:
                break
            self._freed.clear()
            await self._freed.wait()
        first = 1 if self.session.side == "client" else 2
        id = next(id for id in itertools.count(first, 2) if id not in self._mine)
        conversation = Conversation(self, id, True, kind == Kind.STREAM)
        conversation.of(message)
        conversation.my_part_over = not sends_items
        conversation.sends_items = sends_items
        self._mine[id] = conversation
        conversation.opening = self._send(kind, id, payload)
        return conversation

    def send_item(self, conversation: Conversation, body: bytes) -> "asyncio.Future[None]":
        """Puts an item last. The future is done when it begins; it is cancelled where it never
        does.
        """
        began: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()
        cost = cost_of(body)
        message = Outgoing(Kind.ITEM, conversation.id, body, cost)

        def begin() -> bytes:
            conversation.credit.spend(cost)
            self.items_credit.spend(cost)
            if not began.done():
                began.set_result(None)
            return body

        message.may_begin = lambda: conversation.credit.left > 0 and self.items_credit.left > 0
        message.begin = begin
        self.put(conversation.id, message)
        return began

    def end_part(self, conversation: Conversation) -> None:
        if not conversation.my_part_over and self.over is None:
            self._last(conversation, Kind.END)

    def stop(self, conversation: Conversation) -> None:
        if self.over is None and conversation.is_stream:
            self.frame(Kind.STOP, conversation.id)

    def _last(self, conversation: Conversation, kind: Kind, payload: bytes = b"") -> None:
        """This side's last frame of a conversation."""
        if kind == Kind.FAIL or conversation.is_refused:
            self._outbox.purge(conversation.id)  # items that wait for credit
        if kind == Kind.CANCEL:
            self.frame(kind, conversation.id, payload)
        else:
            self._send(kind, conversation.id, payload)
        conversation.my_part_over = True
        conversation.wake()
        if not conversation.mine:
            conversation.release_all()
        self._free_if_over(conversation)

    def fail(self, conversation: Conversation, failure: Failed) -> None:
        if conversation.my_part_over or self.over is not None:
            return
        try:
            payload = make_failure(failure)
        except (ValueError, TypeError):
            payload = make_failure(Failed("HANDLER_FAILED", "the error can't be sent"))
        if len(payload) > self.peer.limits.maxMessageBytes:
            payload = make_failure(Failed("HANDLER_FAILED", "the error is too large"))
        self._last(conversation, Kind.FAIL, payload)

    def cancel(self, conversation: Conversation, code: str) -> None:
        if (
            not conversation.mine
            or conversation.over
            or conversation.cancelled
            or self.over is not None
        ):
            return
        conversation.cancelled = True
        conversation.finish(Failed(code, "the call was given up here"))
        conversation.release_all()
        self._drop(conversation.id)
        if conversation.opening is not None and not conversation.opening.begun:
            conversation.my_part_over = conversation.their_part_over = True
            self._free_if_over(conversation)
        else:
            self._last(conversation, Kind.CANCEL, make_cancel(code))

    def _drop(self, id: int) -> None:
        """What is not written is not sent; an item that is cut off costs nothing."""
        for message in self._outbox.drop(id):
            if message.kind == Kind.ITEM and message.begun:
                self.items_credit.spend(-message.cost)
        self._wake.set()

    def give_back(self, conversation: Conversation, cost: int) -> None:
        """The program took an item."""
        give = conversation.window.take(cost)
        may_send = conversation.mine or not conversation.my_part_over
        if give and may_send and not conversation.their_part_over and self.over is None:
            self.frame(Kind.CREDIT, conversation.id, struct.pack(">I", give))

    def _free_if_over(self, conversation: Conversation) -> None:
        if not conversation.over:
            return
        if conversation.mine:
            self._mine.pop(conversation.id, None)
            self._freed.set()
        else:
            self._theirs.pop(conversation.id, None)
        self.close_if_drained()

    def _on_opening(self, frame: Frame, payload: bytes) -> None:
        conversation = self._theirs[frame.id]
        head, body = decode_head(frame.kind, payload)
        conversation.their_part_over = not head.sends_items
        if not head.sends_items:
            conversation.finish(Outcome())
        conversation.sends_items = head.sends_items
        conversation.trace, conversation.deadline_ms = head.trace, head.deadline_ms
        told = self.message_of(head.name)
        if conversation.my_part_over:  # answered before it was whole
            self._free_if_over(conversation)
            return
        message = self.session.contract.find(told.name)
        handler = self.session.handlers.get(told.name)
        wrong = message is None or not message.fits(told) or message.type != frame.kind.name.lower()
        if wrong or message is None or message.sender == self.session.side or handler is None:
            conversation.takes_items = False
            self.fail(
                conversation,
                Failed(
                    "UNKNOWN_MESSAGE", f"there is no {frame.kind.name.lower()} of this name here"
                ),
            )
            return
        if self.drain_sent and self.session.refuses_when_draining:
            self.fail(conversation, Failed("DRAINING", "no new conversation is opened here"))
            return
        others = sum(each.input_bytes for each in self._theirs.values() if not each.my_part_over)
        most = self.session.limits.maxInputBytes
        if most is not None and others and others + len(body) > most:
            self.fail(
                conversation, Failed("OVERLOADED", "the inputs of unanswered calls are too large")
            )
            return
        conversation.input_bytes = len(body)
        conversation.of(message)
        try:
            value = decode_body(message.codec, body)
            if message.check is not None:
                value = message.check(value)
        except ValueError as error:
            path = error.path if isinstance(error, Invalid) else []
            self.fail(conversation, Failed("INPUT_INVALID", "the input is invalid", path=path))
            return
        self._serve(conversation, handler, value, message)

    def _serve(
        self, conversation: Conversation, handler: Callable[..., Any], value: Any, message: Message
    ) -> None:
        """Calls the handler; what it returns is the answer, or a coroutine or generator that makes
        it.
        """
        try:
            result = handler(value, conversation)
            if not inspect.isasyncgen(result) and not inspect.isawaitable(result):
                self._answer(conversation, message, result)
                return
        except Exception as error:
            self._failed(conversation, error)
            return
        timer = None
        if conversation.deadline_ms is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(
                conversation.deadline_ms / 1_000, conversation.stop, "DEADLINE_EXCEEDED"
            )

        def over(task: "asyncio.Task[Any]") -> None:
            if timer is not None:
                timer.cancel()
            if inspect.iscoroutine(result):
                result.close()  # it never began where the task was cancelled before
            if task.cancelled():
                if conversation.cancel_code is not None:
                    late = conversation.cancel_code == "DEADLINE_EXCEEDED"
                    self.fail(
                        conversation,
                        Failed(
                            "DEADLINE_EXCEEDED" if late else "CANCELLED", "the call was given up"
                        ),
                    )
            elif task.exception() is not None:
                self._failed(conversation, task.exception())
            elif not conversation.my_part_over and self.over is None:
                try:
                    self._answer(conversation, message, task.result())
                except Exception as error:
                    self._failed(conversation, error)

        run = self._send_all(conversation, result) if inspect.isasyncgen(result) else _await(result)
        conversation.task = asyncio.ensure_future(run)
        conversation.task.add_done_callback(over)

    def _answer(self, conversation: Conversation, message: Message, result: Any) -> None:
        if conversation.my_part_over or self.over is not None:
            return
        if conversation.is_stream:
            self._last(conversation, Kind.END)
        else:
            self._last(conversation, Kind.RESULT, self.encode(message.name, message.codec, result))

    def _failed(self, conversation: Conversation, error: Optional[BaseException]) -> None:
        if isinstance(error, Failed) and error.code in ("NAMED", "OVERLOADED"):
            self.fail(conversation, error)
            return
        if not conversation.my_part_over:
            log.error("the handler of %s failed", conversation.name, exc_info=error)
        self.fail(conversation, Failed("HANDLER_FAILED", "the handler failed"))

    async def _send_all(self, conversation: Conversation, items: Any) -> None:
        try:
            async for item in items:
                if not await conversation.send(item):
                    break
        finally:
            await items.aclose()

    def _on_result(self, frame: Frame, payload: bytes) -> None:
        conversation = self._mine[frame.id]
        conversation.answered(payload)
        self._their_last(conversation)

    def _on_fail(self, frame: Frame, payload: bytes) -> None:
        conversation = self._mine[frame.id]
        conversation.finish(read_failure(payload, "FAIL"))
        self._their_last(conversation)

    def _on_end(self, frame: Frame, payload: bytes) -> None:
        conversation = self._find(frame.id)
        if conversation is None:
            return
        conversation.finish(Outcome())
        self._their_last(conversation)

    def _their_last(self, conversation: Conversation) -> None:
        conversation.their_part_over = True
        if conversation.mine and (
            not conversation.my_part_over or self._outbox.holds(conversation.id)
        ):
            self._drop(conversation.id)
            self._last(
                conversation, Kind.CANCEL
            )  # the responder's part is over: this side's must end soon
        self._free_if_over(conversation)

    def _on_item(self, frame: Frame, payload: bytes) -> None:
        conversation = self._find(frame.id)
        if conversation is not None:
            conversation.arrived(payload)

    def _on_cancel(self, frame: Frame, payload: bytes) -> None:
        if self._is_mine(frame.id):
            raise Violation("states", f"cancelled {frame.id}, which this side opened")
        code = read_cancel(payload)
        conversation = self._theirs.get(frame.id)
        if conversation is None:
            return  # it crossed the end
        self._joiner.drop(frame.id)
        conversation.their_part_over = True
        if conversation.task is None and not conversation.my_part_over:
            self.fail(
                conversation,
                Failed(
                    code if code == "DEADLINE_EXCEEDED" else "CANCELLED", "the call was given up"
                ),
            )
        else:
            conversation.stop(code)
        self._free_if_over(conversation)

    def _on_stop(self, frame: Frame, payload: bytes) -> None:
        conversation = self._find(frame.id)
        if conversation is None:
            return
        if not conversation.is_stream:
            raise Violation("credit-request", f"sent STOP for {frame.id}, which is a request")
        if conversation.my_part_over or conversation.is_refused:
            return
        conversation.is_refused = True
        conversation.wake()
        if conversation.mine:
            self._last(conversation, Kind.END)

    def _on_credit(self, frame: Frame, payload: bytes) -> None:
        if frame.id == 0:
            self.session.emitter.credited(payload)
            self._wake.set()
            return
        if payload == b"\0\0\0\0":
            raise Violation("credit-zero", "gave credit of 0 bytes")
        conversation = self._find(frame.id)
        if conversation is None:
            return
        if not conversation.is_stream:
            raise Violation("credit-request", f"sent CREDIT for {frame.id}, which is a request")
        conversation.credit.add(payload)
        self._wake.set()

    def _on_window(self, frame: Frame, payload: bytes) -> None:
        self.items_credit.add(payload)
        self._wake.set()

    # Events: the session keeps them, this connection carries them.

    def _on_lane(self, frame: Frame, payload: bytes) -> None:
        self.session.emitter.lane_credited(frame.id, payload)
        self._wake.set()

    def _on_event(self, frame: Frame, payload: bytes) -> None:
        self.session.receiver.arrived(self, frame, payload)

    def _on_ack(self, frame: Frame, payload: bytes) -> None:
        self.session.emitter.acknowledged(payload)
        self.close_if_drained()

    def _on_reject(self, frame: Frame, payload: bytes) -> None:
        self.session.emitter.rejected(payload)
        self.close_if_drained()

    # Life and end.

    async def _beat(self) -> None:
        interval, timeout = self.session.heartbeat
        while True:
            quiet = time.monotonic() - self._heard
            if quiet < interval:
                await asyncio.sleep(interval - quiet)
                continue
            asked = time.monotonic()
            self.ping()
            await asyncio.sleep(timeout)
            if self._heard < asked:
                error = ConnectionLost("nothing came within the heartbeat timeout")
                self.end(error, "HEARTBEAT_LOST", str(error))
                return

    def ping(self) -> "asyncio.Future[float]":
        """The round trip in seconds. At most one PING is unanswered: a second call shares the
        first's answer.
        """
        if self._ping is None:
            data = os.urandom(8)
            self.session.receiver.pinged()
            self._ping = (data, time.monotonic(), asyncio.get_running_loop().create_future())
            self.frame(Kind.PING, 0, data)
        return self._ping[2]

    def _on_ping(self, frame: Frame, payload: bytes) -> None:
        self.session.receiver.acknowledge_now()
        self.frame(Kind.PONG, 0, payload)

    def _on_pong(self, frame: Frame, payload: bytes) -> None:
        if self._ping is None or self._ping[0] != payload:
            raise Violation("pong-unasked", "sent a PONG that answers no PING")
        _, asked, answer = self._ping
        self._ping = None
        self.session.receiver.ponged()
        if not answer.done():
            answer.set_result(time.monotonic() - asked)

    def drain(self) -> None:
        if not self.drain_sent and self.over is None:
            self.drain_sent = True
            self.frame(Kind.DRAIN)

    def _on_drain(self, frame: Frame, payload: bytes) -> None:
        self.drain_received = True
        self._freed.set()
        self.close_if_drained()

    def close_if_drained(self) -> None:
        if not self.drain_received or self.over is not None or self._mine or self._theirs:
            return
        if self.session.emitter.is_settled and self.session.receiver.is_idle:
            self.session.receiver.acknowledge_now()
            self.close("DRAINED", "nothing is open any more")

    def _on_close(self, frame: Frame, payload: bytes) -> None:
        code, message = read_closing(payload)
        if code == "SESSION_REPLACED" and self.session.side == "server":
            code = "PROTOCOL_VIOLATION"  # only a server says so
        if code == "HEARTBEAT_LOST":
            self.end(ConnectionLost(f"the peer closed with {code}: {message}"))
        else:
            self.end(Closed(code, message, True))

    def close(self, code: str, message: str) -> None:
        """CLOSE, behind what waits to be written."""
        if self.over is None:
            for data in iter(self._outbox.next, None):
                self._writer.write(data)
            self.end(Closed(code, message, False), code, message)

    def end(self, error: HawserError, code: Optional[str] = None, message: str = "") -> None:
        """The connection is over; with a code, CLOSE is sent."""
        if self.over is not None:
            return
        self.over = error
        if code is not None:
            self._writer.write(encode_frame(Kind.CLOSE, 0, make_closing(code, message)))
        for conversation in [*self._mine.values(), *self._theirs.values()]:
            unsent = conversation.opening is not None and not conversation.opening.begun
            conversation.finish(
                ConnectionLost("nothing of it was sent", False) if unsent else error
            )
            conversation.my_part_over = conversation.their_part_over = True
            conversation.release_all()
            if conversation.task is not None:
                conversation.task.cancel()
        self._freed.set()
        if self._ping is not None:
            self._ping[2].cancel()
        self.session.link_ended(self, error)
        self.session.spawn(self._shut(code is not None))

    async def _shut(self, is_closing: bool) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await shut(self._reader, self._writer, is_closing)
        self.ended.set()

    def lose(self) -> None:
        """Drops the connection without CLOSE, as a network does."""
        self._writer.transport.abort()
        self.end(ConnectionLost("the connection was dropped here"))


async def shut(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, after_close: bool
) -> None:
    """Closes the stream. Behind a CLOSE the peer's bytes are read until it closes, for a second: a
    stream that is closed with unread bytes in it may lose the CLOSE too.
    """
    try:
        if after_close:
            if writer.can_write_eof():
                writer.write_eof()
            await asyncio.wait_for(_discard(reader), 1)
    except (OSError, asyncio.TimeoutError, RuntimeError):
        pass
    writer.close()
    try:
        await asyncio.wait_for(writer.wait_closed(), 1)
    except (OSError, asyncio.TimeoutError):
        pass


async def _await(result: Any) -> Any:
    return await result


async def _discard(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass
