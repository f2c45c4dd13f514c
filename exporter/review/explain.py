"""Why a stack is what the rules say, and what would change the answer. All of it is private: it quotes headers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from trialbids.mappings.conditions import read_condition, read_names
from trialbids.mappings.facts import Facts
from trialbids.mappings.record import format_cell
from trialbids.mappings.rules import SITE, Rule, Rules
from trialbids.mappings.vocabulary import vocabulary

from ..harmonise.decide import LEAST_MARGIN, LEAST_SCORE, Decision, Evidence, Judge, decide, scores_of
from ..harmonise.panel import Sheet
from ..harmonise.record import PART_FREE
from .facts import Absence, without_facts

MOST_UNTOLD = 8
NO_VOTE = "no rule voted on it"


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
class Silent:
    """A rule of the site that did not fire: the first part of its condition that fails, and what was read there."""

    rule: str
    place: str
    asked: str
    read: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Every rule that fired, what each attribute got, and what would change the attributes that were ``asked`` about.

    ``untold`` are the facts that rules for these attributes ask most often and that nothing tells here; ``silent`` are
    the site's own rules that did not fire.
    """

    fired: tuple[Evidence, ...]
    attributes: tuple[Attribute, ...]
    changes: tuple[Change, ...]
    confidence: float
    untold: tuple[str, ...]
    asked: tuple[str, ...]
    silent: tuple[Silent, ...]


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
        asked=tuple(dict.fromkeys(asked)),
        silent=tuple(_silent(decision, rules)),
    )


def _answers(values: Mapping[str, Any]) -> dict[str, str]:
    """The answers as the record gives them: a computed map has no part."""
    answers = {name: format_cell(value) for name, value in values.items()}
    return answers | {"part": "mag"} if answers["sequence"] in PART_FREE else answers


def _silent(decision: Decision, rules: Rules) -> Iterator[Silent]:
    """The rules of the site that did not fire, each with the first part of its condition that fails."""
    fired = {rule.id for rule in decision.fired}
    sheet = Sheet(decision.facts, decision.values)
    for rule in rules.rules:
        if rule.theme != SITE or rule.id in fired:
            continue
        for part in _parts(json.loads(rule.asks)):
            if not read_condition(part, rule.place)(sheet):
                read = [f"{name} = {_cell(sheet(name))}" for name in dict.fromkeys(read_names(part))]
                place = f"{rule.place.file}, line {rule.place.line}"
                yield Silent(rule.id, place, json.dumps(part, ensure_ascii=False), ", ".join(read))
                break


def _parts(when: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a condition that must all hold: each field, and each operator of a field, by itself."""
    for name, test in when.items():
        if isinstance(test, dict) and name != "not":
            yield from ({name: {operator: argument}} for operator, argument in test.items())
        else:
            yield {name: test}


def _cell(values: Sequence[Any]) -> str:
    return " ".join(format_cell(v) for v in values) or "(absent)"


def _untold(facts: Facts, rules: Rules, asked: Sequence[str]) -> tuple[str, ...]:
    asking = [rule for rule in rules.rules if any(name in asked for name, _ in rule.votes)]
    absent = {f.name for f in fields(Facts) if getattr(facts, f.name) in ("", (), None)}
    counts = Counter(name for rule in asking for name in set(rule.reads) & absent)
    return tuple(name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_UNTOLD])


def _attributes(
    fired: Sequence[Rule], rules: Rules, answers: dict[str, str], asked: Sequence[str]
) -> tuple[Attribute, ...]:
    """All attributes that a rule spoke of or that were asked about, in the order of the vocabulary."""
    found = []
    for name, attribute in vocabulary().items():
        given = scores_of(name, fired, rules.within)
        if not given and name not in asked:
            continue
        if not given:
            found.append(Attribute(name, answers[name], (), 0.0, NO_VOTE))
            continue
        best, *others = (Score(v, s) for v, s in sorted(given.items(), key=lambda item: (-item[1], item[0])))
        ranked = (best, *others)
        if attribute.kind == "words":
            taken = [s.score for s in ranked if s.score >= LEAST_SCORE]
            found.append(Attribute(name, answers[name], ranked, min(taken, default=0.0) - LEAST_SCORE, ""))
            continue
        lead = best.score - (others[0].score if others else 0.0)
        missing = "" if answers[name] == best.value else _missing(best, others, lead)
        if name == "part" and answers["sequence"] in PART_FREE:
            missing = ""  # a computed map is a magnitude, whoever voted
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
    for left_out in fired if asked else ():
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
