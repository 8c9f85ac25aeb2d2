"""Outbox: what waits to be written on a connection (PROTOCOL.md §1).

Owns the pieces of large messages, the turns that ids take between them, and how many messages may
be begun. Must not know what a message means.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Callable, Deque, Hashable, List, Optional

from .frames import MAX_PAYLOAD, Kind, encode_frame


class Outgoing:
    """A message on its way out."""

    def __init__(self, kind: Kind, id: int, payload: bytes, cost: int = 0) -> None:
        self.kind = kind
        self.id = id
        self.payload = payload
        self.cost = cost
        #: Bytes of it that are written, and whether it is begun, and written whole.
        self.at = 0
        self.begun = False
        self.done = False
        #: False: it has to wait for credit.
        self.may_begin: Optional[Callable[[], bool]] = None
        #: Called before its first piece is written: returns its payload, or None where it is
        #: dropped.
        self.begin: Optional[Callable[[], Optional[bytes]]] = None
        #: Called behind its last piece.
        self.written: Optional[Callable[[], None]] = None
        #: Bytes of the payload, which `begin` does not change.
        self.size = len(payload)


class Outbox:
    """Frames that may come between pieces leave first; then the messages, one piece of each line in
    turn. The messages of a line keep their order, and are not mixed.
    """

    def __init__(self, max_partials: int, piece_bytes: int = MAX_PAYLOAD) -> None:
        self._max_partials = max_partials
        self._piece_bytes = piece_bytes
        self._frames: Deque[bytes] = deque()
        self._lines: "OrderedDict[Hashable, Deque[Outgoing]]" = OrderedDict()
        self._unfinished = 0
        #: Bytes that wait: of the messages those that are there before they begin.
        self.queued_bytes = 0

    def put_frame(self, kind: Kind, id: int = 0, payload: bytes = b"") -> None:
        frame = encode_frame(kind, id, payload)
        self._frames.append(frame)
        self.queued_bytes += len(frame)

    def put_message(self, line: Hashable, message: Outgoing) -> Outgoing:
        self.queued_bytes += message.size
        self._lines.setdefault(line, deque()).append(message)
        return message

    def holds(self, line: Hashable) -> bool:
        """True if something of a line is not written yet."""
        return line in self._lines

    def drop(self, line: Hashable) -> List[Outgoing]:
        """Forgets what is not written of a line, and returns it."""
        dropped = self._lines.pop(line, None)
        if dropped and dropped[0].begun:
            self._unfinished -= 1
        self.queued_bytes -= sum(message.size for message in dropped or ())
        return list(dropped or ())

    def purge(self, line: Hashable) -> None:
        """Forgets what has not begun of a line."""
        queue = self._lines.get(line)
        if queue is None:
            return
        kept = [message for message in queue if message.begun]
        self.queued_bytes -= sum(message.size for message in queue if not message.begun)
        queue.clear()
        queue.extend(kept)
        if not queue:
            del self._lines[line]

    def next(self) -> Optional[bytes]:
        """The next frame to write, or None."""
        while True:
            if self._frames:
                frame = self._frames.popleft()
                self.queued_bytes -= len(frame)
                return frame
            line = self._movable()
            if line is None:
                return None
            queue = self._lines[line]
            message = queue[0]
            if not message.begun and message.begin is not None:
                payload = message.begin()
                if payload is None:
                    queue.popleft()
                    self.queued_bytes -= message.size
                    if not queue:
                        del self._lines[line]
                    continue
                message.payload = payload
            return self._piece(line, queue, message)

    def _movable(self) -> Optional[Hashable]:
        for line, queue in self._lines.items():
            message = queue[0]
            if message.begun:
                return line
            if message.size > self._piece_bytes and self._unfinished >= self._max_partials:
                continue
            if message.may_begin is None or message.may_begin():
                return line
        return None

    def _piece(self, line: Hashable, queue: Deque[Outgoing], message: Outgoing) -> bytes:
        piece = message.payload[message.at : message.at + self._piece_bytes]
        message.at += len(piece)
        more = message.at < len(message.payload)
        self._unfinished += int(more) - int(message.begun)
        message.begun = True
        if not more:
            queue.popleft()
            message.done = True
            self.queued_bytes -= message.size
        del self._lines[line]
        if queue:
            self._lines[line] = queue  # last: the other lines have their turn first
        frame = encode_frame(message.kind, message.id, piece, more)
        if not more and message.written is not None:
            message.written()
        return frame
