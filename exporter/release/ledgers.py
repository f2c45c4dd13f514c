"""The private tables of a run: issues with stable ids, what was set aside, what could not be read, who is who."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..qc.check import issue_id
from ..tables import read_tsv, tsv_bytes, write_atomic

ISSUE_COLUMNS = (
    "issue_id", "check", "level", "severity", "series_uid", "stack_id", "state", "first_seen", "last_seen", "message",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Issue:
    """Something that a check or a stage found. ``key`` says what the finding rests on: the id changes with it."""

    check: str
    level: str
    severity: str
    message: str
    series_uid: str = ""
    stack_id: str = ""
    key: str = ""

    @property
    def id(self) -> str:
        """Stable from run to run."""
        return issue_id(self.check, self.stack_id or self.series_uid or self.level, self.key or self.message)


def write_issues(path: Path, issues: Iterable[Issue], day: str) -> None:
    """Merge the issues of this run with those of earlier ones: what is no longer found is resolved."""
    old = {r["issue_id"]: r for r in read_tsv(path)} if path.exists() else {}
    rows: dict[str, dict[str, str]] = {}
    for issue in issues:
        before = old.get(issue.id, {})
        rows[issue.id] = {
            "issue_id": issue.id,
            **{
                name: getattr(issue, name)
                for name in ("check", "level", "severity", "series_uid", "stack_id", "message")
            },
            "state": "waived" if before.get("state") == "waived" else "open",
            "first_seen": before.get("first_seen") or day,
            "last_seen": day,
        }
    for identifier, row in old.items():
        if identifier not in rows:
            rows[identifier] = {**row, "state": "resolved"}
    ordered = sorted(
        rows.values(), key=lambda r: (r["state"], r["check"], r["series_uid"], r["stack_id"], r["issue_id"])
    )
    write_atomic(path, tsv_bytes(ISSUE_COLUMNS, ordered))


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
