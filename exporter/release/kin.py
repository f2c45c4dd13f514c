"""What the images of a session say of each other, once its last stack is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from ..plan.build import Planned
from ..qc.check import Finding, measured
from ..qc.source import Quality
from ..qc.verdict import FAIL, verdict
from .job import Outcome

if TYPE_CHECKING:
    from ..qc.pixels.siblings import Dynamic, Siblings  # OpenCV: only where there is something to compare


def compared(
    outcomes: Sequence[Outcome], members: Sequence[Planned], quality: Quality, tolerances: Mapping[str, float]
) -> tuple[Outcome, ...]:
    """The outcomes of one session with what its images show beside each other, in findings, metrics and verdict."""
    sketches = {o.stack_id: o.sketch for o in outcomes if o.sketch is not None and o.verdict != FAIL}
    if not sketches:
        return tuple(outcomes)
    from ..qc.pixels.sessions import check_siblings
    from ..qc.pixels.siblings import Siblings

    siblings = Siblings(sketches, {p.row.stack_id: p.row.record for p in members})
    visit = members[0].visit
    found = check_siblings(siblings, f"{visit.subject} {visit.session}", tolerances)
    metrics, failed = _of_phases(siblings)
    found = (*found, *failed)
    return tuple(_with(o, found, metrics.get(o.stack_id, {}), quality) for o in outcomes)


def _with(outcome: Outcome, findings: Sequence[Finding], metrics: Mapping[str, float], quality: Quality) -> Outcome:
    own = (*outcome.findings, *(f for f in findings if outcome.stack_id in f.stacks))
    if outcome.verdict == FAIL or outcome.reason:
        return replace(outcome, sketch=None)
    word = verdict((*quality.of_stack(outcome.stack_id), *own), quality.waived)
    image = replace(outcome.image, qc_verdict=word) if outcome.image is not None else None
    more = {**outcome.metrics, **metrics}
    return replace(outcome, verdict=word, findings=own, metrics=more, image=image, sketch=None)


def _of_phases(siblings: Siblings) -> tuple[dict[str, Mapping[str, float]], tuple[Finding, ...]]:
    """The metrics of every dynamic series, by each of its stacks; none where its times are not known. A series that
    cannot be measured is a finding on its first stack."""
    first = min(siblings.sketches)
    dynamic, failed = measured(lambda: siblings.dynamic, (), "dynamic series", first)
    found: dict[str, Mapping[str, float]] = {}
    for series in dynamic:
        metrics, more = measured(partial(_phase_metrics, series), {}, "metrics of phases", series.phases[0].stack_id)
        failed = (*failed, *more)
        found |= {s.stack_id: metrics for s in series.phases if metrics}
    return found, failed


def _phase_metrics(series: Dynamic) -> dict[str, float]:
    import numpy as np

    from ..qc.metrics import Phases, measure_phases

    times = [s.phase_time_s for s in series.phases if s.phase_time_s is not None]
    if len(times) < len(series.phases) or any(b <= a for a, b in pairwise(times)):
        return {}
    return measure_phases(Phases(np.stack([s.values[0] for s in series.phases]), np.array(times)))
