"""What can go wrong on the training side; each message says what, where and what to do."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 10


class DatasetError(Exception):
    """Base of all errors of the datasets."""


class QueryError(DatasetError, ValueError):
    """A query, a condition or an argument that cannot be meant: the message lists the legal values."""


class CohortError(DatasetError):
    """The tree does not hold what the cohort asks for: the message names participants and sessions."""


class ReadError(DatasetError):
    """An image file that cannot be read as NIfTI: the message names it."""


class CollateError(DatasetError):
    """Samples that cannot become one batch: the message names the key and the samples."""


def listing(lines: Sequence[str]) -> str:
    """The first lines, one below the other, and how many more there are."""
    shown = [f"  {line}" for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown.append(f"  … and {len(lines) - SHOWN} more")
    return "\n".join(shown)
