"""Everything that a run found, as issues for the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..annotations.region import Fault
from ..clinical.rows import ClinicalRows
from ..pipeline import Plan
from ..qc.check import ERROR, WARNING, Evidence, Finding
from ..qc.codes import MEANING
from ..qc.ledger.atlas import atlas_of, noticed
from ..qc.ledger.issue import Issue, Where, notice
from ..qc.ledger.row import read_issues
from ..qc.pixels.failures import code_of, is_fault
from .held import Held
from .session import Fragment

STEPS = ("header", "plan", "pixel", "session", "release", "inspection")
"""What an export looks at."""


def plan_issues(plan: Plan, clinical: ClinicalRows | None = None) -> Iterator[Issue]:
    """All that is known of the quality of a trial before a pixel is read; ``clinical`` are its tables as they leave."""
    tables = clinical or plan.clinical
    atlas = atlas_of(plan.planned, plan.stacking, plan.visits)
    yield from atlas.issues((*plan.quality.of_stacking, *plan.quality.of_headers), "header")
    yield from atlas.issues(plan.quality.of_plan, "plan")
    said = {(f.check, f.subject) for f in plan.quality.findings if f.level == "subject"}
    yield from noticed([n for n in plan.visits.notices if (n.check, n.subject) not in said], atlas)
    for sentence in (*tables.unmatched, *tables.refused):
        yield Issue(notice("C09", "subject", WARNING, sentence), "header")


def export_issues(
    plan: Plan,
    clinical: ClinicalRows,
    fragments: Sequence[Fragment],
    faults: Iterable[Fault],
    held: Iterable[Held],
    released: Iterable[Finding],
) -> Iterator[Issue]:
    """All of that, and what an export found in voxels and drawings, and (``released``) over all sessions."""
    yield from plan_issues(plan, clinical)
    yield from _held_issues(held)
    atlas = atlas_of(plan.planned, plan.stacking, plan.visits)
    for fragment in fragments:
        yield from atlas.issues(_of_fragment(fragment), "pixel")
    yield from atlas.issues(released, "release")
    for fault in (*(fault for fragment in fragments for fault in fragment.masks.faults), *faults):
        finding = notice(fault.check, "series", fault.severity, fault.message, fault.series_uid)
        yield atlas.issue(finding, "session")


def present_in(plan: Plan) -> frozenset[tuple[str, str]]:
    """The labels of subject and session of everybody in the sources."""
    return frozenset((v.subject, v.session) for v in plan.visits.all)


def unlooked_of(plan: Plan, fragments: Iterable[Fragment]) -> frozenset[str]:
    """The stacks whose voxels no check has seen, though nobody has said that they are not wanted."""
    looked = {r.stack_id for fragment in fragments for r in fragment.results if r.metrics or r.findings}
    return frozenset(p.row.stack_id for p in plan.planned if p.row.decision != "exclude") - looked


def unseen_of(plan: Plan, work: Path) -> frozenset[tuple[str, str]]:
    """Whose issues this run cannot resolve: everybody's, where part of the sources could not be opened.

    Raises ``UsageError`` where ``issues.tsv`` is damaged.
    """
    if not plan.inventory.access_denied:
        return frozenset()
    return frozenset((row.subject, row.session) for row in read_issues(work).values())


def _of_fragment(fragment: Fragment) -> Iterator[Finding]:
    """What the checks of a session found, and the stacks that could not be converted."""
    for result in fragment.results:
        yield from result.findings
        own, known = (result.stack_id,), {f.check for f in result.findings}
        code = code_of(result.reason) if result.reason and result.reason not in MEANING else ""
        if code and code not in known:
            severity = ERROR if is_fault(result.reason) else WARNING
            evidence = Evidence(result.message, result.reason)
            yield Finding(code, severity, result.message, evidence, "stack", result.stack_id, own)


def _held_issues(held: Iterable[Held]) -> Iterator[Issue]:
    """Sessions that were left as they were."""
    for h in held:
        message = f"sub-{h.subject} ses-{h.session} was left as it was: its files lay at {h.place}, which can't be read"
        finding = notice("F01", "session", WARNING, message, f"{h.subject} {h.session}", "held")
        yield replace(Issue(finding, "header"), where=Where(subject=h.subject, session=h.session))
