"""What an export must say of the files it put down."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .files import Placed


@dataclass(slots=True)
class Noted:
    """Counts, by key, the files that are not the tree's own, and those that are missing."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, key: str, placed: Placed) -> None:
        """Count what became of one key of one sample."""
        self.count(key, placed.anew, missing=placed.path is None)

    def count(self, key: str, anew: str, *, missing: bool) -> None:
        """Count a file by why it was written anew, "" where it was not."""
        if missing or anew:
            self.counts[key, "" if missing else anew] += 1

    def sentences(self) -> tuple[str, ...]:
        """One sentence a key and reason, in order."""
        return tuple(
            f"{key}: {count} written anew: {reason}." if reason else f"{key}: missing in {count} of the samples."
            for (key, reason), count in sorted(self.counts.items())
        )
