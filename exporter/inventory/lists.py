"""The private list of what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..tables import tsv_bytes, write_atomic
from .unreadable import Unreadable

UNREADABLE_FILE = "unreadable.tsv"


def write_unreadable(path: Path, rows: Sequence[Unreadable]) -> None:
    """``unreadable.tsv``: every file that is no DICOM image object, or a broken one."""
    columns = ("path", "member", "reason", "message")
    write_atomic(path, tsv_bytes(columns, [{c: getattr(r, c) for c in columns} for r in rows]))
