"""Hawser's session protocol for Python: typed conversations over TCP, TLS and Unix sockets.

async with await hawser.connect("tcp://127.0.0.1:7000", contract) as client:
    total = await client.request("add", {"a": 1, "b": 2})
"""

from . import blocking
from .client import Client, connect
from .codecs import NOTHING
from .contract import Contract, Limits, Message
from .conversation import Conversation
from .deduplication import Deduplication, RecentEvents
from .errors import (
    Closed,
    ConnectionLost,
    Failed,
    HawserError,
    Invalid,
    NotHawser,
    Refused,
    Violation,
)
from .heads import Trace
from .receiver import Event
from .server import Server, ServerSession

__all__ = [
    "NOTHING",
    "Client",
    "Closed",
    "ConnectionLost",
    "Contract",
    "Conversation",
    "Deduplication",
    "Event",
    "Failed",
    "HawserError",
    "Invalid",
    "Limits",
    "Message",
    "NotHawser",
    "RecentEvents",
    "Refused",
    "Server",
    "ServerSession",
    "Trace",
    "Violation",
    "blocking",
    "connect",
]
__version__ = "0.0.0"
