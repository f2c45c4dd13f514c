"""What a worker asks of one image when it has converted and measured it: the criteria of the second step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trialbids.mappings.criteria import Value
from trialbids.mappings.record import Record

from ..qc.check import Finding
from ..select.decide import Decision
from ..select.eligibility import answer_of, decisions_of
from ..trial.eligibility import Criterion

VERDICT = "verdict"


@dataclass(frozen=True, slots=True)
class Question:
    """The criteria of one stack, with what they read that is known before it is converted. Private."""

    criteria: tuple[Criterion, ...] = ()
    row: Mapping[str, Value] = field(default_factory=dict, repr=False)

    def decide(
        self, record: Record, verdict: str, findings: Sequence[Finding], metrics: Mapping[str, float]
    ) -> tuple[Decision, ...]:
        """The decisions of those criteria that do not let the image pass, in their order."""
        row = {**self.row, VERDICT: verdict, **metrics}
        codes = {f.check for f in findings}
        images = [record]
        answers = [answer_of(c, row, images, codes.__contains__) for c in self.criteria]
        return decisions_of(self.criteria, answers)
