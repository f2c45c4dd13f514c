"""What of quality stands in the released tree beside the images: the issues, the cycles, the inspection, how far sites
keep the protocol. Codes, closed words, labels of the release and numbers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..deidentify.pseudonyms import Pseudonyms
from ..pipeline import Plan
from ..qc.inspection.estimate import Inspection, estimate
from ..qc.inspection.population import state_of
from ..qc.inspection.store import read_draws, read_taken
from ..qc.ledger.cycles import COUNT_COLUMNS, Cycle, read_cycles
from ..qc.ledger.public import ABSENT, PUBLIC_ISSUE_COLUMNS, PUBLIC_ISSUES_FILE, Keyed, public_rows
from ..qc.ledger.record import Recorded
from ..qc.ledger.row import OPEN, RESOLVED, SEVERITIES, STATES, WAIVED, Row
from ..qc.protocol.check import protocol_of
from ..qc.protocol.compliance import COMPLIANCE_FILE, compliance, compliance_bytes
from ..qc.protocol.compliance import Row as Kept
from ..tables import json_bytes, tsv_bytes
from ..trial import Trial
from .certificate import LookedAt
from .dataset import write_if_changed
from .quality import QUALITY_FILE, Judged, quality_bytes

PUBLIC_CYCLES_FILE = "curation/cycles.tsv"
PUBLIC_CYCLE_COLUMNS = ("cycle", "steps", *COUNT_COLUMNS)
INSPECTION_FILE = "curation/inspection.json"
PUBLIC_COMPLIANCE_FILE = f"curation/{COMPLIANCE_FILE}"
CLEAN_VERDICTS = ("pass", "warn", "waived")
STANDING = tuple((state, severity) for state in STATES for severity in SEVERITIES)


@dataclass(frozen=True, slots=True)
class Inspected:
    """The result of the inspections, and the states of all images of the tree from which was last drawn and judged."""

    result: Inspection
    states: frozenset[str]

    def to_json(self, judged: Sequence[Judged], *, hides_sites: bool) -> dict[str, Any]:
        """The content of ``curation/inspection.json``.

        ``released`` says of how many images of this tree the result speaks: those that are as they were when was drawn.
        Groups are left out where they would tell a site that the release hides.
        """
        content = self.result.to_json()
        if hides_sites and any(part.site != ABSENT for part in self.result.strata):
            content["strata"] = []
        return content | {"released": {"images": len(judged), "unchanged": self.unchanged(judged)}}

    def unchanged(self, judged: Sequence[Judged]) -> int:
        """How many images of this tree are as they were when was drawn."""
        states = (state_of(i.path, i.voxels_sha256, i.affine, i.record) for i in (r.image for r in judged))
        return sum(state in self.states for state in states)


def looked_at(found: Inspected | None, judged: Sequence[Judged]) -> LookedAt | None:
    """What the certificate says of the inspection; None where nothing can be said."""
    result = found.result if found is not None else None
    if found is None or result is None or result.rate is None:
        return None
    return LookedAt(
        images=result.images,
        looked_at=result.sample.n,
        wrong=result.sample.wrong,
        rate=round(result.rate, 6),
        at_most=round(result.at_most, 6),
        released=len(judged),
        unchanged=found.unchanged(judged),
    )


def inspected(work: Path) -> Inspected | None:
    """What was inspected so far; None while nothing was judged.

    Raises ``UsageError`` where what was kept of it cannot be read.
    """
    draws = read_draws(work)
    taken = read_taken(work, draws)
    found = estimate(draws, taken)
    if found is None:
        return None
    last = max(number for number in draws if any(v.outcome for v in taken[number].values()))
    return Inspected(found, frozenset(state for states in draws[last].strata.values() for state in states))


@dataclass(frozen=True, slots=True, kw_only=True)
class Curated:
    """What an export knows of quality: the issues as they stand, all cycles, the inspection, how far sites keep the
    protocol, and the released images. ``keyed`` gives a label under the trial's key. Private.
    """

    issues: Sequence[Row]
    cycles: Sequence[Cycle]
    inspection: Inspected | None
    kept: Sequence[Kept]
    judged: Sequence[Judged]
    hides_sites: bool
    keyed: Keyed

    def files(self, cycle: int) -> dict[str, bytes | None]:
        """The content of every file as of a cycle, None for one that is not to be there."""
        hidden = self.hides_sites or not self.kept
        return {
            QUALITY_FILE: quality_bytes(self.judged),
            PUBLIC_ISSUES_FILE: tsv_bytes(PUBLIC_ISSUE_COLUMNS, self._issues(cycle)),
            PUBLIC_CYCLES_FILE: tsv_bytes(PUBLIC_CYCLE_COLUMNS, _cycles(self.cycles, cycle)),
            PUBLIC_COMPLIANCE_FILE: None if hidden else compliance_bytes(self.kept),
            INSPECTION_FILE: self._inspection(),
        }

    def counts(self, cycle: int) -> dict[str, Any]:
        """The key ``qc`` of ``curation/summary.json``: in a few figures what the files tell."""
        opened = Counter(row.severity for row in self.issues if row.state == OPEN)
        states = Counter(row.state for row in self.issues)
        verdicts = Counter(r.image.qc_verdict for r in self.judged)
        found: dict[str, Any] = {
            "cycle": cycle,
            "verdicts": {word: verdicts[word] for word in CLEAN_VERDICTS},
            "open": {severity: opened[severity] for severity in SEVERITIES},
            "waived": states[WAIVED],
            "resolved": states[RESOLVED],
        }
        if self.inspection is not None:
            result = self.inspection.result
            share = {"n": result.sample.n, "wrong": result.sample.wrong, "at_most": round(result.at_most, 6)}
            found["inspection"] = share
        return found

    def _issues(self, cycle: int) -> list[dict[str, str]]:
        """The issues; what later cycles found unchanged is not told, so that they leave the tree as it is.

        Files that are no images are left out: they are named by where they lie.
        """
        images = {r.stack_id: r.image.path for r in self.judged}
        issues = [row for row in self.issues if row.subject or row.level != "instance"]
        rows = public_rows(issues, images, _released(self.judged), self.keyed)
        return [row | {"cycle_last": str(min(int(row["cycle_last"]), cycle))} for row in rows]

    def _inspection(self) -> bytes | None:
        if self.inspection is None:
            return None
        return json_bytes(self.inspection.to_json(self.judged, hides_sites=self.hides_sites))


def curated_of(
    plan: Plan,
    trial: Trial,
    pseudonyms: Pseudonyms,
    ledger: Recorded,
    inspection: Inspected | None,
    judged: Sequence[Judged],
) -> Curated:
    """All of it, once the cycle of a run is recorded."""
    return Curated(
        issues=ledger.rows,
        cycles=read_cycles(trial.work),
        inspection=inspection,
        kept=compliance(plan.planned, protocol_of(trial), trial.qc.of_site),
        judged=judged,
        hides_sites="site" in trial.suppress,
        keyed=lambda kind, value: pseudonyms.label(kind, "", value),
    )


def write_curated(root: Path, found: Curated) -> dict[str, Any]:
    """Write all files; returns the part ``qc`` of the summary."""
    cycle = released_cycle(found.cycles)
    for name, data in found.files(cycle).items():
        if data is None:
            (root / name).unlink(missing_ok=True)
        else:
            write_if_changed(root / name, data)
    return {"qc": found.counts(cycle)}


def released_cycle(cycles: Sequence[Cycle]) -> int:
    """The cycle that a release is of: the last one in which the issues changed, the first one where none did.

    A run that finds nothing new is a cycle of its own in the work folder, and leaves the tree as it is.
    """
    changed = (
        cycle.number
        for before, cycle in pairwise(cycles)
        if not cycle.is_quiet or any(cycle.counts.get(k, 0) != before.counts.get(k, 0) for k in STANDING)
    )
    return max(changed, default=cycles[0].number)


def _released(judged: Iterable[Judged]) -> Collection[tuple[str, str]]:
    """Labels of subject and session of whom there is an image."""
    images = (r.image for r in judged)
    return {(i.participant_id.removeprefix("sub-"), i.session_id.removeprefix("ses-")) for i in images}


def _cycles(cycles: Iterable[Cycle], last: int) -> list[dict[str, str]]:
    """The cycles up to that of the release: their counts, without the hour, which is nobody's business."""
    return [{name: c.to_row()[name] for name in PUBLIC_CYCLE_COLUMNS} for c in cycles if c.number <= last]
