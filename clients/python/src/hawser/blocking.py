"""Blocking: the client for programs that do not use asyncio.

    with hawser.blocking.connect("tcp://127.0.0.1:7000", contract) as client:
        total = client.request("add", {"a": 1, "b": 2})

Owns an event loop on a thread of its own, on which the asyncio client runs. Handlers are called on
that thread: they must not call the blocking client, and may be coroutines.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Coroutine, Iterable, Iterator, Optional, Type, TypeVar

from . import client as asyncio_client
from .codecs import NOTHING
from .contract import Contract
from .conversation import Conversation

T = TypeVar("T")


class _Loop:
    """An event loop on a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hawser", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: Optional[float] = None) -> T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def start(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Stream:
    """A stream: iterate over its items; `send()` and `end()` where the contract has the opener send
    too.
    """

    def __init__(self, loop: _Loop, conversation: Conversation) -> None:
        self._loop = loop
        self._conversation = conversation

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        found, item = self._loop.run(_next(self._conversation))
        if not found:
            raise StopIteration
        return item

    def send(self, item: Any) -> bool:
        """Waits for credit. False: the peer takes no more items."""
        return self._loop.run(self._conversation.send(item))

    def send_all(self, items: Iterable[Any]) -> None:
        """Sends the items, as far as the peer takes them, and says that there are no more."""
        for item in items:
            if not self.send(item):
                return
        self.end()

    def end(self) -> None:
        self._loop.run(self._conversation.end())

    def cancel(self) -> None:
        self._loop.run(self._conversation.cancel())

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: Any) -> None:
        self.cancel()


class Client:
    """A client whose methods wait. `connect()` makes one."""

    def __init__(self, loop: _Loop, client: asyncio_client.Client) -> None:
        self._loop = loop
        self._client = client

    def request(self, name: str, value: Any = NOTHING, *, timeout: Optional[float] = None) -> Any:
        """As `Client.request` of the asyncio client."""
        return self._loop.run(self._client.request(name, value, timeout=timeout))

    def stream(self, name: str, value: Any = NOTHING, *, timeout: Optional[float] = None) -> Stream:
        return Stream(self._loop, self._loop.run(self._client.stream(name, value, timeout=timeout)))

    def emit(
        self,
        name: str,
        payload: Any = NOTHING,
        *,
        wait: bool = False,
        timeout: Optional[float] = None,
    ) -> "Future[None]":
        """Emits an event. With `wait`, returns when the peer has handled it, within `timeout`
        seconds.
        """
        future = self._loop.start(_emit(self._client, name, payload))
        if wait:
            future.result(timeout)
        return future

    def ping(self) -> float:
        """The round trip in seconds."""
        return self._loop.run(self._client.ping())

    def close(self) -> None:
        self._loop.run(self._client.close())
        self._loop.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


async def _next(conversation: Conversation) -> "tuple[bool, Any]":
    try:
        return True, await conversation.__anext__()
    except StopAsyncIteration:
        return False, None


async def _emit(client: asyncio_client.Client, name: str, payload: Any) -> None:
    await client.emit(name, payload)


async def _connect(
    address: asyncio_client.Address, contract: Contract, options: Any
) -> asyncio_client.Client:
    return await asyncio_client.connect(address, contract, **options)


def connect(address: asyncio_client.Address, contract: Contract, **options: Any) -> Client:
    """A client that is connected; the options are those of the asyncio client."""
    loop = _Loop()
    try:
        return Client(loop, loop.run(_connect(address, contract, options)))
    except BaseException:
        loop.close()
        raise
