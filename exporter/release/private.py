"""The private side of a finished run: every list that the work folder keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..annotations.drawings import MEASUREMENT_COLUMNS
from ..inventory.lists import UNREADABLE_FILE, write_unreadable
from ..pipeline import Plan
from ..plan.row import PlanRow
from ..tables import tsv_bytes, write_atomic
from ..tables import write_private as write_owners
from .ledgers import Aside, write_aside
from .session import Fragment


@dataclass(frozen=True, slots=True)
class Failure:
    """A session that could not be finished. ``trace`` is private."""

    subject: str
    session: str
    message: str
    trace: str


@dataclass(frozen=True, slots=True)
class Private:
    """All that a run knows and that does not leave."""

    plan: Plan
    rows: Sequence[PlanRow]
    fragments: Sequence[Fragment]
    failures: Sequence[Failure]
    measurements: Sequence[Mapping[str, str]] = ()


def write_private(work: Path, run: Private) -> None:
    """What was set aside, what could not be read, who is who, and values that the allow-list stopped."""
    write_aside(work / "quarantine.tsv", _aside(run.plan, run.rows, run.fragments))
    write_unreadable(work / UNREADABLE_FILE, run.plan.inventory.unreadable)
    _write_dropped(work / "dropped-values.tsv", run.fragments)
    _write_measurements(work / "measurements.tsv", run.measurements)
    write_atomic(work / "errors.log", "\n".join(f.trace for f in run.failures).encode())


def _aside(plan: Plan, rows: Sequence[PlanRow], fragments: Sequence[Fragment]) -> list[Aside]:
    messages = {p.row.stack_id: p.message for p in plan.planned if p.message}
    messages |= {r.stack_id: r.final.message for f in fragments for r in f.results if r.final.message}
    places = {
        p.row.stack_id: _folder(p.harmonised.stack.first.path, p.harmonised.stack.first.member) for p in plan.planned
    }
    out = [
        Aside(
            f"stack {row.stack_id}",
            row.series_uid,
            places[row.stack_id],
            f"{row.final_decision}: {row.reason}",
            messages.get(row.stack_id, ""),
        )
        for row in rows
        if row.final_decision in ("quarantine", "exclude")
    ]
    for r in (r for f in fragments for r in f.results):
        uid = next((row.series_uid for row in rows if row.stack_id == r.stack_id), "")
        for left in r.left_out:
            out.append(Aside("DICOM object", uid, "/".join(filter(None, left.place)), left.reason, left.message))
    for aside in plan.stacking.set_aside:
        i = aside.instance
        what = f"frame {i.frame}" if i.frame else "instance"
        out.append(
            Aside(what, i.SeriesInstanceUID, "/".join(p for p in (i.path, i.member) if p), aside.reason, aside.message)
        )
    return sorted(out, key=lambda row: not row.reason.startswith("quarantine"))


def _folder(path: str, member: str) -> str:
    return path if member else path.rpartition("/")[0]


def _write_measurements(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """The measurements of structured reports: their texts and ids are original, so they never leave."""
    if rows:
        write_owners(path, tsv_bytes(MEASUREMENT_COLUMNS, rows))
    else:
        path.unlink(missing_ok=True)


def _write_dropped(path: Path, fragments: Sequence[Fragment]) -> None:
    """Values of allow-listed fields that matched no listed pattern, with how many images had them."""
    counts = Counter(pair for f in fragments for r in f.results for pair in set(r.dropped))
    rows = [{"field": k, "value": v, "images": str(n)} for (k, v), n in sorted(counts.items())]
    write_atomic(path, tsv_bytes(("field", "value", "images"), rows))
