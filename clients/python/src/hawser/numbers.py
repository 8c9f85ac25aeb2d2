"""NumberSet: numbers of events that have come, or are handled or settled (PROTOCOL.md §8).

1 2 3 4 . 6 7 . . 10         up_to 4, ranges [6, 7] [10, 10]
"""

from __future__ import annotations

from bisect import bisect_left
from typing import List, Tuple


class NumberSet:
    """A set of whole numbers from 1: all up to one, and ranges above it."""

    def __init__(self) -> None:
        self.up_to = 0
        #: First and last of each range above `up_to`: ascending, with a gap before each.
        self.ranges: List[Tuple[int, int]] = []

    def __contains__(self, number: int) -> bool:
        if number <= self.up_to:
            return True
        at = bisect_left(self.ranges, (number + 1, 0)) - 1
        return at >= 0 and self.ranges[at][1] >= number

    @property
    def highest(self) -> int:
        return self.ranges[-1][1] if self.ranges else self.up_to

    def add(self, first: int, last: int = 0) -> None:
        """Puts the numbers from `first` to `last` in; without `last`, that number alone."""
        last = last or first
        if first > self.up_to + 1:
            kept: List[Tuple[int, int]] = []
            for low, high in self.ranges:
                if high + 1 < first or low > last + 1:
                    kept.append((low, high))
                else:
                    first, last = min(first, low), max(last, high)
            kept.append((first, last))
            self.ranges = sorted(kept)
            return
        self.up_to = max(self.up_to, last)
        while self.ranges and self.ranges[0][0] <= self.up_to + 1:
            self.up_to = max(self.up_to, self.ranges.pop(0)[1])

    def missing_below(self, number: int) -> List[int]:
        """At most 4 096 of the numbers below this one that are not in the set."""
        missing: List[int] = []
        for candidate in range(self.up_to + 1, min(number, self.up_to + 4_097)):
            if candidate not in self:
                missing.append(candidate)
        return missing
