"""The second step of eligibility: criteria on what came out of the conversion.

Those of a stack are asked by the worker that made it, those of a session when its last stack is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from trialbids.mappings.criteria import Value

from ..pipeline import Plan, columns_of
from ..plan.build import Planned, candidate_of
from ..select.decide import Decision
from ..select.eligibility import Answer, Asking, Candidate, decisions_of, sessions_of
from ..select.readable import names_read
from ..trial.eligibility import Criterion
from .job import Outcome
from .question import VERDICT, Question


class SecondStep:
    """The criteria after conversion of one plan. Values of clinical tables stand in it: private."""

    def __init__(self, plan: Plan, criteria: Sequence[Criterion]) -> None:
        self._criteria = tuple(c for c in criteria if c.after == "conversion")
        self._of_stacks = tuple(c for c in self._criteria if c.level == "stack")
        self._of_sessions = tuple(c for c in self._criteria if c.level == "session")
        self._order = {c.reason: number for number, c in enumerate(self._criteria)}
        self._columns = columns_of(plan.clinical)
        self._quality = plan.quality
        self._names = names_read(self._criteria)
        kept = [p for p in plan.planned if p.row.decision == "keep"] if self._criteria else []
        self._candidates = {p.row.stack_id: candidate_of(p.harmonised, p.visit, True, self._names) for p in kept}
        self._n_sessions = sessions_of(self._candidates.values())

    def state(self, kept: Sequence[Planned]) -> str:
        """Names all that the answers depend on beside the images themselves; "" where there is no criterion."""
        if not self._criteria:
            return ""
        texts = [(c.id, c.level, c.include, c.exclude, c.sentence, c.unknown) for c in self._criteria]
        rows = [sorted(self.question(p).row.items()) for p in kept]
        members = [self._candidates[p.row.stack_id] for p in kept]
        sessions = [sorted(self._asking(c, members).row(members).items()) for c in self._of_sessions]
        return repr((texts, rows, sessions))

    def question(self, planned: Planned) -> Question:
        """What the worker is to ask of one stack."""
        if not self._of_stacks:
            return Question()
        members = [self._candidates[planned.row.stack_id]]
        row: dict[str, Value] = {}
        for criterion in self._of_stacks:
            row |= self._asking(criterion, members).row(members)
        return Question(self._of_stacks, row)

    def judged(self, outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
        """The outcomes of a whole session as its own criteria leave them: where one refuses it, no image stays."""
        if not self._of_sessions:
            return tuple(outcomes)
        converted = [o for o in outcomes if o.verdict != "fail"]
        against: list[Decision] = []
        for criterion in self._of_sessions:
            before = [o for o in converted if not self._is_out(o, criterion)]
            answer = self._answer(criterion, [o.stack_id for o in outcomes], before)
            against += decisions_of([criterion], [answer])
        return tuple(self._refused(o, against) for o in outcomes) if against else tuple(outcomes)

    def _is_out(self, outcome: Outcome, criterion: Criterion) -> bool:
        """Whether an earlier criterion has taken a stack out."""
        return any(self._order[d.reason] < self._order[criterion.reason] for d in outcome.against)

    def _answer(self, criterion: Criterion, stack_ids: Sequence[str], seen: Sequence[Outcome]) -> Answer:
        members = [self._candidates[stack_id] for stack_id in stack_ids]
        found = {o.stack_id: self._quality.codes(o.stack_id) | {f.check for f in o.findings} for o in seen}
        speakers = [self._candidates[o.stack_id] for o in seen]
        asking = self._asking(criterion, speakers, lambda stack_id, code: code in found[stack_id])
        verdicts = {o.verdict for o in seen}
        worst = next((word for word in ("warn", "waived", "pass") if word in verdicts), None)
        return asking.answer(members, {VERDICT: worst})

    def _asking(
        self, criterion: Criterion, seen: Sequence[Candidate], found: Callable[[str, str], bool] | None = None
    ) -> Asking:
        return Asking(criterion, {c.stack_id for c in seen}, self._columns, found, self._n_sessions)

    def _refused(self, outcome: Outcome, against: Sequence[Decision]) -> Outcome:
        every = sorted((*outcome.against, *against), key=lambda d: self._order[d.reason])
        return replace(outcome, image=None, against=tuple(every), left_out=(), dropped=())
