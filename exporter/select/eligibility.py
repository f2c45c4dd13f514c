"""Eligibility: the trial's criteria, asked in their order of subjects, sessions, series and stacks.

A pure function of tables. Criteria come after the tool's own decisions and a person's edits: what they say of a unit
holds for all its stacks. Every criterion is asked of every unit, whatever an earlier one said of it, so that all
reasons are known; the first decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from trialbids.mappings.criteria import Condition, ConditionError, Value
from trialbids.mappings.record import Record

from ..errors import UsageError
from ..trial.eligibility import Criterion
from .decide import Decision
from .facts import IMAGE_LEVELS, LEVELS, agreed, header_names, image_names, keywords, legal_names, plan_names

Found = Callable[[str, str], bool]
"""Whether a check (by its code) has found something on a stack (by its ``stack_id``)."""

OF_IMAGES = frozenset(("has", "count"))
NOTHING: Mapping[str, Any] = MappingProxyType({})
PASSED, OUT, UNTOLD, NOT_ASKED = "passed", "out", "untold", ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One stack as a criterion sees it: whose it is, what the tool decided on it, what it is.

    ``subject``, ``session`` and ``site`` are labels, ``series`` names its series, ``day`` counts from the subject's
    first session. ``facts`` are the values of :func:`.facts.read_stack` by name.
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


@dataclass(frozen=True, slots=True)
class Columns:
    """What clinical tables say, by subject and by (subject, session), and the kind of every column. Private."""

    kinds: Mapping[str, type] = field(default_factory=dict)
    subjects: Mapping[str, Mapping[str, Value]] = field(default_factory=dict, repr=False)
    sessions: Mapping[tuple[str, str], Mapping[str, Value]] = field(default_factory=dict, repr=False)


NO_COLUMNS = Columns()


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The criteria of one step, in their order, and what they may read beside the images."""

    criteria: tuple[Criterion, ...] = ()
    columns: Columns = NO_COLUMNS
    found: Found | None = None


Outcomes = Mapping[str, tuple[str, ...]]
"""By ``stack_id`` what every criterion says, in their order: passed, out, untold, or "" where it was not asked."""


@lru_cache(1024)
def condition_of(text: str) -> Condition:
    """The condition, read once in a process."""
    return Condition(text)


def names_read(criteria: Sequence[Criterion]) -> frozenset[str]:
    """Every name that a criterion reads."""
    return frozenset(name for c in criteria for name in condition_of(c.text).columns)


def asks_checks(criteria: Sequence[Criterion]) -> bool:
    """Whether a criterion asks what a check of quality has found: only then the checks have to be run."""
    return any(condition_of(c.text).codes for c in criteria)


def check_names(
    criteria: Sequence[Criterion],
    columns: Mapping[str, type],
    codes: Collection[str],
    more: Mapping[str, Mapping[str, type]] = NOTHING,
) -> None:
    """Refuse a criterion that reads what is not there, or compares text with a number.

    ``codes`` are the checks that are run before the criteria are asked, ``more`` what else they may read, by level.
    Raises ``UsageError`` with the place of the criterion, the legal names and the closest one.
    """
    for criterion in criteria:
        condition = condition_of(criterion.text)
        legal = {**legal_names(criterion.level, columns), **more.get(criterion.level, {})}
        of_images = {*image_names(), *more.get("stack", ())}
        for name in sorted(condition.columns - legal.keys()):
            raise UsageError(f"{criterion.place}: {_unknown(name, criterion, legal, columns, of_images)}")
        for code in sorted(condition.codes - {*codes}):
            known = " ".join(sorted(codes))
            raise UsageError(f"{criterion.place}: {code} is no check that is run by then; these are: {known}")
        try:
            condition.check(legal)
        except ConditionError as error:
            said = str(error).removeprefix(f"{criterion.text!r}: ")  # its place is said already
            raise UsageError(f"{criterion.place}: {said}") from error


def _unknown(
    name: str,
    criterion: Criterion,
    legal: Mapping[str, type],
    columns: Mapping[str, type],
    of_images: Collection[str],
) -> str:
    """The sentence for a name that cannot be read."""
    if name in of_images and criterion.level not in IMAGE_LEVELS:
        ask = "ask has(…) or count(…), or write a criterion of level stack"
        return f"{name} belongs to one image, and a {criterion.level} has many; {ask}"
    close = get_close_matches(name, legal, n=1, cutoff=0.5)
    guess = f" (did you mean {close[0]}?)" if close else ""
    plain = sorted(legal.keys() - keywords().keys() - columns.keys())
    said = f"columns of the clinical tables: {', '.join(sorted(columns)) or 'none'}"
    return f"there is no column or value {name}{guess}; there are {', '.join(plain)}, DICOM keywords, and {said}"


def hidden_names(criteria: Sequence[Criterion], columns: Mapping[str, type]) -> tuple[str, ...]:
    """A sentence for every name that a criterion reads and that stands both in a clinical table and elsewhere."""
    said: dict[str, None] = {}
    for criterion in criteria:
        for name in sorted(condition_of(criterion.text).columns & columns.keys()):
            if name in plan_names(criterion.level):
                said[f"criteria read {name} as the plan knows it, not the column of the clinical tables"] = None
            elif name in header_names():
                said[f"criteria read {name} from the clinical tables, not from the images' headers"] = None
    return tuple(said)


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
    outcomes: dict[str, list[str]] = {c.stack_id: [] for c in candidates}
    gone: dict[str, int] = {}
    for criterion in criteria:
        rank = LEVELS.index(criterion.level)
        asked = [c for c in candidates if c.is_kept or criterion.level not in IMAGE_LEVELS]
        seen = {c.stack_id for c in candidates if c.is_kept and gone.get(c.stack_id, rank) >= rank}
        n_sessions = sessions_of(c for c in candidates if c.stack_id in seen)
        asking = Asking(criterion, seen, columns, found, n_sessions)
        said: dict[str, str] = {}
        for members in _units(asked, criterion.level):
            answer = asking.answer(members)
            for c in members:
                said[c.stack_id] = _worse(said.get(c.stack_id, PASSED), answer)
        for stack_id, own in outcomes.items():
            own.append(said.get(stack_id, NOT_ASKED))
            if said.get(stack_id) in DECISIONS:
                gone[stack_id] = min(rank, gone.get(stack_id, rank))
    return {stack_id: tuple(own) for stack_id, own in outcomes.items()}


def sessions_of(candidates: Iterable[Candidate]) -> Mapping[str, int]:
    """In how many sessions every subject has one of these stacks."""
    return Counter(subject for subject, _ in {(c.subject, c.session) for c in candidates})


DECISIONS: Mapping[str, str] = {OUT: "exclude", UNTOLD: "quarantine"}


def decided_by(eligibility: Eligibility, candidates: Sequence[Candidate]) -> dict[str, tuple[Decision, ...]]:
    """The decisions of the criteria that take a stack out, in their order, by ``stack_id``; the first counts."""
    criteria = eligibility.criteria
    found = {}
    for stack_id, outcomes in judge(candidates, criteria, eligibility.columns, eligibility.found).items():
        against = decisions_of(criteria, outcomes)
        if against:
            found[stack_id] = against
    return found


def decisions_of(criteria: Sequence[Criterion], outcomes: Sequence[str]) -> tuple[Decision, ...]:
    """The decisions of the criteria that do not let a stack pass."""
    pairs = zip(criteria, outcomes, strict=True)
    return tuple(Decision(DECISIONS[said], c.reason, c.sentence) for c, said in pairs if said in DECISIONS)


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


def _worse(one: str, other: str) -> str:
    return next((word for word in (OUT, UNTOLD) if word in (one, other)), PASSED)


def answer_of(criterion: Criterion, truth: bool | None) -> str:
    """What follows from the truth of a criterion's condition."""
    if truth is None:
        return PASSED if criterion.unknown == "include" else UNTOLD
    return PASSED if truth is (criterion.asks == "include") else OUT


@dataclass(frozen=True, slots=True)
class Asking:
    """One criterion asked of units: ``seen`` are the stacks that speak for theirs."""

    criterion: Criterion
    seen: Collection[str]
    columns: Columns
    found: Found | None
    n_sessions: Mapping[str, int]
    known: dict[Hashable, str] = field(default_factory=dict, repr=False)

    def row(self, members: Sequence[Candidate]) -> dict[str, Value]:
        """The values that the criterion reads of a unit with these stacks."""
        seen = [c for c in members if c.stack_id in self.seen]
        return {name: self._value(name, members, seen) for name in condition_of(self.criterion.text).columns}

    def answer(self, members: Sequence[Candidate], more: Mapping[str, Value] = NOTHING) -> str:
        """What the criterion says of a unit with these stacks; ``more`` goes before what is read of them."""
        condition = condition_of(self.criterion.text)
        seen = [c for c in members if c.stack_id in self.seen]
        row = {**self.row(members), **more}
        images = tuple(c.record for c in seen) if condition.functions & OF_IMAGES else ()
        codes = None if self.found is None else frozenset(filter(partial(self._is_found, seen), condition.codes))
        key = (tuple(row.items()), images, codes)  # many units are alike, and to compute costs more than to remember
        if key not in self.known:
            ask = None if codes is None else codes.__contains__
            self.known[key] = answer_of(self.criterion, condition.truth(row, images, ask))
        return self.known[key]

    def _is_found(self, seen: Sequence[Candidate], code: str) -> bool:
        return self.found is not None and any(self.found(c.stack_id, code) for c in seen)

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
                return members[0].site
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
    """A column: the visit's, else the subject's. A subject has its own, else that of its earliest visit with one."""
    subject = members[0].subject
    own = columns.subjects.get(subject, {}).get(name)
    if level != "subject":
        value = columns.sessions.get((subject, members[0].session), {}).get(name)
        return own if value is None else value
    if own is not None:
        return own
    order = sorted({(c.day is None, c.day or 0, c.session) for c in members})
    values = (columns.sessions.get((subject, session), {}).get(name) for *_, session in order)
    return next((value for value in values if value is not None), None)
