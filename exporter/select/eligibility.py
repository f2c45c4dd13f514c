"""Eligibility: the trial's criteria, asked in their order of subjects, sessions, series and stacks.

A pure function of tables. Criteria come after the tool's own decisions and a person's edits: what they say of a unit
holds for all its stacks. Every criterion is asked of every unit, whatever an earlier one said of it, so that all
reasons are known; the first decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

from trialbids.mappings.criteria import Value
from trialbids.mappings.record import Record

from ..trial.eligibility import Criterion
from .decide import Decision
from .facts import IMAGE_LEVELS, agreed, plan_names
from .flow import LEVELS
from .readable import condition_of

Found = Callable[[str, str], bool]
"""Whether a check (by its code) has found something on a stack (by its ``stack_id``)."""

OF_IMAGES = frozenset(("has", "count"))
NOTHING: Mapping[str, Any] = MappingProxyType({})
PASSED, OUT, UNTOLD, NOT_ASKED = "passed", "out", "untold", ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a criterion says of a unit, and where that is not told, what is not known: names parted by commas."""

    said: str = NOT_ASKED
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One stack as a criterion sees it: whose it is, what the tool decided on it, what it is.

    ``subject``, ``session`` and ``site`` are labels, ``series`` names its series, ``day`` counts from the subject's
    first session. ``facts`` are the values of :func:`.facts.read_stack` by name. A stack that ``is_blocked`` failed a
    check of its headers: it is not kept, but what the checks found on it can be asked for.
    """

    stack_id: str
    subject: str
    session: str
    site: str
    series: tuple[str, ...]
    is_kept: bool
    record: Record
    day: int | None = None
    facts: Mapping[str, Value] = field(default_factory=dict)
    is_blocked: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """What clinical tables say, by subject and by (subject, session), and the kind of every column. Private.

    ``by_visit`` are the columns of tables whose rows speak of visits: a visit without a value has none.
    """

    kinds: Mapping[str, type] = field(default_factory=dict)
    subjects: Mapping[str, Mapping[str, Value]] = field(default_factory=dict, repr=False)
    sessions: Mapping[tuple[str, str], Mapping[str, Value]] = field(default_factory=dict, repr=False)
    by_visit: frozenset[str] = frozenset()


NO_COLUMNS = Columns()


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The criteria of one step, in their order, and what they may read beside the images."""

    criteria: tuple[Criterion, ...] = ()
    columns: Columns = NO_COLUMNS
    found: Found | None = None


Outcomes = Mapping[str, tuple[str, ...]]
"""By ``stack_id`` what every criterion says, in their order: passed, out, untold, or "" where it was not asked."""


def judge(
    candidates: Sequence[Candidate],
    criteria: Sequence[Criterion],
    columns: Columns = NO_COLUMNS,
    found: Found | None = None,
) -> dict[str, tuple[str, ...]]:
    """What every criterion says of every stack, by ``stack_id``, in the order of the criteria.

    ``has``, ``count`` and headers speak of the stacks that are kept and that no earlier criterion of a smaller unit
    took out: an image that is out by itself makes no session complete. A criterion of a stack or series is asked of
    kept stacks alone, one of a session or subject of all.
    """
    found_by = _answers(candidates, Eligibility(tuple(criteria), columns, found))
    return {stack_id: tuple(answer.said for answer in own) for stack_id, own in found_by.items()}


def _answers(candidates: Sequence[Candidate], eligibility: Eligibility) -> dict[str, list[Answer]]:
    """As :func:`judge`, with what is not known."""
    criteria, columns, found = eligibility.criteria, eligibility.columns, eligibility.found
    outcomes: dict[str, list[Answer]] = {c.stack_id: [] for c in candidates}
    gone: dict[str, int] = {}
    for criterion in criteria:
        rank = LEVELS.index(criterion.level)
        checks = bool(condition_of(criterion.text).codes)
        asked = [c for c in candidates if _is_asked(c, criterion.level, checks=checks)]
        seen = {c.stack_id for c in candidates if c.is_kept and gone.get(c.stack_id, rank) >= rank}
        n_sessions = sessions_of(c for c in candidates if c.stack_id in seen)
        asking = Asking(criterion, seen, columns, found, n_sessions)
        answers: dict[str, Answer] = {}
        for members in _units(asked, criterion.level):
            answer = asking.answer(members)
            for c in members:
                answers[c.stack_id] = _worse(answers.get(c.stack_id, Answer(PASSED)), answer)
        for stack_id, own in outcomes.items():
            own.append(answers.get(stack_id, Answer()))
            if own[-1].said in DECISIONS:
                gone[stack_id] = min(rank, gone.get(stack_id, rank))
    return outcomes


def _is_asked(c: Candidate, level: str, *, checks: bool) -> bool:
    """Whether a criterion is asked of a stack; one that asks for ``checks`` also where the stack failed one."""
    return c.is_kept or level not in IMAGE_LEVELS or (checks and c.is_blocked)


def sessions_of(candidates: Iterable[Candidate]) -> Mapping[str, int]:
    """In how many sessions every subject has one of these stacks."""
    return Counter(subject for subject, _ in {(c.subject, c.session) for c in candidates})


DECISIONS: Mapping[str, str] = {OUT: "exclude", UNTOLD: "quarantine"}


def decided_by(eligibility: Eligibility, candidates: Sequence[Candidate]) -> dict[str, tuple[Decision, ...]]:
    """The decisions of the criteria that take a stack out, in their order, by ``stack_id``; the first counts."""
    found = {}
    for stack_id, answers in _answers(candidates, eligibility).items():
        against = decisions_of(eligibility.criteria, answers)
        if against:
            found[stack_id] = against
    return found


def decisions_of(criteria: Sequence[Criterion], answers: Sequence[Answer]) -> tuple[Decision, ...]:
    """The decisions of the criteria that do not let a stack pass."""
    pairs = ((c, a) for c, a in zip(criteria, answers, strict=True) if a.said in DECISIONS)
    return tuple(Decision(DECISIONS[a.said], c.reason, c.sentence, a.missing) for c, a in pairs)


def _units(candidates: Sequence[Candidate], level: str) -> Iterator[Sequence[Candidate]]:
    """The stacks of every unit of a level; a stack that was joined from several series belongs to each."""
    groups: dict[tuple[str, ...], list[Candidate]] = defaultdict(list)
    for c in candidates:
        for key in _keys(c, level):
            groups[key].append(c)
    yield from groups.values()


def _keys(c: Candidate, level: str) -> list[tuple[str, ...]]:
    if level == "stack":
        return [(c.stack_id,)]
    if level == "series":
        return [(c.subject, c.session, uid) for uid in c.series]
    return [(c.subject, c.session)] if level == "session" else [(c.subject,)]


def _worse(one: Answer, other: Answer) -> Answer:
    return next((a for word in (OUT, UNTOLD) for a in (one, other) if a.said == word), one)


def answer_of(
    criterion: Criterion, row: Mapping[str, Value], images: Sequence[Record], ask: Callable[[str], bool] | None
) -> Answer:
    """What follows for a unit with these values and images; ``ask`` tells what a check has found."""
    condition = condition_of(criterion.text)
    truth = condition.truth(row, images, ask)
    if truth is None and criterion.unknown == "quarantine":
        return Answer(UNTOLD, ", ".join(condition.untold(row, images, ask)))
    return Answer(PASSED if truth in (None, criterion.asks == "include") else OUT)


@dataclass(frozen=True, slots=True)
class Asking:
    """One criterion asked of units: ``seen`` are the stacks that speak for theirs."""

    criterion: Criterion
    seen: Collection[str]
    columns: Columns
    found: Found | None
    n_sessions: Mapping[str, int]
    known: dict[Hashable, Answer] = field(default_factory=dict, repr=False)

    def row(self, members: Sequence[Candidate]) -> dict[str, Value]:
        """The values that the criterion reads of a unit with these stacks."""
        seen = [c for c in members if c.stack_id in self.seen]
        return {name: self._value(name, members, seen) for name in condition_of(self.criterion.text).columns}

    def answer(self, members: Sequence[Candidate], more: Mapping[str, Value] = NOTHING) -> Answer:
        """What the criterion says of a unit with these stacks; ``more`` goes before what is read of them."""
        condition = condition_of(self.criterion.text)
        seen = [c for c in members if c.stack_id in self.seen]
        row = {**self.row(members), **more}
        images = tuple(c.record for c in seen) if condition.functions & OF_IMAGES else ()
        checked = [c for c in members if c.is_blocked or c.stack_id in self.seen]
        codes = None if self.found is None else frozenset(filter(partial(self._is_found, checked), condition.codes))
        key = (tuple(row.items()), images, codes)  # many units are alike, and to compute costs more than to remember
        if key not in self.known:
            ask = None if codes is None else codes.__contains__
            self.known[key] = answer_of(self.criterion, row, images, ask)
        return self.known[key]

    def _is_found(self, checked: Sequence[Candidate], code: str) -> bool:
        return self.found is not None and any(self.found(c.stack_id, code) for c in checked)

    def _value(self, name: str, members: Sequence[Candidate], seen: Sequence[Candidate]) -> Value:
        level = self.criterion.level
        if name in plan_names(level):
            return self._of_unit(name, members, seen)
        if name in self.columns.kinds:
            return _clinical(name, level, members, self.columns)
        if name == "age" and level == "subject":
            return min((age for c in seen if isinstance(age := c.facts.get(name), int)), default=None)
        return agreed(c.facts.get(name) for c in seen)

    def _of_unit(self, name: str, members: Sequence[Candidate], seen: Sequence[Candidate]) -> Value:
        """What the plan knows of a unit itself, or what all its images agree in."""
        match name:
            case "site":
                return agreed(c.site for c in members)
            case "session":
                return members[0].session
            case "days":
                return members[0].day
            case "n_sessions":
                return self.n_sessions.get(members[0].subject, 0)
            case "n_series":
                return len({(c.session, uid) for c in seen for uid in c.series})
            case "n_images":
                return len(seen)
            case _:
                return agreed(c.facts.get(name) for c in seen)


def _clinical(name: str, level: str, members: Sequence[Candidate], columns: Columns) -> Value:
    """A column: the visit's where its table has visits, and never another visit's; else the subject's.

    Of a subject it is the first visit's, since people are eligible or not when a trial begins.
    """
    subject = members[0].subject
    if name not in columns.by_visit:
        return columns.subjects.get(subject, {}).get(name)
    first = members[0] if level != "subject" else min(members, key=lambda c: (c.day is None, c.day or 0, c.session))
    return columns.sessions.get((subject, first.session), {}).get(name)
