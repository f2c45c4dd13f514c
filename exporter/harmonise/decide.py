"""From facts to a record: rules vote, the strongest wins, what spoke for it gives the confidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from trialbids.mappings.calibration import calibration, confidence, grounds_of
from trialbids.mappings.conditions import RECORD
from trialbids.mappings.facts import Facts
from trialbids.mappings.rules import SITE, Rule, Rules
from trialbids.mappings.vocabulary import vocabulary

from .panel import Fired, Sheet, getter, panel_of

LEAST_SCORE = 0.4
"""Less evidence than this says nothing."""

LEAST_MARGIN = 0.35
"""A lead smaller than this is a tie: unknown."""

ROUNDS = 4
DEFAULTS = {"part": "mag"}
MOST_REMEMBERED = 20000


@dataclass(frozen=True, slots=True)
class Evidence:
    """One rule that fired: what it read and what it voted for."""

    rule: str
    reason: str
    read: tuple[tuple[str, str], ...]
    votes: tuple[tuple[str, str], ...]
    weight: float
    theme: str = ""


@dataclass(frozen=True)
class Decision:
    """The values of all voted attributes, the confidence in ``sequence``, and who said so.

    A ``sequence`` of less confidence than the calibration's least is withheld: ``unknown``.
    ``deciding`` holds the ids of the rules that voted for a value that won.
    """

    values: Mapping[str, Any]
    confidence: float
    deciding: tuple[str, ...]
    fired: tuple[Rule, ...] = field(repr=False)
    facts: Facts = field(repr=False, compare=False)

    @cached_property
    def evidence(self) -> tuple[Evidence, ...]:
        """All rules that fired, with what each read."""
        sheet = Sheet(self.facts, self.values)
        return tuple(Evidence(r.id, r.reason, what_was_read(r, sheet), r.votes, r.weight, r.theme) for r in self.fired)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the votes on one attribute come to: the value, how sure, and the rules that voted for it."""

    value: Any
    confidence: float
    deciding: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all rules that fired come to."""

    fired: tuple[Rule, ...]
    values: Mapping[str, Any]
    confidence: float
    deciding: tuple[str, ...]


class Judge:
    """Applies one set of rules to many stacks, and asks nothing twice.

    A rule sees nothing but the fields that it names. So stacks that are alike in the fields of all rules share one
    decision, those alike in the fields that seldom vary share the answers on these, and what the same rules come to is
    worked out once. It remembers up to :data:`MOST_REMEMBERED` stacks that differ, then begins anew.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = (*rules.first, *rules.later)
        self._n_first = len(rules.first)
        self._within = rules.within
        self._votes_on = [tuple(dict.fromkeys(name for name, _ in rule.votes)) for rule in self._rules]
        self._abstentions = abstentions()
        self._asked = getter({name for rule in self._rules for name in rule.reads if not name.startswith(RECORD)})
        self._forget()

    def _forget(self) -> None:
        numbered = list(enumerate(self._rules))
        self._first, self._later = panel_of(numbered[: self._n_first]), panel_of(numbered[self._n_first :])
        self._decisions: dict[Any, Decision] = {}
        self._verdicts: dict[Fired, Verdict] = {}
        self._outcomes: dict[tuple[str, Fired], Outcome] = {}

    def __call__(self, facts: Facts) -> Decision:
        """Decide on one stack.

        Rules that ask for the record are asked again until nothing changes, four times at most.
        """
        key = self._asked(facts)
        found = self._decisions.get(key)
        if found is None:
            if len(self._decisions) >= MOST_REMEMBERED:
                self._forget()
            found = self._decisions[key] = self._decide(facts)
        return found

    def _decide(self, facts: Facts) -> Decision:
        sheet = Sheet(facts)
        plain = self._first.fired(sheet)
        fired, verdict = plain, self._verdict(plain)
        for _ in range(ROUNDS):
            sheet.decided = verdict.values
            fired = plain + self._later.fired(sheet)
            before, verdict = verdict, self._verdict(fired)
            if verdict.values == before.values:
                break
        verdict = withheld_if_unsure(verdict)
        return Decision(verdict.values, verdict.confidence, verdict.deciding, verdict.fired, facts)

    def _verdict(self, fired: Fired) -> Verdict:
        found = self._verdicts.get(fired)
        if found is None:
            found = self._verdicts[fired] = self._count(fired)
        return found

    def _count(self, fired: Fired) -> Verdict:
        """The votes of these rules, counted attribute by attribute."""
        cast: dict[str, list[int]] = defaultdict(list)
        for number in fired:
            for name in self._votes_on[number]:
                cast[name].append(number)
        values = dict(self._abstentions)
        deciding: set[str] = set()
        certain = 0.0
        for name, numbers in cast.items():
            key = name, tuple(numbers)
            outcome = self._outcomes.get(key)
            if outcome is None:
                rules = [self._rules[number] for number in numbers]
                outcome = self._outcomes[key] = count_votes(name, rules, self._within)
            values[name] = outcome.value
            deciding |= outcome.deciding
            if name == "sequence":
                certain = outcome.confidence
        rules = tuple(self._rules[number] for number in fired)
        return Verdict(rules, MappingProxyType(values), certain, tuple(sorted(deciding)))


def decide(facts: Facts, rules: Rules) -> Decision:
    """Apply the rules to one stack; for many stacks make one :class:`Judge`."""
    return Judge(rules)(facts)


def abstentions() -> dict[str, Any]:
    """What every attribute that is voted on says where nobody votes, in the order of the vocabulary."""
    voted = [a for a in vocabulary().values() if a.kind in ("word", "words") and a.name != "phase_time_source"]
    return {a.name: () if a.kind == "words" else DEFAULTS.get(a.name, "unknown") for a in voted}


def count_votes(name: str, rules: Sequence[Rule], within: Mapping[str, str]) -> Outcome:
    """The outcome of the votes of these rules on one attribute."""
    scores = scores_of(name, rules, within)
    attribute = vocabulary()[name]
    if attribute.kind == "words":
        value = tuple(w for w in attribute.values if scores.get(w, 0.0) >= LEAST_SCORE)
    else:
        value = winner(scores, DEFAULTS.get(name, "unknown"))
    chosen = value if isinstance(value, tuple) else (value,)
    deciding = frozenset(r.id for r in rules if any(a == name and v in chosen for a, v in r.votes))
    certain = confidence(grounds_of(rules)) if name == "sequence" and value != "unknown" else 0.0
    return Outcome(value, certain, deciding)


def withheld_if_unsure(verdict: Verdict) -> Verdict:
    """The verdict, without a ``sequence`` that is too often wrong on such grounds.

    Only the last word is withheld: on the way to it rules may read what it would have been.
    """
    if verdict.confidence >= calibration().least or verdict.values["sequence"] == "unknown":
        return verdict
    return replace(verdict, values=MappingProxyType({**verdict.values, "sequence": "unknown"}), confidence=0.0)


def scores_of(name: str, rules: Sequence[Rule], within: Mapping[str, str]) -> dict[str, float]:
    """The score of each value of one attribute; a site's own rule speaks for the body part it names alone."""
    if name != "bodypart":
        return tally(rules).get(name, {})
    scores = most_specific(tally([r for r in rules if r.theme != SITE]).get(name, {}), within)
    for value, score in tally([r for r in rules if r.theme == SITE]).get(name, {}).items():
        scores[value] = scores.get(value, 0.0) + score
    return scores


def tally(fired: Sequence[Rule]) -> dict[str, dict[str, float]]:
    """Score of each value: the strongest vote of each theme, summed over the themes."""
    strongest: dict[tuple[str, str, str], float] = defaultdict(float)
    for rule in fired:
        for name, value in rule.votes:
            key = name, value, rule.theme
            strongest[key] = max(strongest[key], rule.weight)
    scores: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for (name, value, _), weight in strongest.items():
        scores[name][value] += weight
    return {name: dict(by_value) for name, by_value in scores.items()}


def winner(scores: Mapping[str, float], default: str) -> str:
    """The value with the highest score, or the default where the evidence is too little or too close."""
    best, lead = lead_of(scores)
    return best if scores.get(best, 0.0) >= LEAST_SCORE and lead >= LEAST_MARGIN else default


def lead_of(scores: Mapping[str, float]) -> tuple[str, float]:
    """The best value and its lead over the next."""
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    second = ranked[1][1] if len(ranked) > 1 else 0.0
    return (ranked[0][0], ranked[0][1] - second) if ranked else ("unknown", 0.0)


def most_specific(scores: Mapping[str, float], within: Mapping[str, str]) -> dict[str, float]:
    """Let what speaks for a region speak for the parts of it that were named as well.

    >>> most_specific({"pelvis": 3.0, "prostate": 2.0}, {"prostate": "pelvis"})
    {'pelvis': 3.0, 'prostate': 5.0}
    """
    raised = dict(scores)
    for name in scores:
        outer = within.get(name)
        while outer:
            raised[name] += scores.get(outer, 0.0)
            outer = within.get(outer)
    return raised


def what_was_read(rule: Rule, sheet: Sheet) -> tuple[tuple[str, str], ...]:
    """The fields a rule asked for, with their values as text."""
    return tuple((name, " ".join(str(v) for v in sheet(name))) for name in rule.reads)
