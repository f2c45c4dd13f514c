"""Decisions of a person, kept in the private work folder: an edit is a value with a name and a date."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..tables import read_tsv, tsv_bytes, write_atomic
from .values import canonical

EDITS_FILE = "edits.tsv"
COUNT_FILE = "edits.count"
"""Beside the list: how many lines it was written with. The history only grows, so fewer have been lost."""

COLUMNS = ("date", "by", "action", "stack_id", "attribute", "old", "new")
SHEET = "sheet"
"""A column that older lists lack."""

ACTIONS = ("edit", "withdraw")


@dataclass(frozen=True, slots=True)
class Edit:
    """One cell of the plan that a person has changed: ``old`` is what stood there, ``new`` what is to stand there.

    ``attribute`` is one of the record, or ``decision``; ``date`` is a time in ISO 8601. A ``withdrawn`` edit gives the
    cell back to the tool. ``sheet`` stands for the file that it was read from (:func:`sheet_key`), "" where that is not
    known.
    """

    stack_id: str
    attribute: str
    old: str
    new: str
    by: str
    date: str
    withdrawn: bool = False
    sheet: str = ""


def sheet_key(path: Path) -> str:
    """What stands for a file that edits are read from: the same for the same place, whatever the file holds."""
    return hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def read_edits(path: Path) -> tuple[Edit, ...]:
    """The history of edits, the oldest first; empty where there is none.

    Raises ``UsageError`` with the line that cannot be used, and where edits were lost.
    """
    written = _count(path.with_name(COUNT_FILE))
    try:
        rows = read_tsv(path) if path.exists() else []
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: the list of edits is damaged; put back a copy of it") from error
    if len(rows) < written:
        lost = f"{written} edits and withdrawals were written here, and {len(rows)} are left"
        raise UsageError(f"{path}: {lost}; put back a copy of it, or delete {COUNT_FILE} beside it to go on with these")
    return tuple(_edit(path, line, row) for line, row in enumerate(rows, start=2))


def _count(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: is damaged; look whether {EDITS_FILE} is whole, then delete it") from error


def _edit(path: Path, line: int, row: dict[str, str]) -> Edit:
    missing = next((name for name in COLUMNS if name not in row), None)
    if missing is not None:
        raise UsageError(f"{path}: has no column {missing}; put back a copy of it")
    if row["action"] not in ACTIONS:
        raise UsageError(f"{path}: line {line}: action is {row['action']!r}; it is one of {', '.join(ACTIONS)}")
    withdrawn = row["action"] == "withdraw"
    try:
        new = row["new"] if withdrawn else canonical(row["attribute"], row["new"])
    except ValueError as error:
        raise UsageError(f"{path}: line {line}: column {row['attribute']}: {error}") from error
    return Edit(
        row["stack_id"], row["attribute"], row["old"], new, row["by"], row["date"], withdrawn, row.get(SHEET, "")
    )


def write_edits(path: Path, edits: Iterable[Edit]) -> None:
    """Write the whole history, in one atomic write, and then how long it is."""
    rows = [
        {
            "date": e.date,
            "by": e.by,
            "action": ACTIONS[e.withdrawn],
            "stack_id": e.stack_id,
            "attribute": e.attribute,
            "old": e.old,
            "new": e.new,
            SHEET: e.sheet,
        }
        for e in edits
    ]
    write_atomic(path, tsv_bytes((*COLUMNS, SHEET), rows))
    write_atomic(path.with_name(COUNT_FILE), f"{len(rows)}\n".encode())


def in_force(edits: Sequence[Edit]) -> dict[str, dict[str, Edit]]:
    """The newest edit of each stack and attribute that is not withdrawn, by ``stack_id`` and attribute."""
    newest = {(e.stack_id, e.attribute): e for e in edits}
    found: dict[str, dict[str, Edit]] = {}
    for e in newest.values():
        if not e.withdrawn:
            found.setdefault(e.stack_id, {})[e.attribute] = e
    return found
