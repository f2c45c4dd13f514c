"""A line of ``issues.tsv``: an issue with its state and its history."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from ...errors import UsageError
from ...tables import tsv_bytes, write_private
from ..check import ERROR, INFO, WARNING
from ..codes import MEANING, STEPS
from .table import RESCUE, Line, read_strictly

ISSUES_FILE = "issues.tsv"
OPEN, RESOLVED, WAIVED = "open", "resolved", "waived"
STATES = (OPEN, WAIVED, RESOLVED)
SEVERITIES = (ERROR, WARNING, INFO)
"""From the gravest to the slightest."""

LEVELS = ("instance", "series", "stack", "acquisition", "session", "subject", "release")
"""What an issue is about."""

PUBLIC_COLUMNS = (
    "issue_id", "check", "level", "severity", "series_uid", "stack_id", "state", "first_seen", "last_seen", "message",
)  # fmt: skip
"""The columns that other programs rely on; all others are behind them and may be missing in older tables."""


def is_known(check: str) -> bool:
    """Whether this version of the program has a check of this code."""
    return check in MEANING


ISSUE_ID = re.compile(r"[A-Z]\d{2}-[0-9a-f]{10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One issue. Private: ``series_uid`` and ``object`` are original identifiers.

    ``object`` is what the check looked at: a stack_id, a SeriesInstanceUID, a label … by the ``level``; ``stacks`` are
    the stacks concerned, parted by blanks, where these are several. ``cycle_first`` and ``cycle_last`` are the cycles
    in which it was found first and last, ``cycle_changed`` that which counts the last change of its state: a waiver
    between two cycles belongs to the second. ``note`` says why an issue is open again.
    """

    issue_id: str
    check: str
    level: str
    severity: str
    series_uid: str = ""
    stack_id: str = ""
    state: str = OPEN
    first_seen: str = ""
    last_seen: str = ""
    message: str = ""
    cycle_first: int = 0
    cycle_last: int = 0
    cycle_changed: int = 0
    digest: str = ""
    step: str = ""
    object: str = ""
    stacks: str = ""
    subject: str = ""
    session: str = ""
    site: str = ""
    values: str = ""
    instances: str = ""
    waived_by: str = ""
    waived_until: str = ""
    note: str = ""

    def to_row(self) -> dict[str, str]:
        """The issue as cells."""
        return {name: str(getattr(self, name)) for name in COLUMNS}


COLUMNS = tuple(field.name for field in fields(Row))
COUNTS = ("cycle_first", "cycle_last", "cycle_changed")


def read_issues(work: Path) -> dict[str, Row]:
    """The issues of a work folder by id, in their order; empty before the first cycle.

    Raises ``UsageError`` with the line of a table that is damaged.
    """
    path = work / ISSUES_FILE
    rows: dict[str, Row] = {}
    for line in read_strictly(path, PUBLIC_COLUMNS):
        row = _row(line)
        if row.issue_id in rows:
            raise UsageError(f"{path}: line {line.number}: {row.issue_id} stands twice; {RESCUE}")
        rows[row.issue_id] = row
    return rows


def _row(line: Line) -> Row:
    identifier = line.cells["issue_id"]
    if not ISSUE_ID.fullmatch(identifier):
        raise line.wrong("issue_id", "a code and ten digits such as G04-0123456789")
    if not identifier.startswith(f"{line.cells['check']}-"):
        raise line.wrong("check", f"that of the issue, {identifier[:3]}")
    if line.cells.get("step"):
        line.word("step", STEPS)
    line.word("level", LEVELS)
    checked = {
        "state": line.word("state", STATES),
        "severity": line.word("severity", SEVERITIES),
        "first_seen": line.day("first_seen"),
        "last_seen": line.day("last_seen"),
        "waived_until": line.day("waived_until", is_needed=False),
    }
    texts = {name: line.cells.get(name, "") for name in COLUMNS if name not in COUNTS}
    # A code that this version does not know is that of a check of another version: the issue stays as it is.
    first, last, changed = (line.count(name) for name in COUNTS)
    if last < first:
        raise line.wrong("cycle_last", f"{first}, which is cycle_first, or later")
    return Row(**texts | checked, cycle_first=first, cycle_last=last, cycle_changed=changed)


def write_issues(work: Path, rows: Iterable[Row]) -> None:
    """Write ``issues.tsv``: what is open first, the gravest at the top."""
    ordered = sorted(rows, key=_rank)
    write_private(work / ISSUES_FILE, tsv_bytes(COLUMNS, (row.to_row() for row in ordered)))


def _rank(row: Row) -> tuple[int, int, str, str, str, str, str]:
    place = (row.site, row.series_uid, row.stack_id, row.issue_id)
    return STATES.index(row.state), SEVERITIES.index(row.severity), row.check, *place
