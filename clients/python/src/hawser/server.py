"""Server: takes connections, lets clients in, keeps their sessions (PROTOCOL.md §3, §8)."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import ssl as ssl_module
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from .contract import Contract, Limits, Message, compare_lists, compare_versions, fingerprint
from .deduplication import Deduplication, RecentEvents
from .errors import Closed, ConnectionLost, HawserError, NotHawser, Refused, Violation, make_closing
from .frames import MAX_EARLY_PAYLOAD, MAX_PAYLOAD, SIGNATURE, Decoder, Frame, Kind, encode_frame
from .greetings import (
    MAX_LIST_BYTES,
    Hello,
    make_list,
    make_welcome,
    pieces_of,
    read_hello,
    read_messages,
)
from .link import Link, Peer, shut
from .session import MAX_QUEUED_BYTES, Handlers, Session

log = logging.getLogger("hawser")

#: Judges HELLO's `auth`: returns the principal, a value that a resumption must have again; raises
#: Refused.
Authenticate = Callable[[Any], Any]


class ServerSession(Session):
    """A client's session at the server."""

    side = "server"

    def __init__(self, server: "Server", principal: Any) -> None:
        super().__init__(
            server.contract,
            server.handlers,
            server.limits,
            server.heartbeat,
            server.deduplication,
            server.max_queued_bytes,
        )
        self.server = server
        self.principal = principal
        #: The identity that the client came with: it is taken once more until a byte has come
        #: behind WELCOME.
        self.former = ""
        self._expiry: Optional[asyncio.TimerHandle] = None

    def lost(self, error: ConnectionLost) -> None:
        window = self.server.resume_window
        if window <= 0 or self.server.is_closed:
            self.finish(error)
            return
        self._expiry = asyncio.get_running_loop().call_later(window, self.finish, error)

    def resumed(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def finish(self, error: HawserError) -> None:
        self.resumed()
        super().finish(error)
        self.server.forget(self)

    def replaced(self) -> None:
        """The client has come on another connection."""
        link = self.link
        if link is None:
            return
        self.link = None
        self.emitter.detached()
        link.end(
            Closed("SESSION_REPLACED", "resumed on another connection", False),
            "SESSION_REPLACED",
            "resumed on another connection",
        )


class Server:
    """Serves a contract. `listen()` begins."""

    def __init__(
        self,
        contract: Contract,
        handlers: Handlers,
        *,
        limits: Limits = Limits(),
        authenticate: Optional[Authenticate] = None,
        resume_window: float = 30.0,
        heartbeat: Tuple[float, float] = (15.0, 15.0),
        handshake_timeout: float = 10.0,
        deduplication: Optional[Deduplication] = None,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
        on_session: Optional[Callable[[ServerSession], Any]] = None,
    ) -> None:
        self.contract = contract
        self.handlers = handlers
        self.limits = limits
        self.heartbeat = heartbeat
        #: Seconds that a session is kept whose connection is lost.
        self.resume_window = resume_window
        self.deduplication = deduplication if deduplication is not None else RecentEvents()
        #: Bytes that may wait for a client that does not read.
        self.max_queued_bytes = max_queued_bytes
        self.is_closed = False
        self._authenticate = authenticate
        self._handshake_timeout = handshake_timeout
        self._on_session = on_session
        self._fingerprint = fingerprint(contract.messages)
        self._sessions: Dict[str, ServerSession] = {}
        self._is_draining = False
        self._listener: Optional[asyncio.AbstractServer] = None
        self._greeting: Set["asyncio.Task[Any]"] = set()

    @property
    def sessions(self) -> List[ServerSession]:
        return list({id(session): session for session in self._sessions.values()}.values())

    async def listen(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        path: Optional[str] = None,
        ssl: Optional[ssl_module.SSLContext] = None,
    ) -> int:
        """Listens on a port, or on the path of a Unix socket. Returns the port, or 0."""
        if path is not None:
            self._listener = await asyncio.start_unix_server(self._accept, path)
            return 0
        self._listener = await asyncio.start_server(self._accept, host, port, ssl=ssl)
        return int(self._listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Ends every session, and listens no more."""
        self.is_closed = True
        if self._listener is not None:
            self._listener.close()
        for task in list(self._greeting):
            task.cancel()
        await asyncio.gather(
            *(session.close() for session in self.sessions), return_exceptions=True
        )

    def drain(self) -> None:
        """Takes no new session, and asks the clients to open nothing more."""
        self._is_draining = True
        for session in self.sessions:
            if session.link is not None:
                session.link.drain()

    def forget(self, session: ServerSession) -> None:
        for id in (session.id, session.former):
            if self._sessions.get(id) is session:
                del self._sessions[id]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._greeting.add(task)
        decoder = Decoder()
        state = _Sent()
        try:
            await asyncio.wait_for(
                self._greet(reader, writer, decoder, state), self._handshake_timeout
            )
        except (NotHawser, ConnectionLost, OSError, asyncio.TimeoutError, asyncio.CancelledError):
            await shut(reader, writer, False)
        except Violation as violation:
            code = (
                violation.code
                if violation.code not in ("PROTOCOL_VIOLATION", "MESSAGE_TOO_LARGE")
                else "HELLO_INVALID"
            )
            if not decoder.is_signed:
                await shut(reader, writer, False)
                return
            await _refuse(reader, writer, state, code, str(violation))
        except Refused as refused:
            await _refuse(reader, writer, state, refused.code, refused.message)
        except Exception:
            log.exception("the handshake failed")
            await shut(reader, writer, False)
        finally:
            self._greeting.discard(task)

    async def _greet(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        decoder: Decoder,
        state: "_Sent",
    ) -> None:
        frame = await _next_frame(reader, decoder)
        if frame.kind != Kind.HELLO:
            raise Violation("hello-first", f"sent {frame.kind.name} before HELLO", "HELLO_INVALID")
        decoder.ignores = True
        hello = read_hello(frame.payload)
        compare_versions(self.contract, hello.name, hello.version, hello.accepts)
        if self._is_draining or self.is_closed:
            raise Refused("DRAINING", "the server is about to close")
        principal = await self._judge(hello.auth)
        has_own_list = hello.messages is None and hello.fingerprint == self._fingerprint
        if has_own_list:
            messages = self.contract.messages
        elif hello.messages is not None:
            messages = hello.messages
        else:
            _nothing_more(decoder)
            writer.write(SIGNATURE + encode_frame(Kind.WANT))
            state.signature = True
            messages = await _read_list(reader, decoder)
        compare_lists(self.contract, hello.version, messages)
        _nothing_more(decoder)
        self._welcome(reader, writer, decoder, state, hello, messages, principal, has_own_list)

    async def _judge(self, auth: Any) -> Any:
        if self._authenticate is None:
            return None
        try:
            principal = self._authenticate(auth)
            return await principal if inspect.isawaitable(principal) else principal
        except Refused:
            raise
        except Exception as error:
            log.exception("authenticate failed")
            raise Refused("AUTH_REFUSED", "the server does not let this client in") from error

    def _welcome(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        decoder: Decoder,
        state: "_Sent",
        hello: Hello,
        messages: Tuple[Message, ...],
        principal: Any,
        has_own_list: bool,
    ) -> None:
        found = self._find(hello, principal)
        session = found if found is not None else ServerSession(self, principal)
        received = 0
        if found is not None and hello.resume is not None:
            found.resumed()
            found.replaced()
            self.forget(found)
            found.former = hello.resume.session
            received = hello.resume.received
            self._sessions[found.former] = found
        id = os.urandom(16).hex()
        origin = session.origin or os.urandom(16).hex()
        self._sessions[id] = session
        limits = session.announce()
        features: Tuple[str, ...] = ()
        listed = make_list(self.contract)
        with_list = not has_own_list and len(listed) < 8_192
        if not state.signature:
            writer.write(SIGNATURE)
        if not has_own_list and not with_list:
            parts = pieces_of(listed, MAX_EARLY_PAYLOAD)
            for at, part in enumerate(parts):
                writer.write(encode_frame(Kind.MESSAGES, 0, part, at + 1 < len(parts)))
        window_ms = round(self.resume_window * 1_000)
        has = session.receiver.received if found is not None else 0
        payload = make_welcome(
            self.contract,
            limits,
            features,
            id,
            origin,
            found is not None,
            has,
            window_ms,
            with_list,
        )
        writer.write(encode_frame(Kind.WELCOME, 0, payload))
        decoder.max_payload = MAX_PAYLOAD
        peer = Peer(messages, hello.limits, hello.version, features)
        link = Link(session, reader, writer, decoder, peer)
        if found is not None:
            link.heard_first = lambda: self._spend(session)
        session.attach(link, peer, found is None, received, id, origin)
        if found is None and self._on_session is not None:
            self._on_session(session)

    def _find(self, hello: Hello, principal: Any) -> Optional[ServerSession]:
        """The session that goes on, or None."""
        if hello.resume is None:
            return None
        session = self._sessions.get(hello.resume.session)
        if session is None or session.over is not None or session.principal != principal:
            return None
        peer = session.peer
        if peer is not None and hello.limits.maxMessageBytes < peer.limits.maxMessageBytes:
            return None
        return session if session.emitter.can_have(hello.resume.received) else None

    def _spend(self, session: ServerSession) -> None:
        """The client has the newest identity: the former one is of no use any more."""
        if session.former and self._sessions.get(session.former) is session:
            del self._sessions[session.former]
        session.former = ""


class _Sent:
    """What was sent on a connection during the handshake."""

    def __init__(self) -> None:
        self.signature = False


async def _refuse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    state: _Sent,
    code: str,
    message: str,
) -> None:
    try:
        writer.write(
            (b"" if state.signature else SIGNATURE)
            + encode_frame(Kind.REFUSE, 0, make_closing(code, message))
        )
    except OSError:
        pass
    await shut(reader, writer, True)


def _nothing_more(decoder: Decoder) -> None:
    """Raises Violation where more than HELLO has come."""
    frame = decoder.next_frame()
    if frame is not None or decoder.pending:
        raise Violation(
            "hello-first", "sent something behind HELLO before it had WELCOME", "HELLO_INVALID"
        )


async def _read_list(reader: asyncio.StreamReader, decoder: Decoder) -> Tuple[Message, ...]:
    pieces: List[bytes] = []
    while True:
        frame = await _next_frame(reader, decoder)
        if frame.kind != Kind.MESSAGES:
            raise Violation(
                "want", f"sent {frame.kind.name} in the place of MESSAGES", "HELLO_INVALID"
            )
        pieces.append(frame.payload)
        if sum(map(len, pieces)) > MAX_LIST_BYTES:
            raise Violation(
                "want",
                f"sent a list of messages of more than {MAX_LIST_BYTES} bytes",
                "HELLO_INVALID",
            )
        if not frame.more:
            return read_messages(b"".join(pieces), "HELLO_INVALID")


async def _next_frame(reader: asyncio.StreamReader, decoder: Decoder) -> Frame:
    while True:
        frame = decoder.next_frame()
        if frame is not None:
            return frame
        data = await reader.read(65_536)
        if not data:
            raise ConnectionLost("the stream ended before the handshake was over")
        decoder.feed(data)
