"""The private list of what was set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..tables import tsv_bytes, write_atomic


@dataclass(frozen=True, slots=True)
class Aside:
    """Something that is not in the tree, where it came from and why."""

    what: str
    series_uid: str
    where: str
    reason: str
    message: str


def write_aside(path: Path, rows: Sequence[Aside]) -> None:
    """``quarantine.tsv``: everything that was set aside after it could be read."""
    columns = ("what", "series_uid", "where", "reason", "message")
    write_atomic(path, tsv_bytes(columns, [{c: getattr(r, c) for c in columns} for r in rows]))
