#!/usr/bin/env python3
"""Random conversations over connections that are killed and frozen at any byte, with exact accounts.

    python3 trial.py client HOST PORT COUNT SEED      the reference client against a server of the contract `conformance`
    python3 trial.py server SEED                      `fake_server.py` behind the same proxy; prints its port, and ends with its input

A conversation is a request, a stream or an event with its answer. Exits 0 only if every account is right: each numbered event is handled
once and in order, whatever was lost; each rejected one is told so; each call that was answered has the right answer.
"""

from __future__ import annotations

import asyncio
import collections
import random
import sys
import time
from typing import Any, Counter, List, Optional, Tuple

from fake_server import DIGESTS, FakeServer
from hawser_client import ConnectionLost, Failed, HawserError, IncomingEvent, Limits, Refused, Rejected, Session
from script import CONTRACT

LIMITS = Limits(maxMessageBytes=200_000, maxPartials=2, maxConversations=20, windowBytes=700, eventWindowBytes=1_500, connectionWindowBytes=1_000)
AT_ONCE = 12
STUCK_SECONDS = 30.0


class Proxy:
    """Stands between client and server: each connection dies after some bytes, of either direction, or stands still for a while."""

    def __init__(self, rnd: random.Random, host: str, port: int) -> None:
        self.rnd = rnd
        self.target = (host, port)
        self.port = 0
        self.kills = 0
        self.freezes = 0
        self.calm = False  # no more kills: what is left is brought to its end
        self._tasks: List["asyncio.Task[None]"] = []

    async def start(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        ends = (writer, far_writer)
        left = [None if self.calm else int(self.rnd.expovariate(1 / 20_000)) for _ in range(2)]
        self._tasks += [asyncio.ensure_future(self._carry(reader, far_writer, ends, left[0])), asyncio.ensure_future(self._carry(far_reader, writer, ends, left[1]))]

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: Tuple[asyncio.StreamWriter, asyncio.StreamWriter],
                     left: Optional[int]) -> None:
        try:
            while True:
                data = await reader.read(self.rnd.choice((7, 100, 65_536)))
                if not data:
                    break
                if left is not None and len(data) >= left and not self.calm:
                    writer.write(data[:left])  # what is before the byte that kills may arrive
                    await writer.drain()
                    self.kills += 1
                    break
                left = None if left is None else left - len(data)
                if self.rnd.random() < 0.01:
                    self.freezes += 1
                    await asyncio.sleep(self.rnd.random() * 0.03)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        told = self.rnd.random()
        for index, end in enumerate(ends):
            if told < 0.8 or self.calm or index == (told < 0.9):  # sometimes one end alone hears of it at once
                end.transport.abort()
        await asyncio.sleep(0.05)
        for end in ends:
            end.transport.abort()


class Trial:
    def __init__(self, host: str, port: int, count: int, seed: int) -> None:
        self.rnd = random.Random(seed)
        self.count = count
        self.proxy = Proxy(random.Random(seed + 1), host, port)
        self.heard: List[str] = []
        self.notes: List[str] = []
        self.wrong: List[str] = []
        self.tally: Counter[str] = collections.Counter()
        self.events: List[Tuple[str, "asyncio.Future[None]"]] = []
        self.session: Session

    async def run(self) -> bool:
        await self.proxy.start()
        self.session = Session(("127.0.0.1", self.proxy.port), CONTRACT, handlers={"said": self._said}, limits=LIMITS, heartbeat=(1.0, 1.0), handshake_timeout=3.0)
        await self._connect()
        connector = asyncio.ensure_future(self._reconnect())
        await asyncio.gather(*(self._worker(n) for n in range(AT_ONCE)))
        self.proxy.calm = True
        until = time.monotonic() + STUCK_SECONDS
        while time.monotonic() < until and (len(self.heard) < len(self.notes) or not all(event.done() for _, event in self.events)):
            await asyncio.sleep(0.01)
        connector.cancel()
        self._judge()
        await self.session.close()
        print(f"# {dict(self.tally)} {self.proxy.kills} kills, {self.proxy.freezes} freezes")
        for wrong in self.wrong[:20]:
            print(f"# {wrong}")
        return not self.wrong

    async def _said(self, value: Any, event: IncomingEvent) -> None:
        self.heard.append(value["text"])
        if self.rnd.random() < 0.1:
            await asyncio.sleep(self.rnd.random() * 0.003)

    async def _connect(self) -> None:
        first = not self.session.id
        until = time.monotonic() + STUCK_SECONDS
        while self.session.over is None and time.monotonic() < until:
            try:
                resumed = await self.session.connect()
                if not first and not resumed:
                    self.wrong.append("the session was not resumed")
                return
            except (ConnectionLost, Refused, OSError, asyncio.IncompleteReadError, HawserError):
                if self.session.link is not None:
                    return
                await asyncio.sleep(0.002)
        self.wrong.append(f"there is no connection: {self.session.over!r}")

    async def _reconnect(self) -> None:
        while self.session.over is None:
            if self.session.link is None:
                self.tally["connections"] += 1
                await self._connect()
            await asyncio.sleep(0.001)

    async def _worker(self, index: int) -> None:
        for n in range(index, self.count, AT_ONCE):
            if self.session.over is not None:
                self.wrong.append(f"the session ended: {self.session.over!r}")
                return
            while self.session.link is None and self.session.over is None:
                await asyncio.sleep(0.001)
            try:
                await asyncio.wait_for(self._converse(n), STUCK_SECONDS)
            except asyncio.TimeoutError:
                self.wrong.append(f"conversation {n} did not end")
                return
            except ConnectionLost:
                self.tally["lost"] += 1
                await asyncio.sleep(0.002)
            except Failed as failure:
                if failure.code not in ("OVERLOADED", "CANCELLED", "DEADLINE_EXCEEDED"):
                    self.wrong.append(f"conversation {n} failed with {failure}")
                self.tally[failure.code] += 1

    async def _converse(self, n: int) -> None:
        rnd, session = self.rnd, self.session
        kind = rnd.choice(("note", "note", "note", "bad", "echo", "add", "upload", "count", "sum", "mirror", "cancel", "typing"))
        self.tally[kind] += 1
        if kind == "note":
            text = f"{n}" + "n" * rnd.choice((0, 10, 300, 70_000 if rnd.random() < 0.05 else 1_000))
            self.notes.append(text)
            self.events.append(("note", session.emit("note", {"text": text})))
        elif kind == "bad":
            self.events.append(("bad", session.emit("bad", {"n": n})))
        elif kind == "typing":
            session.emit("typing", {"who": str(n)})
        elif kind == "echo":
            value = {"n": n, "x": "e" * rnd.choice((0, 100, 5_000, 100_000 if rnd.random() < 0.1 else 50))}
            self._check(n, await session.request("echo", value), value)
        elif kind == "add":
            self._check(n, await session.request("add", {"a": n, "b": 1}), n + 1)
        elif kind == "upload":
            body = rnd.randbytes(rnd.choice((0, 10, 3_000)))
            self._check(n, await session.request("upload", body), body)
        elif kind == "count":
            stream = await session.stream("count", {"to": rnd.randrange(0, 60)})
            items = [item async for item in stream]
            self._check(n, items, list(range(1, len(items) + 1)))
        elif kind == "cancel":
            stream = await session.stream("flood", {"items": 100, "bytes": rnd.randrange(0, 2_000)})
            async for _ in stream:
                if rnd.random() < 0.3:
                    break
            await stream.cancel()
        else:
            stream = await session.stream(kind, sends_items=True)
            sent = [rnd.randrange(1_000) for _ in range(rnd.randrange(0, 30))]
            reading = asyncio.ensure_future(self._read(stream))
            try:
                for item in sent:
                    await stream.send(item)
                await stream.end()
            except HawserError:
                pass  # the reader is told why
            items = await reading
            self._check(n, items, [sum(sent)] if kind == "sum" else sent)

    async def _read(self, stream: Any) -> List[Any]:
        return [item async for item in stream]

    def _check(self, n: int, got: Any, expected: Any) -> None:
        if got != expected:
            self.wrong.append(f"conversation {n}: {got!r:.200} came, and {expected!r:.200} was expected")

    def _judge(self) -> None:
        if self.heard != self.notes:
            doubled = [text[:12] for text, times in collections.Counter(self.heard).items() if times > 1]
            missing = [text[:12] for text in self.notes if text not in set(self.heard)]
            self.wrong.append(f"{len(self.notes)} notes were sent and {len(self.heard)} handled: doubled {doubled[:5]}, missing {missing[:5]}")
        for kind, event in self.events:
            outcome = "open" if not event.done() else "rejected" if isinstance(event.exception(), Rejected) else "delivered" if event.exception() is None else repr(event.exception())
            if outcome != ("rejected" if kind == "bad" else "delivered"):
                self.wrong.append(f"an event {kind} is {outcome}")


async def serve(seed: int) -> None:
    DIGESTS.clear()  # those of the fake server are invented
    server = FakeServer()
    await server.start()
    proxy = Proxy(random.Random(seed), "127.0.0.1", server.port)
    await proxy.start()
    print(f"listening on {proxy.port}", flush=True)
    loop = asyncio.get_running_loop()
    line = await loop.run_in_executor(None, sys.stdin.readline)
    if line:  # the other side is done: bring what is left to its end
        proxy.calm = True
        await loop.run_in_executor(None, sys.stdin.readline)
    print(f"# {proxy.kills} kills, {proxy.freezes} freezes", flush=True)
    await server.stop()


def main(arguments: List[str]) -> int:
    if len(arguments) == 5 and arguments[0] == "client":
        host, port, count, seed = arguments[1], int(arguments[2]), int(arguments[3]), int(arguments[4])
        return 0 if asyncio.run(Trial(host, port, count, seed).run()) else 1
    if len(arguments) == 2 and arguments[0] == "server":
        asyncio.run(serve(int(arguments[1])))
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
