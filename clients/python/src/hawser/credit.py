"""Credit: the accounts of §5 of PROTOCOL.md, for the side that sends and the one that receives."""

from __future__ import annotations

from typing import Optional

from .errors import Violation

#: What an ITEM or EVENT costs above the bytes of its body.
COST_ABOVE_BODY = 16
MAX_CREDIT = 2_147_483_647


def cost_of(body: bytes) -> int:
    return len(body) + COST_ABOVE_BODY


class Credit:
    """An account on the side that sends. `None`: the peer does not count."""

    def __init__(self, window: Optional[int]) -> None:
        self.left: float = float("inf") if window is None else window

    def spend(self, cost: int) -> None:
        self.left -= cost

    def add(self, payload: bytes) -> None:
        given = int.from_bytes(payload, "big")
        if given == 0:
            raise Violation("credit-zero", "gave credit of 0 bytes")
        self.left += given
        if MAX_CREDIT < self.left < float("inf"):
            raise Violation("credit-max", f"gave credit of {self.left:.0f} bytes", "FLOW_VIOLATION")


class SessionWindow:
    """The account of events, or of the items of all streams, on the side that receives: of a
    session, over its connections.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._held = 0
        #: What the peer has.
        self.left = 0

    def announce(self) -> int:
        """A greeting is made: returns the credit that the connection begins with."""
        self.left = max(0, self._window - self._held)
        return self.left

    def hold(self, cost: int) -> None:
        self.left -= cost
        self._held += cost

    def release(self, cost: int) -> None:
        self._held -= cost

    def due(self) -> int:
        """Bytes to give back now; 0: wait for more. The caller sends them."""
        give = self._window - self._held - self.left
        if give * 2 < self._window or give <= 0:
            return 0
        self.left += give
        return give


class StreamWindow:
    """The account of one stream, on the side that receives."""

    def __init__(self, window: int) -> None:
        self._give_at = max(1, window // 2)
        self._taken = 0
        self.left = window

    def hold(self, cost: int) -> None:
        self.left -= cost

    def take(self, cost: int) -> int:
        """The program took an item. Returns the bytes to give back now; 0: wait for more."""
        self._taken += cost
        if self._taken < self._give_at:
            return 0
        give, self._taken = self._taken, 0
        self.left += give
        return give
