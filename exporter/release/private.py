"""The private side of a finished run: every list that the work folder keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ..annotations.drawings import MEASUREMENT_COLUMNS
from ..annotations.region import Fault
from ..clinical.rows import ClinicalRows
from ..inventory.lists import UNREADABLE_FILE, write_unreadable
from ..pipeline import Plan
from ..plan.build import kept_with_text
from ..plan.row import PlanRow
from ..select.parsimony import COMPUTABLE
from ..stacks.reasons import NO_VOLUME_INDEX, SENTENCES, SERIES_INCOMPLETE
from ..tables import tsv_bytes, write_atomic
from ..tables import write_private as write_owners
from .held import Held
from .ledgers import Aside, Issue, write_aside, write_issues
from .session import Fragment

SET_ASIDE_CHECKS = {
    "duplicate": ("D01", "info"),
    "sop-uid-reused": ("C02", "error"),
    "series-resent": ("D03", "warning"),
}
DOUBT_CHECKS = {SERIES_INCOMPLETE: "F02", NO_VOLUME_INDEX: "D05"}
"""By the reason of a doubt; the others are of identity, C01."""


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
    clinical: ClinicalRows
    unplaced: Sequence[Fault]
    failures: Sequence[Failure]
    held: Sequence[Held] = ()
    measurements: Sequence[Mapping[str, str]] = ()


def write_private(work: Path, run: Private) -> None:
    """Issues, what was set aside, what could not be read, who is who, and values that the allow-list stopped."""
    write_issues(
        work / "issues.tsv",
        [*_source_issues(run.plan), *_image_issues(run), *_held_issues(run.held)],
        date.today().isoformat(),
    )
    write_aside(work / "quarantine.tsv", _aside(run.plan, run.rows, run.fragments))
    write_unreadable(work / UNREADABLE_FILE, run.plan.inventory.unreadable)
    _write_dropped(work / "dropped-values.tsv", run.fragments)
    _write_measurements(work / "measurements.tsv", run.measurements)
    write_atomic(work / "errors.log", "\n".join(f.trace for f in run.failures).encode())


def _source_issues(plan: Plan) -> Iterable[Issue]:
    """What is known before a pixel is read."""
    for notice in plan.visits.notices:
        yield Issue(notice.check, "subject", notice.severity, notice.message, key=notice.subject)
    for aside in plan.stacking.set_aside:
        check, severity = SET_ASIDE_CHECKS[aside.reason]
        i = aside.instance
        yield Issue(check, "instance", severity, aside.message, i.SeriesInstanceUID, key=f"{aside.reason} {i.key}")
    for stack in plan.stacking.stacks:
        if stack.doubt:
            check = DOUBT_CHECKS.get(stack.doubt, "C01")
            yield Issue(check, "series", "error", SENTENCES[stack.doubt], stack.first.SeriesInstanceUID, stack.stack_id)
    for p in plan.planned:
        if p.row.reason == COMPUTABLE:
            yield Issue("D04", "stack", "info", p.message, p.row.series_uid, p.row.stack_id)
    for p in kept_with_text(plan.planned):
        message = "kept by a person's edit although the header says that text is burned into the pixels"
        yield Issue("P08", "stack", "warning", message, p.row.series_uid, p.row.stack_id)
    for unreadable in plan.inventory.unreadable:
        if unreadable.reason != "not-dicom":
            key = f"{unreadable.path} {unreadable.member}"
            check = "F02" if unreadable.reason == "truncated" else "F01"
            yield Issue(check, "instance", "error", unreadable.message, unreadable.series_uid, key=key)


def _held_issues(held: Sequence[Held]) -> Iterable[Issue]:
    """Sessions that were left as they were."""
    for h in held:
        message = f"sub-{h.subject} ses-{h.session} was left as it was: its files lay at {h.place}, which can't be read"
        yield Issue("F01", "subject", "warning", message, key=f"held {h.subject} {h.session}")


def _image_issues(run: Private) -> Iterable[Issue]:
    """What the checks said of every stack, what became of the masks and the clinical rows."""
    series = {row.stack_id: row.series_uid for row in run.rows}
    for result in (r for fragment in run.fragments for r in fragment.results):
        uid = series.get(result.stack_id, "")
        for f in result.findings:
            yield Issue(f.check, "stack", f.severity, f.message, uid, result.stack_id, f.evidence.key)
        if result.verdict == "fail" and not any(f.severity == "error" for f in result.findings):
            yield Issue("F03", "stack", "error", result.message, uid, result.stack_id)
    faults = [fault for fragment in run.fragments for fault in fragment.masks.faults]
    for fault in (*faults, *run.unplaced):
        yield Issue(fault.check, "stack", fault.severity, fault.message, fault.series_uid)
    for sentence in (*run.clinical.unmatched, *run.clinical.refused):
        yield Issue("C09", "subject", "warning", sentence)


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
