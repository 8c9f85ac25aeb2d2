"""A small server of the contract `conformance`, written from PROTOCOL.md to try the client and `script.py` with.

It shares no code with `hawser_client.py`, so that a mistake in one is not repeated in the other. It is no example of
a good server: it has no heartbeat, no deadline of its own for HELLO, and forgets no session. `faults` makes it break
rules, to show that `script.py` sees it. By hand: `python3 fake_server.py PORT [FAULT...]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import struct
import sys
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterable, List, Optional, Set, Tuple

HELLO, WELCOME, REFUSE, PING, PONG, DRAIN, CLOSE, ACK, REJECT, CREDIT, WINDOW, WANT, LISTED = range(0x01, 0x0E)
REQUEST, RESULT, FAIL, CANCEL, STREAM, ITEM, END, EVENT = range(0x10, 0x18)
CUTTABLE = (REQUEST, RESULT, FAIL, STREAM, ITEM, EVENT)
SIGNATURE = b"\x89HWS\r\n\x1a\n"

MESSAGES = [  # in another order than the client's list
    ["bad", "event", "json"], ["note", "event", "json"], ["said", "event", "json"], ["typing", "event", "json"],
    ["flood", "stream", "json"], ["mirror", "stream", "json"], ["sum", "stream", "json"], ["count", "stream", "json"],
    ["question", "request", "json"], ["ask", "request", "json"], ["upload", "request", "bytes"], ["slow", "request", "json"],
    ["crash", "request", "json"], ["refuse", "request", "json"], ["add", "request", "json"], ["echo", "request", "json"],
]
DIGESTS = {"echo": "00000000000000e1", "note": "00000000000000e2"}
TYPES = {name: type for name, type, _ in MESSAGES}
CODECS = {name: codec for name, _, codec in MESSAGES}
INDEXES = {name: index for index, (name, _, _) in enumerate(MESSAGES)}
LIMITS = {"maxMessageBytes": 2_000_000, "maxPartials": 8, "maxConversations": 100, "windowBytes": 65_536, "eventWindowBytes": 65_536,
          "connectionWindowBytes": 131_072, "maxInputBytes": 4_000_000}


class Breach(Exception):
    """The client broke a rule."""

    def __init__(self, why: str, code: str = "PROTOCOL_VIOLATION") -> None:
        super().__init__(why)
        self.code = code


class Refusal(Exception):
    """HELLO is answered with REFUSE."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class Failure(Exception):
    """What a handler answers with FAIL."""

    def __init__(self, code: str, **members: Any) -> None:
        super().__init__(code)
        self.error = {"code": code, "message": code.lower(), **members}


def text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def no_json(text: str) -> Any:
    raise ValueError(text)


def decode(codec: str, body: bytes) -> Any:
    return body if codec == "bytes" else json.loads(body.decode(), parse_constant=no_json) if body else None


def is_object(payload: bytes) -> bool:
    try:
        return isinstance(json.loads(payload), dict)
    except ValueError:
        return False


class State:
    """A session: what remains of it when a connection is lost (§8)."""

    def __init__(self, server: "FakeServer") -> None:
        self.id = os.urandom(16).hex()
        self.origin = os.urandom(16).hex()
        self.server = server
        self.received = 0
        self.handled = 0
        self.sent = 0
        self.settled = 0  # of this side's events
        self.max_message_bytes = 0  # what the client said last
        self.retained: Dict[int, bytes] = {}
        self.rejects: List[Tuple[int, bytes]] = []  # what this side has rejected
        self.rejected: List[int] = []  # what the client has rejected
        self.connection: Optional["Connection"] = None
        self.events_held = 0  # cost of the events that are not handled, of whatever connection
        self.events_left = 0  # what the client may send of events
        self.inbox: "asyncio.Queue[Tuple[Connection, str, Any, Optional[int], int]]" = asyncio.Queue()
        server.tasks.append(asyncio.ensure_future(self.work()))

    def emit(self, name: str, value: Any) -> None:
        number = max([self.sent, *self.retained]) + 1
        self.retained[number] = struct.pack(">HBQ", INDEXES[name], 4, number) + text(value)
        if self.connection:
            self.connection.events.append(number)
            self.connection.pump()

    async def work(self) -> None:
        while True:
            connection, name, value, number, cost = await self.inbox.get()
            await asyncio.sleep(0)
            self.events_held -= cost
            self.give_back()
            if name == "note":
                self.emit("said", {"text": value["text"]})
            if number is not None:
                self.handled = number
                code = {"bad": "HANDLER_FAILED", "": "UNKNOWN_MESSAGE", "?": "INPUT_INVALID"}.get(name)
                if code and "no reject" not in self.server.faults:
                    self.rejects.append((number, text({"code": code, "message": ""})))  # until a PONG proves it
                if self.connection:
                    self.connection.settle(self.rejects[-1:] if code else [])
                    if code and len(self.rejects) % 50 == 0:
                        self.connection.pings += 1
                        self.connection.send(PING, 0, struct.pack(">Q", number))
            if self.connection:
                self.connection.close_if_drained()


    def give_back(self) -> None:
        """§5: of a session, over its connections."""
        due = LIMITS["eventWindowBytes"] - self.events_held - self.events_left
        if self.connection and not self.connection.over and due > 0:
            self.events_left += due
            self.connection.send(CREDIT, 0, struct.pack(">I", due))


class Talk:
    """A conversation, of either side."""

    def __init__(self, connection: "Connection", id: int) -> None:
        self.connection = connection
        self.id = id
        self.name = ""
        self.stream = False
        self.opener_over = False
        self.responder_over = False
        self.credit = connection.limits["windowBytes"]  # for this side's items
        self.window = LIMITS["windowBytes"]  # for the client's
        self.items: Deque[Tuple[Any, int]] = deque()
        self.changed = asyncio.Event()
        self.task: Optional["asyncio.Task[None]"] = None
        self.answer: Optional["asyncio.Future[Any]"] = None  # of the server's own request

    async def until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            self.changed.clear()
            await self.changed.wait()

    async def item(self, value: Any) -> None:
        blind = "ignores credit" in self.connection.server.faults
        broad = "ignores the window" in self.connection.server.faults
        await self.until(lambda: self.credit > 0 and (self.connection.items_credit > 0 or broad) or blind)
        body = text(value)
        self.credit -= len(body) + 16
        self.connection.items_credit -= len(body) + 16
        self.connection.send(ITEM, self.id, body)
        await self.connection.writer.drain()

    async def take(self) -> Any:
        """The client's next item; StopAsyncIteration behind END."""
        await self.until(lambda: bool(self.items) or self.opener_over)
        if not self.items:
            raise StopAsyncIteration
        value, cost = self.items.popleft()
        self.connection.give_back_items(cost)
        if not self.responder_over and not self.opener_over:
            self.window += cost
            self.connection.send(CREDIT, self.id, struct.pack(">I", cost))
        return value

    def fail(self, error: Dict[str, Any]) -> None:
        self.last(FAIL, text(error))

    def last(self, kind: int, payload: bytes = b"") -> None:
        if not self.responder_over:
            self.responder_over = True
            self.connection.give_back_items(sum(cost for _, cost in self.items))
            self.items.clear()
            if len(payload) > self.connection.limits["maxMessageBytes"]:
                kind, payload = FAIL, text({"code": "HANDLER_FAILED", "message": "too large"})
            self.connection.send(kind, self.id, payload)
            self.connection.tidy(self)


def member(value: Any, name: str, type: Any) -> Any:
    if not isinstance(value, dict):
        raise Failure("INPUT_INVALID", path=[])
    if not isinstance(value.get(name), type) or isinstance(value[name], bool):
        raise Failure("INPUT_INVALID", path=[name])
    return value[name]


class Connection:
    def __init__(self, server: "FakeServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.state: State
        self.reading: "asyncio.Task[None]"
        self.limits: Dict[str, int] = {}
        self.names: List[Tuple[str, bool]] = []  # the client's messages, and whether this side has them too
        self.talks: Dict[int, Talk] = {}
        self.partials: Dict[int, Tuple[int, bytearray]] = {}
        self.events: Deque[int] = deque()
        self.event_credit = 0
        self.items_credit: float = 0  # for this side's items, of all streams
        self.items_left = LIMITS["connectionWindowBytes"]  # for the client's
        self.pings = 0
        self.drained = False
        self.over = False

    # §1

    def send(self, kind: int, id: int = 0, payload: bytes = b"") -> None:
        if self.over:
            return
        pieces = [payload[at : at + 65_536] for at in range(0, len(payload), 65_536)] or [b""]
        for index, piece in enumerate(pieces):
            more = 0x80 if index < len(pieces) - 1 else 0
            self.writer.write(struct.pack(">IBI", 5 + len(piece), kind | more, id) + piece)

    async def frame(self, most: int) -> Tuple[int, int, bytes]:
        length = struct.unpack(">I", await self.reader.readexactly(4))[0]
        if not 5 <= length <= most + 5 and "any length" not in self.server.faults:
            raise Breach(f"length {length}")
        data = await self.reader.readexactly(length)
        return data[0], struct.unpack(">I", data[1:5])[0], data[5:]

    async def run(self) -> None:
        self.reading = asyncio.ensure_future(self.read())
        await asyncio.gather(self.reading, return_exceptions=True)
        await self.finish()

    async def read(self) -> None:
        try:
            seen = b""
            while len(seen) < 8:
                seen += await self.reader.readexactly(1)
                if not SIGNATURE.startswith(seen) and "any signature" not in self.server.faults:
                    return
            self.writer.write(SIGNATURE)
            await self.greet()
            while not self.over:
                self.receive(*await self.frame(65_536))
                await self.writer.drain()
        except Refusal as refusal:
            self.send(REFUSE, 0, text({"code": refusal.code, "message": str(refusal)}))
        except Breach as breach:
            self.close(breach.code, str(breach))
        except (OSError, asyncio.IncompleteReadError):
            pass

    def close(self, code: str, why: str) -> None:
        self.send(CLOSE, 0, text({"code": code, "message": why}))
        self.over = True
        if self.reading is not asyncio.current_task():
            self.reading.cancel()
        if code != "SESSION_REPLACED":
            self.server.forget(self.state)

    async def finish(self) -> None:
        self.over = True
        for talk in self.talks.values():
            if talk.task:
                talk.task.cancel()
            if talk.answer and not talk.answer.done():
                talk.answer.cancel()
        state: Optional[State] = getattr(self, "state", None)
        if state and state.connection is self:
            state.connection = None
        try:
            self.writer.write_eof()
            await asyncio.wait_for(self.discard(), 1)
        except (OSError, asyncio.TimeoutError):
            pass
        self.writer.close()

    async def discard(self) -> None:
        while await self.reader.read(65_536):
            pass

    # §3

    async def greet(self) -> None:
        try:
            kind, id, payload = await self.frame(16_384)
        except Breach as breach:
            raise Refusal("HELLO_INVALID", str(breach)) from None
        if kind != HELLO or id != 0:
            raise Refusal("HELLO_INVALID", f"kind {kind}")
        try:
            hello = json.loads(payload.decode())
            lowest, highest = hello["hawser"]
            name, version, accepts = hello["protocol"], hello["version"], hello["accepts"]
            if not isinstance(version, int) or not accepts[0] <= version <= accepts[1]:
                raise ValueError("version")
            for limit in LIMITS:
                if limit in ("connectionWindowBytes", "maxInputBytes") and limit not in hello["limits"]:
                    continue
                value = hello["limits"][limit]
                most = 0x7FFFFFFF if limit.endswith("indowBytes") else 0xFFFFFFFF
                least = {"maxMessageBytes": 1_024, "eventWindowBytes": 0, "connectionWindowBytes": 0}.get(limit, 1)
                if not isinstance(value, int) or not least <= value <= most:
                    raise ValueError(limit)
            resume = hello.get("resume", {"session": "0" * 32, "received": 0})
            if not re.fullmatch("[0-9a-f]{32}", resume["session"]) or not isinstance(resume["received"], int) or resume["received"] < 0:
                raise ValueError("resume")
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise Refusal("HELLO_INVALID", repr(error)) from None
        if not lowest <= 1 <= highest:
            raise Refusal("VERSION_UNSUPPORTED", "only 1")
        if name != "conformance" or not accepts[0] <= 1 <= accepts[1]:  # 1 is the lowest version, so the client's `accepts` decides
            raise Refusal("PROTOCOL_MISMATCH", f"conformance 1 and {name} {version}")
        theirs, listed = await self.listed(hello)
        for message in [*theirs, *TYPES] if version == 1 else []:
            mine = (TYPES.get(message), CODECS.get(message))
            digests = (DIGESTS.get(message, ""), theirs[message][2] if message in theirs else "")
            if message not in theirs or mine != theirs[message][:2] or (all(digests) and len(set(digests)) > 1):
                raise Refusal("CONTRACT_DIFFERS", message)
        if "eager" not in self.server.faults:
            try:
                await asyncio.wait_for(self.reader.readexactly(1), 0.005)
                raise Refusal("HELLO_INVALID", "something behind HELLO")
            except asyncio.TimeoutError:
                pass
        self.limits = hello["limits"]
        self.names = [(m[0], m[1:3] == [TYPES.get(m[0]), CODECS.get(m[0])]) for m in listed]
        self.event_credit = self.limits["eventWindowBytes"]
        self.items_credit = self.limits.get("connectionWindowBytes", float("inf"))
        known = self.server.states.get(resume["session"])
        if known and not known.settled <= resume["received"] <= known.sent and "any received" not in self.server.faults:
            known = None
        if known and self.limits["maxMessageBytes"] < known.max_message_bytes:
            known = None
        self.state = known or State(self.server)
        self.server.states[self.state.id] = self.state
        self.state.max_message_bytes = self.limits["maxMessageBytes"]
        if self.state.connection:
            old = self.state.connection
            old.close("SESSION_REPLACED", "resumed elsewhere")
        self.state.connection = self
        self.state.events_left = max(0, LIMITS["eventWindowBytes"] - self.state.events_held)
        self.state.id = os.urandom(16).hex()
        self.server.states[self.state.id] = self.state
        self.send(WELCOME, 0, text({
            "hawser": 1, "features": [], "fingerprint": "", "protocol": "conformance", "version": 1, "accepts": [1, 1],
            "messages": [[*message, DIGESTS.get(message[0], "")] for message in MESSAGES], "limits": {**LIMITS, "eventWindowBytes": self.state.events_left},
            "session": self.state.id, "origin": self.state.origin, "resumed": known is not None, "received": self.state.received, "resumeWindowMs": 60_000,
        }))
        if known:
            again = 0 if "sends all again" in self.server.faults else resume["received"]
            self.events.extend(number for number in self.state.retained if number > again)
            if self.state.handled and "forgets to acknowledge" not in self.server.faults:
                self.settle(self.state.rejects if "forgets its rejects" not in self.server.faults else [])
            self.pump()
        self.state.give_back()

    async def listed(self, hello: Any) -> Tuple[Any, Any]:
        """The client's list: of HELLO, or asked for."""
        try:
            listed = hello.get("messages")
            if listed is None:
                self.send(WANT, 0, b"")
                payload, more = b"", True
                while more:
                    kind, id, piece = await self.frame(16_384)
                    if kind & 0x7F != LISTED or id != 0:
                        raise ValueError(f"kind {kind}")
                    payload, more = payload + piece, bool(kind & 0x80)
                listed = json.loads(payload.decode())
            theirs = {m[0]: (m[1], m[2], m[3]) for m in listed}
            if any(m[1] not in ("request", "stream", "event") for m in listed) or len(theirs) < len(listed):
                raise ValueError("type, or a name twice")
            if any(not re.fullmatch("([0-9a-f]{16})?", digest) for _, _, digest in theirs.values()):
                raise ValueError("digest")
        except (Breach, ValueError, KeyError, TypeError, IndexError) as error:
            raise Refusal("HELLO_INVALID", repr(error)) from None
        return theirs, listed

    def settle(self, rejects: List[Tuple[int, bytes]]) -> None:
        for number, error in rejects:
            self.send(REJECT, 0, struct.pack(">Q", number) + error)
        self.send(ACK, 0, struct.pack(">Q", self.state.handled))

    # §4

    def receive(self, kind: int, id: int, payload: bytes) -> None:
        more, kind = bool(kind & 0x80), kind & 0x7F
        if kind & 0x40:
            return  # an ignorable kind
        if kind not in range(PING, WINDOW + 1) and kind not in range(REQUEST, EVENT + 1):
            raise Breach(f"kind {kind}")
        if more and (kind not in CUTTABLE or not payload):
            raise Breach("bit 7")
        if (kind < CREDIT or kind in (WINDOW, EVENT)) and id != 0 or REQUEST <= kind < EVENT and id == 0:
            raise Breach(f"id {id}")
        if len(payload) != {PING: 8, PONG: 8, DRAIN: 0, ACK: 8, CREDIT: 4, WINDOW: 4, END: 0}.get(kind, len(payload)):
            raise Breach("payload")
        if kind in (CREDIT, WINDOW) and payload == bytes(4):
            raise Breach("credit of 0")
        partial = self.partials.get(id)
        if partial and partial[0] != kind and id and kind not in (CANCEL, CREDIT):
            raise Breach("between the pieces")
        begins = not partial or partial[0] != kind
        talk = self.talks.get(id)
        if begins and kind in (REQUEST, STREAM):
            if id % 2 == 0 or talk or self.drained:
                raise Breach("id")
            if len([t for t in self.talks.values() if t.id % 2]) >= LIMITS["maxConversations"]:
                raise Breach("too many conversations")
            talk = self.talks[id] = Talk(self, id)
        elif kind in (RESULT, FAIL) and (not talk or id % 2 or talk.responder_over):
            raise Breach("no such conversation")
        elif kind in (ITEM, END) and (not talk or not talk.stream or talk.opener_over or id % 2 == 0):
            raise Breach("no such stream")
        elif begins and kind == ITEM and talk and (talk.window <= 0 or self.items_left <= 0) and "any flow" not in self.server.faults:
            raise Breach("credit", "FLOW_VIOLATION")
        elif begins and kind == EVENT and self.state.events_left <= 0:
            raise Breach("credit", "FLOW_VIOLATION")
        if kind in CUTTABLE:
            if begins and more and len(self.partials) >= LIMITS["maxPartials"]:
                raise Breach("too many partials")
            _, joined = self.partials.setdefault(id, (kind, bytearray()))
            joined += payload
            if len(joined) > LIMITS["maxMessageBytes"] + 64:
                raise Breach("too large", "MESSAGE_TOO_LARGE")
            if more:
                return
            del self.partials[id]
            payload = bytes(joined)
        if kind in (REQUEST, STREAM):
            assert talk
            self.opened(talk, kind, payload)
        elif kind == RESULT and talk and talk.answer:
            self.answered(talk, json.loads(payload))
        elif kind == FAIL and talk and talk.answer:
            self.error(payload)
            self.answered(talk, Failure("HANDLER_FAILED"))
        elif kind == CANCEL and payload and not is_object(payload):
            raise Breach("CANCEL")
        elif kind == CANCEL and id % 2 == 0:
            raise Breach("CANCEL")
        elif kind == CANCEL and talk and "no cancel" not in self.server.faults:
            self.partials.pop(id, None)
            talk.opener_over = True
            self.stop(talk, "CANCELLED")
            self.tidy(talk)
        elif kind == ITEM and talk:
            cost = len(payload) + 16
            talk.window -= cost
            self.items_left -= cost
            if talk.responder_over or talk.name not in ("sum", "mirror"):
                self.give_back_items(cost)
            if not talk.responder_over and talk.name not in ("sum", "mirror"):
                talk.window += cost
                self.send(CREDIT, id, struct.pack(">I", cost))
            elif not talk.responder_over:
                value = json.loads(payload)
                if talk.name == "sum" and not isinstance(value, (int, float)):
                    self.stop(talk, "ITEM_INVALID", path=[])
                talk.items.append((value, cost))
                talk.changed.set()
        elif kind == END and talk:
            talk.opener_over = True
            talk.changed.set()
            self.tidy(talk)
        elif kind == CREDIT:
            self.credit(id, struct.unpack(">I", payload)[0])
        elif kind == WINDOW:
            self.items_credit += struct.unpack(">I", payload)[0]
            if 0x7FFFFFFF < self.items_credit < float("inf"):
                raise Breach("credit", "FLOW_VIOLATION")
            for each in self.talks.values():
                each.changed.set()
        elif kind == PING:
            self.send(PONG, 0, payload)
        elif kind == DRAIN:
            self.drained = True
            self.close_if_drained()
        elif kind == CLOSE:
            self.over = True
            if json.loads(payload)["code"] != "HEARTBEAT_LOST":
                self.server.forget(self.state)
        elif kind == EVENT:
            self.event(payload)
        elif kind in (ACK, REJECT):
            number = struct.unpack(">Q", payload[:8])[0]
            if number > self.state.sent or kind == REJECT and number == 0:
                raise Breach("ACK above")
            if kind == REJECT:
                self.error(payload[8:])
                self.state.rejected += [number] if number in self.state.retained else []
            else:
                self.state.settled = max(self.state.settled, number)
            for known in [n for n in self.state.retained if n == number or n < number and kind == ACK]:
                del self.state.retained[known]
            self.close_if_drained()
        elif kind == PONG:
            if self.pings == 0:
                raise Breach("PONG without PING")
            self.pings -= 1
            self.state.rejects = [reject for reject in self.state.rejects if reject[0] > struct.unpack(">Q", payload)[0]]

    def error(self, payload: bytes) -> None:
        try:
            error = json.loads(payload.decode())
            if not isinstance(error["code"], str) or not isinstance(error["message"], str) or error["code"] == "NAMED" and "name" not in error:
                raise ValueError("code and message")
        except (ValueError, KeyError, TypeError) as cause:
            raise Breach(f"error {cause}") from None

    def head(self, payload: bytes, allowed: int) -> Tuple[str, Dict[int, int], bytes]:
        try:
            index, flags = struct.unpack_from(">HB", payload)
            at, fields = 3, {8: flags & 8}
            for flag, size in ((1, 4), (2, 25), (4, 8)):
                if flags & flag:
                    fields[flag] = int.from_bytes(payload[at : at + size], "big")
                    at += size
        except struct.error:
            raise Breach("head") from None
        if flags & ~allowed or at > len(payload) or fields.get(1) == 0 or fields.get(4) == 0:
            raise Breach("head")
        if index >= len(self.names):
            raise Breach("index")
        name, known = self.names[index]
        return name if known else "", fields, payload[at:]

    def opened(self, talk: Talk, kind: int, payload: bytes) -> None:
        talk.name, fields, body = self.head(payload, 0x0B if kind == STREAM else 0x03)
        talk.stream = kind == STREAM
        talk.opener_over = not fields[8]
        if talk.name == "question" or TYPES.get(talk.name) != ("stream" if talk.stream else "request"):
            return talk.fail({"code": "UNKNOWN_MESSAGE", "message": talk.name})
        try:
            value = decode(CODECS[talk.name], body)
        except ValueError:
            return talk.fail({"code": "INPUT_INVALID", "message": "", "path": []})
        talk.task = asyncio.ensure_future(self.serve(talk, value))
        if 1 in fields and "no deadline" not in self.server.faults:
            asyncio.get_running_loop().call_later(fields[1] / 1000, self.stop, talk, "DEADLINE_EXCEEDED")

    def stop(self, talk: Talk, code: str, **members: Any) -> None:
        if not self.over and not talk.responder_over and talk.id % 2:
            talk.fail({"code": code, "message": "", **members})
            if talk.task:
                talk.task.cancel()

    def tidy(self, talk: Talk) -> None:
        if talk.opener_over and talk.responder_over:
            self.talks.pop(talk.id, None)
            self.close_if_drained()

    def close_if_drained(self) -> None:
        if self.drained and not self.over and not self.talks and not self.state.retained and self.state.inbox.empty():
            self.close("DRAINED", "")

    async def serve(self, talk: Talk, value: Any) -> None:
        try:
            result = await getattr(self, "do_" + talk.name)(talk, value)
            if talk.stream:
                talk.last(END)
            else:
                talk.last(RESULT, result if CODECS[talk.name] == "bytes" else text(result))
        except Failure as failure:
            talk.fail(failure.error)
        except Exception:
            talk.fail({"code": "HANDLER_FAILED", "message": "failed"})

    def answered(self, talk: Talk, result: Any) -> None:
        talk.opener_over = talk.responder_over = True
        self.tidy(talk)
        assert talk.answer
        if isinstance(result, Failure):
            talk.answer.set_exception(result)
        else:
            talk.answer.set_result(result)

    # §5 and §8

    def credit(self, id: int, bytes: int) -> None:
        if id == 0:
            self.event_credit += bytes
            if self.event_credit > 0x7FFFFFFF:
                raise Breach("credit", "FLOW_VIOLATION")
            return self.pump()
        talk = self.talks.get(id)
        if talk:
            if talk.name and not talk.stream:
                raise Breach("CREDIT of a request")
            talk.credit += bytes
            if talk.credit > 0x7FFFFFFF:
                raise Breach("credit", "FLOW_VIOLATION")
            talk.changed.set()

    def give_back_items(self, cost: int) -> None:
        if cost and not self.over:
            self.items_left += cost
            self.send(WINDOW, 0, struct.pack(">I", cost))

    def pump(self) -> None:
        while self.events and self.event_credit > 0:
            number = self.events.popleft()
            payload = self.state.retained.get(number)
            if payload is not None:
                self.event_credit -= len(payload) - 11 + 16
                self.state.sent = max(self.state.sent, number)
                self.send(EVENT, 0, payload)

    def event(self, payload: bytes) -> None:
        name, fields, body = self.head(payload, 0x06)
        cost = len(body) + 16
        self.state.events_left -= cost
        self.state.events_held += cost
        number = fields.get(4)
        if number is not None:
            if number > self.state.received + 1 and "any number" not in self.server.faults:
                raise Breach("gap")
            if number <= self.state.received and "takes twice" not in self.server.faults:
                name, number = "", None
            self.state.received = max(self.state.received, number or 0)
        name, value = name if TYPES.get(name) == "event" and name != "said" else "", None
        try:
            value = json.loads(body) if name in ("note", "bad") else None
        except ValueError:
            name = "?"
        self.state.inbox.put_nowait((self, name, value, number, cost))

    # The contract.

    async def do_echo(self, talk: Talk, value: Any) -> Any:
        return value

    async def do_add(self, talk: Talk, value: Any) -> Any:
        return member(value, "a", (int, float)) + member(value, "b", (int, float))

    async def do_refuse(self, talk: Talk, value: Any) -> Any:
        raise Failure("NAMED", name="nope", payload={"why": value["why"]})

    async def do_crash(self, talk: Talk, value: Any) -> Any:
        raise ValueError("crash")

    async def do_slow(self, talk: Talk, value: Any) -> Any:
        await asyncio.sleep(value["ms"] / 1000)

    async def do_upload(self, talk: Talk, value: Any) -> Any:
        return value

    async def do_ask(self, talk: Talk, value: Any) -> Any:
        first = 1 if "odd ids" in self.server.faults else 2
        id = next(id for id in range(first, 1_000_000, 2) if id not in self.talks)
        mine = self.talks[id] = Talk(self, id)
        mine.answer = asyncio.get_running_loop().create_future()
        self.send(REQUEST, id, struct.pack(">HB", INDEXES["question"], 0) + text({"question": value["question"]}))
        return await mine.answer

    async def do_count(self, talk: Talk, value: Any) -> None:
        for n in range(1, value["to"] + 1):
            await talk.item(n)

    async def do_sum(self, talk: Talk, value: Any) -> None:
        total = 0
        try:
            while True:
                total += await talk.take()
        except StopAsyncIteration:
            await talk.item(total)

    async def do_mirror(self, talk: Talk, value: Any) -> None:
        try:
            while True:
                await talk.item(await talk.take())
        except StopAsyncIteration:
            pass

    async def do_flood(self, talk: Talk, value: Any) -> None:
        for _ in range(value["items"]):
            await talk.item("f" * value["bytes"])


class FakeServer:
    def __init__(self, faults: Iterable[str] = ()) -> None:
        self.faults: Set[str] = set(faults)
        self.states: Dict[str, State] = {}  # by every identity that each has had
        self.tasks: List["asyncio.Future[None]"] = []
        self.connections: List[Connection] = []
        self.port = 0
        self._servers: List[asyncio.AbstractServer] = []

    async def start(self, port: int = 0) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self._servers.append(server)
        self.port = server.sockets[0].getsockname()[1]

    async def start_at(self, path: str) -> None:
        self._servers.append(await asyncio.start_unix_server(self._accept, path))

    def forget(self, state: State) -> None:
        self.states = {id: known for id, known in self.states.items() if known is not state}

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self, reader, writer)
        self.connections.append(connection)
        await connection.run()

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for task in self.tasks:
            task.cancel()
        for connection in self.connections:
            connection.writer.transport.abort()
        await asyncio.sleep(0.01)


async def main(port: int, faults: List[str]) -> None:
    server = FakeServer(faults)
    await server.start(port)
    print(f"listening on 127.0.0.1 {server.port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
