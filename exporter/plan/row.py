"""A row of ``plan.tsv``: the decision on one stack."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from trialbids.mappings.record import Record
from trialbids.mappings.vocabulary import vocabulary

from ..tables import read_tsv, tsv_bytes, write_atomic
from .history import remember

HEAD = (
    "stack_id",
    "acquisition_id",
    "series_uid",
    "n_instances",
    "subject",
    "session",
    "site",
    "decision",
    "reason",
    "bids_path",
)
TAIL = ("confidence", "qc_verdict", "final_decision", "edited", "description")
PLAN_FILE = "plan.tsv"
EXCLUSIONS_FILE = "exclusions.tsv"
HISTORY = "plan-history"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """What is decided about one stack. ``series_uid`` is original: the plan is private.

    ``bids_path`` is below the root, "" where nothing is exported. ``qc_verdict`` and ``final_decision`` are empty until
    the export has checked what came out. ``edited`` names, parted by blanks, what a person has decided; ``description``
    is the scanner's, without quotes, for the eye alone.
    """

    stack_id: str
    acquisition_id: str
    series_uid: str
    n_instances: int
    subject: str
    session: str
    site: str
    decision: str
    reason: str = ""
    bids_path: str = ""
    record: Record
    qc_verdict: str = ""
    final_decision: str = ""
    edited: str = ""
    description: str = ""

    def to_row(self) -> dict[str, str]:
        """The row as cells."""
        own = {name: str(getattr(self, name)) for name in HEAD + TAIL if name != "confidence"}
        return {**own, **self.record.to_row()}

    @classmethod
    def from_row(cls, row: dict[str, str]) -> Self:
        """The inverse of :meth:`to_row`. Raises ``ValueError`` or ``KeyError`` where a cell is missing or illegal."""
        own = {name: row[name] for name in HEAD if name != "n_instances"}
        tail = {name: row.get(name, "") for name in TAIL if name != "confidence"}
        return cls(**own, **tail, n_instances=int(row["n_instances"]), record=Record.from_row(row))

    def judged(self, verdict: str, final: str, reason: str = "") -> Self:
        """The row after the export: verdict of the checks and the final decision."""
        return replace(self, qc_verdict=verdict, final_decision=final, reason=reason or self.reason)


def plan_columns() -> tuple[str, ...]:
    """The columns of ``plan.tsv`` in order."""
    return (*HEAD, *vocabulary(), *TAIL)


def write_plan(path: Path, rows: Iterable[PlanRow]) -> None:
    """Write the plan, in one atomic write; what a person may now copy and edit is remembered beside it."""
    data = tsv_bytes(plan_columns(), (row.to_row() for row in rows))
    remember(path.parent / HISTORY, data)
    write_atomic(path, data)


def read_plan(path: Path) -> tuple[PlanRow, ...]:
    """Read a plan back."""
    return tuple(PlanRow.from_row(row) for row in read_tsv(path))
