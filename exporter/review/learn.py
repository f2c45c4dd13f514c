"""Edits turned into a site's own rules: the widest condition that holds for what was edited and harms nothing else."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trialbids.mappings.conditions import RuleError
from trialbids.mappings.facts import Facts
from trialbids.mappings.record import format_cell, parse_cell
from trialbids.mappings.rules import SITE_WEIGHT, Rules, load_rules
from trialbids.mappings.vocabulary import vocabulary

from ..errors import UsageError
from ..harmonise.decide import Judge
from ..stacks.stack import Stack
from ..tables import write_atomic
from .edits import Edit
from .facts import facts_by_stack
from .narrow import telling_condition
from .values import DECISION

LEARNED = "# Learned from "
"""How a file of learned rules begins."""

HEAVY = 10 * SITE_WEIGHT
"""The weight of a rule that has to outvote another rule of the site."""

Values = Mapping[str, Any]
Vote = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SideEffect:
    """An attribute that a learned rule changes without an edit having asked for it."""

    stack_id: str
    attribute: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Missed:
    """An edit that the rules do not give by themselves: ``value`` is what it says, ``given`` what they say."""

    stack_id: str
    attribute: str
    value: str
    given: str


@dataclass(frozen=True, slots=True)
class Learned:
    """The rules that were written to ``path`` (none: no file), and what they do to the plan.

    ``reproduced`` of ``wanted`` edits come out by the rules alone, ``missed`` are the rest; ``others`` are changes of
    stacks that nobody edited, ``follow`` further changes of edited ones; ``left`` says which edits became no rule, and
    why.
    """

    path: Path
    n_rules: int
    reproduced: int
    wanted: int
    missed: tuple[Missed, ...]
    others: tuple[SideEffect, ...]
    follow: tuple[SideEffect, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    """A condition with its vote, and the stacks whose edits it stands for."""

    id: str
    when: Mapping[str, Any]
    vote: Vote
    members: tuple[str, ...]

    @property
    def n_edits(self) -> int:
        """How many edits it stands for."""
        return len(self.members)

    def prevails(self, after: Mapping[str, Values]) -> bool:
        """Whether any of its edits comes out."""
        attribute, word = self.vote
        return any(_has(after[stack_id][attribute], word) for stack_id in self.members)

    def entry(self, weight: float | None) -> dict[str, Any]:
        """The rule as YAML holds it."""
        plural = "s" if self.n_edits > 1 else ""
        given = {"id": self.id, "reason": f"learned from {self.n_edits} edit{plural} of the plan", "when": self.when}
        return {**given, "votes": dict([self.vote])} | ({} if weight is None else {"weight": weight})


def learn_rules(
    stacks: Sequence[Stack], edits: Sequence[Edit], site: Sequence[Path], path: Path, name: Callable[[str], str]
) -> Learned:
    """Write the rules behind ``edits`` to ``path`` and say what they do.

    ``edits`` are those in force and applied, ``site`` the site's other rule files. ``name`` makes eight hexadecimal
    digits of a text, keyed: ids of rules leave with the images and must not give the text away.
    Raises ``UsageError`` where a rule file cannot be used.
    """
    facts = facts_by_stack(stacks)
    try:
        before = _decided(facts, load_rules(site))
    except RuleError as error:
        raise UsageError(str(error)) from error
    wanted = {(e.stack_id, e.attribute): e.new for e in edits if e.stack_id in facts}
    left: list[str] = _not_votable(wanted)
    wanted = {key: cell for key, cell in wanted.items() if _votable(key[1])}
    rules = [r for r in _rules(facts, before, wanted, name, left) if _agrees(r, site, path.name, left)]
    entries, after = _prevailing(rules, facts, wanted, site, path.name, left)
    after = after if entries else before
    if entries:
        write_atomic(path, _text(entries, len(wanted)).encode())
    effects = [*_effects(before, after, wanted)]
    edited = {stack_id for stack_id, _ in wanted}
    missed = _missed(after, wanted)
    return Learned(
        path,
        len(entries),
        len(wanted) - len(missed),
        len(wanted),
        missed,
        tuple(e for e in effects if e.stack_id not in edited),
        tuple(e for e in effects if e.stack_id in edited),
        tuple(left),
    )


def _decided(facts: Mapping[str, Facts], rules: Rules) -> dict[str, Values]:
    """What the rules say of every stack."""
    judge = Judge(rules)
    return {stack_id: judge(f).values for stack_id, f in facts.items()}


def _votable(attribute: str) -> bool:
    found = vocabulary().get(attribute)
    return found is not None and found.kind in ("word", "words") and attribute != "phase_time_source"


def _not_votable(wanted: Mapping[tuple[str, str], str]) -> list[str]:
    counts: dict[str, int] = defaultdict(int)
    for _, attribute in wanted:
        if not _votable(attribute):
            counts[attribute] += 1
    why = {DECISION: "rules say what an image is, not what is kept"}
    return [f"{n} × {a}: {why.get(a, 'rules vote on words, not on numbers')}" for a, n in sorted(counts.items())]


def _missed(values: Mapping[str, Values], wanted: Mapping[tuple[str, str], str]) -> tuple[Missed, ...]:
    """The edits that the rules do not give by themselves."""
    given = {(s, a): _cell(values[s][a]) for s, a in wanted}
    return tuple(Missed(s, a, cell, given[s, a]) for (s, a), cell in wanted.items() if given[s, a] != cell)


def _cell(value: Any) -> str:
    return format_cell(value)


def _rules(
    facts: Mapping[str, Facts],
    before: Mapping[str, Values],
    wanted: Mapping[tuple[str, str], str],
    name: Callable[[str], str],
    left: list[str],
) -> Iterator[_Rule]:
    """One rule for each description and vote; what cannot be told apart goes to ``left``."""
    target = {s: dict(values) for s, values in before.items()}
    for (stack_id, attribute), cell in wanted.items():
        target[stack_id][attribute] = parse_cell(attribute, cell, vocabulary()[attribute].kind) if cell else ()
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for stack_id, attribute in wanted:
        for word in _votes(attribute, before[stack_id][attribute], target[stack_id][attribute], left):
            groups[attribute, word, facts[stack_id].description].append(stack_id)
    for (attribute, word, description), members in sorted(groups.items()):
        against = [s for s, values in target.items() if not _has(values[attribute], word)]
        when, wrong = telling_condition(description, [facts[m] for m in members], [facts[s] for s in against])
        if wrong:
            stands = f"{len(members)} × {attribute} = {word}, described as {description!r}"
            left.append(f"{stands}: nothing in the header tells them from {wrong} other stacks that nobody edited so")
            continue
        key = json.dumps([when, attribute, word], sort_keys=True)
        yield _Rule(f"site-{name(key)}", when, (attribute, word), tuple(members))


def _votes(attribute: str, before: Any, after: Any, left: list[str]) -> Sequence[str]:
    """The words to vote for, so that one answer becomes the other. Of a list words can be added only."""
    if not isinstance(after, tuple):
        return [] if after == before else [after]
    gone = [word for word in before if word not in after]
    if gone:
        left.append(f"1 × {attribute} without {' '.join(gone)}: a rule adds words to a list, it takes none away")
        return []
    return [word for word in after if word not in before]


def _has(value: Any, word: str) -> bool:
    return word in value if isinstance(value, tuple) else value == word


def _agrees(rule: _Rule, site: Sequence[Path], file_name: str, left: list[str]) -> bool:
    """Whether a rule can stand beside the site's other rules; one that contradicts them goes to ``left``."""
    try:
        _loaded([rule.entry(None)], site, file_name)
    except RuleError as error:
        left.append(f"{rule.n_edits} × {rule.vote[0]} = {rule.vote[1]}: {error}")
        return False
    return True


def _loaded(entries: Sequence[Mapping[str, Any]], site: Sequence[Path], file_name: str) -> Rules:
    """All rules, as the next run will load them with this file under ``rules``."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, file_name)
        draft.write_text(_text(entries, 0), encoding="utf-8")
        return load_rules([*site, draft])


def _prevailing(
    rules: Sequence[_Rule],
    facts: Mapping[str, Facts],
    wanted: Mapping[tuple[str, str], str],
    site: Sequence[Path],
    file_name: str,
    left: list[str],
) -> tuple[list[dict[str, Any]], dict[str, Values]]:
    """The rules that give at least one of their edits, and what they make of every stack; the others go to ``left``."""
    while rules:
        entries, after = _checked(rules, facts, wanted, site, file_name)
        good = [rule for rule in rules if rule.prevails(after)]
        if len(good) == len(rules):
            return entries, after
        for rule in (r for r in rules if r not in good):
            stands = f"{rule.n_edits} × {rule.vote[0]} = {rule.vote[1]}"
            left.append(f"{stands}: a rule for {json.dumps(rule.when, ensure_ascii=False)} would be outvoted")
        rules = good
    return [], {}


def _checked(
    rules: Sequence[_Rule],
    facts: Mapping[str, Facts],
    wanted: Mapping[tuple[str, str], str],
    site: Sequence[Path],
    file_name: str,
) -> tuple[list[dict[str, Any]], dict[str, Values]]:
    """The rules as YAML holds them, loaded as the next run will load them, and what they make of every stack.

    Rules that did not prevail get more weight, once.
    """
    heavy: set[Vote] = set()
    entries, after = [], {}
    for _ in range(2):
        entries = [rule.entry(HEAVY if rule.vote in heavy else None) for rule in rules]
        after = _decided(facts, _loaded(entries, site, file_name))
        missed = {a for (s, a), cell in wanted.items() if _cell(after[s][a]) != cell}
        heavy = {rule.vote for rule in rules if rule.vote[0] in missed}
        if not heavy:
            break
    return entries, after


def _text(entries: Sequence[Mapping[str, Any]], n_edits: int) -> str:
    head = (
        f"{LEARNED}{n_edits} edits of the plan. Private: descriptions are quoted.\n"
        "# In trial.yaml, under rules, it goes before the general rules. Change it as you like: learning again\n"
        "# refuses to overwrite it, unless --force is given; --to writes to another file.\n"
    )
    return head + yaml.safe_dump(list(entries), sort_keys=False, allow_unicode=True, width=110)


def _effects(
    before: Mapping[str, Values], after: Mapping[str, Values], wanted: Mapping[tuple[str, str], str]
) -> Iterator[SideEffect]:
    for stack_id, values in after.items():
        for attribute, value in values.items():
            old = before[stack_id][attribute]
            if value != old and (stack_id, attribute) not in wanted:
                yield SideEffect(stack_id, attribute, _cell(old), _cell(value))
