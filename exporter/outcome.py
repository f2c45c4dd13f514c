"""What became of a person's edits and of the rules learned from them: in words, and as counts for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from .plan.notice import PLAN_ISSUES_FILE

if TYPE_CHECKING:
    from .pipeline import Plan
    from .review.learn import Learned
    from .review.read import Contradiction
    from .trial import Trial

MOST_CONTRADICTIONS = 20
FIRST_PROBLEMS = 3
"""So many of each kind are shown; all are in the list."""


def to_json(plan: Plan, learned: Learned | None) -> dict[str, object]:
    """What became of the edits, as counts; of learned rules, what they do."""
    counts: dict[str, object] = {
        "taken": sum(not e.withdrawn for e in plan.taken),
        "withdrawn": sum(e.withdrawn for e in plan.taken),
        "in_force": plan.reviewed.applied,
        "gone": [asdict(e) for e in plan.reviewed.gone],
        "refused": [asdict(r) for r in plan.reviewed.refused],
        "contradicted": [asdict(c) for c in plan.contradicted],
        "edited_in_place": None if plan.rescued is None else str(plan.rescued),
    }
    return counts if learned is None else counts | {"learned": asdict(learned) | {"path": str(learned.path)}}


def warnings(plan: Plan, learned: Learned | None) -> Iterator[str]:
    """What a person has to look at: edits that are not applied, and such as became no rule."""
    if plan.rescued is not None:
        yield f"plan.tsv was edited where it lay; that copy is now {plan.rescued}: read it back with plan --apply"
    for e in plan.reviewed.gone:
        yield f"edit kept for later: stack {e.stack_id} ({e.attribute} = {e.new}) is not in the sources at present"
    for r in plan.reviewed.refused:
        yield f"edit not applied: stack {r.edit.stack_id} ({r.edit.attribute} = {r.edit.new}): {r.why}"
    for c in plan.contradicted[:MOST_CONTRADICTIONS]:
        yield _contradiction(c)
    if len(plan.contradicted) > MOST_CONTRADICTIONS:
        yield f"and {len(plan.contradicted) - MOST_CONTRADICTIONS} more cells that say otherwise than edits in force"
    for sentence in learned.left if learned is not None else ():
        yield f"no rule: {sentence}"


def _contradiction(c: Contradiction) -> str:
    e = c.edit
    says = f"the edited plan, line {c.line}: column {e.attribute}: says {c.cell or '(empty)'}"
    stands = f"but the edit to {e.new or '(empty)'} by {e.by} on {e.date} stays in force"
    return f"{says}, {stands}; to withdraw it, write the tool's own answer into a new copy of plan.tsv and apply that"


def lines(plan: Plan, learned: Learned | None, trial: Trial) -> Iterator[str]:
    """The counts, and what learned rules do."""
    if plan.edits:
        withdrawn = sum(e.withdrawn for e in plan.taken)
        yield (
            f"edits: {len(plan.taken) - withdrawn} taken, {withdrawn} withdrawn, {plan.reviewed.applied} in force; "
            f"who and when is in {trial.work / 'edits.tsv'}"
        )
    if learned is not None:
        yield from _learned(learned, trial)


def problems(plan: Plan, work: Path) -> Iterator[str]:
    """What a person should know of the tables, the criteria and the people: how many of each, and the first few."""
    groups = _problems(plan)
    for name, sentences in groups.items():
        if sentences:
            yield f"{name}: {len(sentences):,}"
            yield from (f"  {sentence}" for sentence in sentences[:FIRST_PROBLEMS])
    if any(groups.values()):
        yield f"all of them are in {work / PLAN_ISSUES_FILE}"


def count_problems(plan: Plan) -> dict[str, int]:
    """The same as numbers."""
    return {name: len(sentences) for name, sentences in _problems(plan).items()}


def _problems(plan: Plan) -> dict[str, Sequence[str]]:
    """Sentences by what they are about; those of the tables hold file names and lines, no values."""
    notices = [f"sub-{n.subject}: {n.message}" if n.subject else n.message for n in plan.visits.notices]
    return {
        "clinical rows and visits without a partner": plan.clinical.unmatched,
        "clinical cells and columns that are not what trial.yaml says": plan.clinical.refused,
        "notes on people and criteria": notices,
    }


def _learned(learned: Learned, trial: Trial) -> Iterator[str]:
    if learned.n_rules:
        stacks = len({e.stack_id for e in learned.others})
        yield f"{learned.n_rules} rules written to {learned.path}"
        yield f"by them alone: {learned.reproduced} of {learned.wanted} edits come out, {stacks} other stacks change"
    else:
        yield "no rule was written: no edit is left that a rule could stand for and none does yet"
    for m in learned.missed:
        given = f"{m.attribute} = {m.value or '(none)'}; the rules say {m.given or '(none)'}"
        yield f"  does not come out: stack {m.stack_id}: {given}"
    for e in learned.others:
        yield f"  stack {e.stack_id}: {e.attribute}: {e.before or '(none)'} becomes {e.after or '(none)'}"
    for e in learned.follow:
        follows = f"{e.attribute} would follow: {e.before or '(none)'} to {e.after or '(none)'}"
        yield f"  edited stack {e.stack_id}: {follows}"
    if learned.n_rules and learned.path.resolve() not in {path.resolve() for path in trial.rules}:
        yield f"to use them, add to trial.yaml:\nrules: [{', '.join([*map(str, trial.rules), learned.path.name])}]"
