"""What can go wrong on the training side; each message says what, where and what to do."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 10


class DatasetError(Exception):
    """Base of all errors of the datasets. ``exit_code`` is what the command line returns."""

    exit_code = 2


class QueryError(DatasetError, ValueError):
    """A query, a condition or an argument that cannot be meant: the message lists the legal values."""


class CohortError(DatasetError):
    """The tree does not hold what the cohort asks for: the message names participants and sessions."""


class ReadError(DatasetError):
    """An image file that cannot be read as NIfTI: the message names it."""

    exit_code = 1


class ExportError(DatasetError):
    """Samples that another format cannot hold, or a place that cannot be written: the message names them."""


class SplitError(DatasetError):
    """Parts that cannot be made of these participants, or saved splits that do not fit them; the message says why."""


class LeakError(DatasetError):
    """What belongs together stands on two sides of a split: the message names participants and files."""

    exit_code = 4


class PredictionError(DatasetError):
    """A prediction that cannot be put back on its image, or written: the message names participant and file."""


class CollateError(DatasetError):
    """Samples that cannot become one batch: the message names the key and the samples."""


def listing(lines: Sequence[str]) -> str:
    """The first lines, one below the other, and how many more there are."""
    shown = [f"  {line}" for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown.append(f"  … and {len(lines) - SHOWN} more")
    return "\n".join(shown)
