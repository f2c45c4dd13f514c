"""The identifying texts of an object as one text: how ``Instance.identities`` holds kinds and values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

PAIR, VALUE = "\x1e", "\x1f"
"""What stands between two identities, and between a kind and its value (ASCII's own separators)."""


def split(joined: str) -> Iterator[tuple[str, str]]:
    """The (kind, value) pairs of ``Instance.identities``."""
    for pair in joined.split(PAIR) if joined else ():
        kind, _, value = pair.partition(VALUE)
        yield kind, value


def join(pairs: Iterable[tuple[str, str]]) -> str:
    """The inverse of :func:`split`: distinct and in order."""
    return PAIR.join(sorted({f"{kind}{VALUE}{value}" for kind, value in pairs}))
