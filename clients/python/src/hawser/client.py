"""Client: connects, and connects again, for one session (PROTOCOL.md §3 and §8)."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl as ssl_module
from types import TracebackType
from typing import Any, Awaitable, Callable, List, Optional, Tuple, Type, Union
from urllib.parse import urlsplit

from .codecs import NOTHING
from .contract import Contract, Limits, compare_lists, compare_versions, fingerprint
from .deduplication import Deduplication
from .errors import ConnectionLost, HawserError, Refused, Violation, make_closing, read_closing
from .frames import MAX_EARLY_PAYLOAD, MAX_PAYLOAD, SIGNATURE, Decoder, Frame, Kind, encode_frame
from .greetings import (
    MAX_LIST_BYTES,
    Resume,
    Welcome,
    make_hello,
    make_list,
    pieces_of,
    read_messages,
    read_welcome,
)
from .link import Link, Peer, shut
from .session import MAX_QUEUED_BYTES, Handlers, Session

log = logging.getLogger("hawser")

Streams = Tuple[asyncio.StreamReader, asyncio.StreamWriter]
#: `tcp://host:port`, `tls://host:port`, `unix:/path`, or a function that makes a connection.
Address = Union[str, Callable[[], Awaitable[Streams]]]


async def open_streams(address: Address, ssl: Optional[ssl_module.SSLContext] = None) -> Streams:
    """A connection to an address. Raises ValueError for another text, and OSError."""
    if callable(address):
        return await address()
    if address.startswith("unix:"):
        return await asyncio.open_unix_connection(address[len("unix:") :])
    parts = urlsplit(address)
    if parts.scheme not in ("tcp", "tls") or parts.hostname is None or parts.port is None:
        raise ValueError(
            f"expected tcp://host:port, tls://host:port or unix:/path, got {address!r}"
        )
    if parts.scheme == "tls":
        ssl = ssl or ssl_module.create_default_context()
    return await asyncio.open_connection(parts.hostname, parts.port, ssl=ssl)


class Client(Session):
    """A client of a contract. `connect()` makes one; it is an async context manager."""

    side = "client"

    def __init__(
        self,
        address: Address,
        contract: Contract,
        *,
        handlers: Optional[Handlers] = None,
        limits: Limits = Limits(),
        auth: Any = NOTHING,
        reconnect: bool = True,
        heartbeat: Tuple[float, float] = (15.0, 15.0),
        handshake_timeout: float = 10.0,
        deduplication: Optional[Deduplication] = None,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
        ssl: Optional[ssl_module.SSLContext] = None,
        backoff: Callable[[int], float] = lambda attempt: (
            min(10.0, 0.1 * 2**attempt) * (0.5 + random.random() / 2)
        ),
    ) -> None:
        super().__init__(contract, handlers, limits, heartbeat, deduplication, max_queued_bytes)
        self.address = address
        self.auth = auth
        self.reconnect = reconnect
        #: Seconds before the attempt of this number, from 0.
        self.backoff = backoff
        self._handshake_timeout = handshake_timeout
        self._ssl = ssl
        self._is_reconnecting = False

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()

    async def connect(self) -> bool:
        """Connects once, with the session where there is one: True if it goes on.

        Raises Refused, NotHawser, Violation, ConnectionLost, OSError.
        """
        if self.over is not None:
            raise self.over
        resume = Resume(self.id, self.receiver.received) if self.id else None
        reader, writer = await open_streams(self.address, self._ssl)
        try:
            return await asyncio.wait_for(
                self._greet(reader, writer, resume), self._handshake_timeout
            )
        except asyncio.TimeoutError:
            await shut(reader, writer, False)
            raise ConnectionLost(
                f"no WELCOME came within {self._handshake_timeout} s", False
            ) from None
        except BaseException as error:
            if isinstance(error, Violation):
                writer.write(encode_frame(Kind.CLOSE, 0, make_closing(error.code, str(error))))
            await shut(reader, writer, isinstance(error, Violation))
            raise

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, resume: Optional[Resume]
    ) -> bool:
        limits = self.announce()
        hello = make_hello(self.contract, limits, self.auth, resume, ["contract"])
        if len(hello) > MAX_EARLY_PAYLOAD:
            raise HawserError(
                f"HELLO has {len(hello)} bytes, of at most {MAX_EARLY_PAYLOAD}: auth is too large"
            )
        writer.write(SIGNATURE + encode_frame(Kind.HELLO, 0, hello))
        decoder = Decoder()
        decoder.ignores = True
        welcome, told = await self._welcome(reader, writer, decoder)
        peer = self._judge(welcome, told, resume)
        decoder.max_payload = MAX_PAYLOAD
        link = Link(self, reader, writer, decoder, peer)
        self.attach(
            link, peer, not welcome.resumed, welcome.received, welcome.session, welcome.origin
        )
        return welcome.resumed

    async def _welcome(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decoder: Decoder
    ) -> Tuple[Welcome, Optional[bytes]]:
        """WELCOME, and the server's list where it came before."""
        pieces: List[bytes] = []
        told: Optional[bytes] = None
        was_asked = False
        while True:
            frame = await _next_frame(reader, decoder)
            if frame.kind in (Kind.REFUSE, Kind.CLOSE):
                raise Refused(*read_closing(frame.payload))
            if frame.kind == Kind.WANT and not was_asked:
                was_asked = True
                parts = pieces_of(make_list(self.contract), MAX_EARLY_PAYLOAD)
                for at, part in enumerate(parts):
                    writer.write(encode_frame(Kind.MESSAGES, 0, part, at + 1 < len(parts)))
            elif frame.kind == Kind.MESSAGES and told is None:
                pieces.append(frame.payload)
                if sum(map(len, pieces)) > MAX_LIST_BYTES:
                    raise Violation(
                        "want", f"sent a list of messages of more than {MAX_LIST_BYTES} bytes"
                    )
                if not frame.more:
                    told = b"".join(pieces)
            elif frame.kind == Kind.WELCOME and (told is not None or not pieces):
                return read_welcome(frame.payload), told
            else:
                raise Violation("welcome-first", f"sent {frame.kind.name} before WELCOME")

    def _judge(self, welcome: Welcome, told: Optional[bytes], resume: Optional[Resume]) -> Peer:
        compare_versions(self.contract, welcome.name, welcome.version, welcome.accepts)
        if told is not None:
            messages = read_messages(told, "PROTOCOL_VIOLATION")
        elif welcome.messages is not None:
            messages = welcome.messages
        elif welcome.fingerprint == fingerprint(self.contract.messages):
            messages = self.contract.messages
        else:
            raise Violation("fingerprint", "has another list of messages, and did not tell it")
        compare_lists(self.contract, welcome.version, messages)
        if welcome.resumed and (resume is None or not self.emitter.can_have(welcome.received)):
            raise Violation(
                "resume-received",
                "resumed a session that was not asked for, or with events that were not sent",
            )
        if not welcome.resumed and welcome.received != 0:
            raise Violation("resume-received", "has received events in a new session")
        return Peer(messages, welcome.limits, welcome.version, welcome.features)

    def lost(self, error: ConnectionLost) -> None:
        if not self.reconnect:
            self.finish(error)
        elif not self._is_reconnecting:
            self.spawn(self._reconnect())

    async def _reconnect(self) -> None:
        """Connects again until there is a connection, or the session is over. Never twice at once:
        the server would take the one for a replacement of the other.
        """
        self._is_reconnecting = True
        try:
            await self._try_again()
        finally:
            self._is_reconnecting = False

    async def _try_again(self) -> None:
        attempt = 0
        while self.over is None and self.link is None:
            await asyncio.sleep(self.backoff(attempt))
            attempt += 1
            try:
                if self.over is None and self.link is None:
                    await self.connect()
            except Refused as refused:
                if refused.code not in ("OVERLOADED", "DRAINING"):
                    self.finish(refused)
            except (OSError, ConnectionLost):
                continue
            except HawserError as error:
                self.finish(error)

    def lose(self) -> None:
        """Drops the connection, as a network does."""
        if self.link is not None:
            self.link.lose()


async def _next_frame(reader: asyncio.StreamReader, decoder: Decoder) -> Frame:
    while True:
        frame = decoder.next_frame()
        if frame is not None:
            return frame
        data = await reader.read(65_536)
        if not data:
            raise ConnectionLost("the stream ended before WELCOME", False)
        decoder.feed(data)


async def connect(address: Address, contract: Contract, **options: Any) -> Client:
    """A client that is connected; the options are those of Client."""
    client = Client(address, contract, **options)
    await client.connect()
    return client
