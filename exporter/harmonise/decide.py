"""From facts to a record: rules vote, the strongest wins, the margin is the confidence."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trialbids.mappings.conditions import FACT_NAMES, RECORD
from trialbids.mappings.facts import Facts
from trialbids.mappings.rules import Rule, Rules
from trialbids.mappings.vocabulary import vocabulary

LEAST_SCORE = 0.4
"""Less evidence than this says nothing."""

LEAST_MARGIN = 0.35
"""A lead smaller than this is a tie: unknown."""

MARGIN_SCALE = 2.2
ROUNDS = 4
DEFAULTS = {"part": "mag"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One rule that fired: what it read and what it voted for."""

    rule: str
    reason: str
    read: tuple[tuple[str, str], ...]
    votes: tuple[tuple[str, str], ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The values of all voted attributes, the confidence in ``sequence``, and who said so.

    ``deciding`` holds the ids of the rules that voted for a value that won; ``evidence`` all that fired.
    """

    values: Mapping[str, Any]
    confidence: float
    deciding: tuple[str, ...]
    evidence: tuple[Evidence, ...]


class Sheet:
    """Facts, with what has been decided so far, as a rule's condition reads them: words in lower case."""

    def __init__(self, facts: Facts) -> None:
        self.read = {name: as_values(name, getattr(facts, name)) for name in FACT_NAMES}

    def note(self, values: Mapping[str, Any]) -> None:
        """Make the decided values readable as ``record.<attribute>``."""
        for name in vocabulary():
            self.read[RECORD + name] = as_values(name, values.get(name, "unknown"))

    def __call__(self, name: str) -> tuple[Any, ...]:
        return self.read[name]


def as_values(name: str, value: Any) -> tuple[Any, ...]:
    """A fact as a tuple of values. Absent numbers are (); absent words hold the empty word, which can be asked for."""
    if isinstance(value, tuple):
        values = tuple(v.lower() if isinstance(v, str) else v for v in value)
        return values or ("",) if name in WORD_FIELDS else values
    return () if value is None else (value.lower() if isinstance(value, str) else value,)


WORD_FIELDS = frozenset({"image_type", "scan_options"})


def decide(facts: Facts, rules: Rules) -> Decision:
    """Apply the rules to one stack.

    Rules that ask for the record are asked again until nothing changes, four times at most.
    """
    sheet = Sheet(facts)
    plain = [r for r in rules.first if r.condition(sheet)]
    fired = plain
    values, scores = resolve(fired, rules.within)
    for _ in range(ROUNDS):
        sheet.note(values)
        fired = plain + [r for r in rules.later if r.condition(sheet)]
        before, (values, scores) = values, resolve(fired, rules.within)
        if values == before:
            break
    sheet.note(values)
    deciding = tuple(sorted({r.id for r in fired if any(won(values, a, v) for a, v in r.votes)}))
    evidence = tuple(Evidence(r.id, r.reason, what_was_read(r, sheet), r.votes, r.weight) for r in fired)
    return Decision(values, confidence(scores.get("sequence", {})), deciding, evidence)


def resolve(fired: Sequence[Rule], within: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """The winning value of each attribute, and all scores."""
    scores = tally(fired)
    if "bodypart" in scores:
        scores["bodypart"] = most_specific(scores["bodypart"], within)
    values: dict[str, Any] = {}
    for name, attribute in vocabulary().items():
        if attribute.kind == "words":
            values[name] = tuple(w for w in attribute.values if scores.get(name, {}).get(w, 0.0) >= LEAST_SCORE)
        elif attribute.kind == "word" and name in scores:
            values[name] = winner(scores[name], DEFAULTS.get(name, "unknown"))
        elif attribute.kind == "word" and name != "phase_time_source":
            values[name] = DEFAULTS.get(name, "unknown")
    return values, scores


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


def confidence(scores: Mapping[str, float]) -> float:
    """Confidence from the lead of the winner: 0 where nothing won, rising towards 1."""
    best, lead = lead_of(scores)
    if winner(scores, "unknown") == "unknown" or best == "unknown":
        return 0.0
    return round(1.0 - 0.5 * math.exp(-lead / MARGIN_SCALE), 3)


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


def won(values: Mapping[str, Any], attribute: str, value: str) -> bool:
    """Whether a vote went to the winner."""
    chosen = values.get(attribute)
    return value in chosen if isinstance(chosen, tuple) else value == chosen


def what_was_read(rule: Rule, sheet: Sheet) -> tuple[tuple[str, str], ...]:
    """The fields a rule asked for, with their values as text."""
    return tuple((name, " ".join(str(v) for v in sheet(name))) for name in rule.reads)
