"""Deduplication: which events were handled, so that one which is sent again in another session is
handled once (PROTOCOL.md §8, rule `again`).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Optional

from .numbers import NumberSet

#: Ranges of numbers that the default memory keeps.
MAX_RANGES = 65_536


class Deduplication:
    """A store of an application: override both. Either may return an awaitable.

    The identity of an event is a text of at most 53 characters, the same in whatever session it
    comes.
    """

    def seen(self, id: str) -> Any:
        """True if the event was handled; asked of one that is sent again in another session."""
        raise NotImplementedError

    def remember(self, id: str) -> Any:
        """Keep the identity of an event that was handled well; it is acknowledged afterwards."""
        raise NotImplementedError


class RecentEvents(Deduplication):
    """The default: the newest events of this process, as ranges of numbers of each session."""

    def __init__(self, max_ranges: int = MAX_RANGES) -> None:
        self._max_ranges = max_ranges
        self._numbers: "OrderedDict[str, NumberSet]" = OrderedDict()
        self._ranges = 0

    def seen(self, id: str) -> bool:
        origin, _, number = id.partition("/")
        numbers = self._numbers.get(origin)
        return numbers is not None and int(number) in numbers

    def remember(self, id: str) -> Optional[Any]:
        origin, _, number = id.partition("/")
        numbers = self._numbers.get(origin)
        if numbers is None:
            numbers = self._numbers[origin] = NumberSet()
            self._ranges += 1
        else:
            self._numbers.move_to_end(origin)
        before = len(numbers.ranges)
        numbers.add(int(number))
        self._ranges += len(numbers.ranges) - before
        while self._ranges > self._max_ranges and self._numbers:
            _, oldest = self._numbers.popitem(last=False)
            self._ranges -= len(oldest.ranges) + 1
        return None
