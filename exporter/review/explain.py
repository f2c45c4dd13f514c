"""Why a stack is what the rules say, and what would change the answer. All of it is private: it quotes headers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from trialbids.mappings.facts import Facts
from trialbids.mappings.record import format_cell
from trialbids.mappings.rules import Rule, Rules
from trialbids.mappings.vocabulary import vocabulary

from ..harmonise.decide import LEAST_MARGIN, LEAST_SCORE, Evidence, Judge, decide, most_specific, tally
from .facts import Absence, without_facts

MOST_UNTOLD = 8


@dataclass(frozen=True, slots=True)
class Score:
    """What the rules gave to one value of an attribute."""

    value: str
    score: float


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute with everything that was said of it: scores from high to low, and the answer.

    ``lead`` is the distance from the best to the next (for a list of words, from the weakest word taken to the least
    score); ``missing`` says, for an answer that is not given, what it lacks.
    """

    name: str
    answer: str
    scores: tuple[Score, ...]
    lead: float
    missing: str


@dataclass(frozen=True, slots=True)
class Change:
    """Something that, taken away alone, gives another answer: a ``rule`` by id, or a ``field`` that was read."""

    kind: str
    name: str
    read: str
    attribute: str
    answer: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Every rule that fired, what each attribute got, and what would change the attributes asked about.

    ``untold`` are the facts that rules for these attributes ask most often and that nothing tells here.
    """

    fired: tuple[Evidence, ...]
    attributes: tuple[Attribute, ...]
    changes: tuple[Change, ...]
    confidence: float
    untold: tuple[str, ...]


def explain(
    facts: Facts,
    rules: Rules,
    asked: Sequence[str] = ("sequence",),
    absences: Iterable[Absence] | None = None,
) -> Explanation:
    """Explain the record of one stack; ``asked`` are the attributes whose answer is tested by leaving things out.

    Left out are the rules that fired, one by one, and what ``absences`` names: the fields of the facts, where nothing
    else is given.
    """
    if absences is None:
        absences = without_facts(facts, [f.name for f in fields(Facts)])
    decision = decide(facts, rules)
    by_id = {rule.id: rule for rule in rules.rules}
    fired = [by_id[e.rule] for e in decision.evidence]
    answers = _answers(decision.values)
    return Explanation(
        fired=decision.evidence,
        attributes=_attributes(fired, rules, answers, asked),
        changes=(*_by_rules(facts, rules, fired, answers, asked), *_by_absence(rules, answers, asked, absences)),
        confidence=decision.confidence,
        untold=_untold(facts, rules, asked),
    )


def _answers(values: Any) -> dict[str, str]:
    return {name: format_cell(value) for name, value in values.items()}


def _untold(facts: Facts, rules: Rules, asked: Sequence[str]) -> tuple[str, ...]:
    asking = [rule for rule in rules.rules if any(name in asked for name, _ in rule.votes)]
    absent = {f.name for f in fields(Facts) if getattr(facts, f.name) in ("", (), None)}
    counts = Counter(name for rule in asking for name in set(rule.reads) & absent)
    return tuple(name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_UNTOLD])


def _attributes(
    fired: Sequence[Rule], rules: Rules, answers: dict[str, str], asked: Sequence[str]
) -> tuple[Attribute, ...]:
    """All attributes that a rule spoke of or that were asked about, in the order of the vocabulary."""
    scores = tally(fired)
    found = []
    for name, attribute in vocabulary().items():
        given = scores.get(name, {})
        if not given and name not in asked:
            continue
        if not given:
            found.append(Attribute(name, answers[name], (), 0.0, "no rule has anything to say"))
            continue
        if name == "bodypart":
            given = most_specific(given, rules.within)
        best, *others = (Score(v, s) for v, s in sorted(given.items(), key=lambda item: (-item[1], item[0])))
        ranked = (best, *others)
        if attribute.kind == "words":
            taken = [s.score for s in ranked if s.score >= LEAST_SCORE]
            found.append(Attribute(name, answers[name], ranked, min(taken, default=0.0) - LEAST_SCORE, ""))
            continue
        lead = best.score - (others[0].score if others else 0.0)
        missing = _missing(best, others, lead) if answers[name] != best.value else ""
        found.append(Attribute(name, answers[name], ranked, lead, missing))
    return tuple(found)


def _missing(best: Score, others: Sequence[Score], lead: float) -> str:
    """What the best value lacks to be the answer."""
    if best.score < LEAST_SCORE:
        return f"{best.value} has {best.score:g}; it takes {LEAST_SCORE:g} to be believed"
    if others and lead < LEAST_MARGIN:
        return f"{best.value} leads {others[0].value} by {lead:.2f}; it takes a lead of {LEAST_MARGIN:g} to be believed"
    return f"{best.value} is the best, but what speaks for it is right too seldom to be believed"


def _by_rules(
    facts: Facts, rules: Rules, fired: Sequence[Rule], answers: dict[str, str], asked: Sequence[str]
) -> Iterable[Change]:
    """Each rule that fired left out once."""
    for left_out in fired:
        others = Rules(tuple(rule for rule in rules.rules if rule.id != left_out.id), rules.within)
        yield from _differences(
            "rule", left_out.id, left_out.reason, _answers(decide(facts, others).values), answers, asked
        )


def _by_absence(
    rules: Rules, answers: dict[str, str], asked: Sequence[str], absences: Iterable[Absence]
) -> Iterable[Change]:
    """Each thing that was read left out once."""
    judge = Judge(rules)
    for absence in absences:
        found = _answers(judge(absence.facts).values)
        yield from _differences("field", absence.name, absence.read, found, answers, asked)


def _differences(
    kind: str, name: str, read: str, new: dict[str, str], answers: dict[str, str], asked: Sequence[str]
) -> Iterable[Change]:
    for attribute in asked:
        if new.get(attribute, "") != answers.get(attribute, ""):
            yield Change(kind, name, read, attribute, new.get(attribute, ""))
