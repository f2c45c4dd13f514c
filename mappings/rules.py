"""Rules as data: YAML files of conditions and votes, loaded and checked before anything is decided."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from .bodyparts import body_part_entries, body_parts
from .conditions import RECORD, Condition, Place, RuleError, read_condition, read_names
from .plain import NotPlain, PlainLoader, read_plain
from .vocabulary import vocabulary

FOLDER = Path(__file__).parent / "rules"
SITE = "site"
"""The theme of a site's own rules."""

SITE_WEIGHT = 100.0
"""Weight of a site's own rule that names none: above all built-in rules together."""

LEGAL_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""Ids leave the private work folder as evidence in the released tree, so they are no free text."""

Example = str | Mapping[str, Any]
LONGEST_ID, MOST_WEIGHT = 64, 1_000_000
RESERVED = ("edit",)
"""The mark of a person's decision among the ids of rules."""

RULE_KEYS = frozenset({"id", "reason", "when", "votes", "weight", "examples"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: if the condition holds, it votes for values of attributes.

    ``theme`` is the file it stands in: of several rules of one theme only the strongest counts for a value,
    so that ten synonyms in one text are not ten witnesses. ``reads`` names the fields of the condition, ``asks`` is the
    condition as text, the same for the same condition. An example is a description, or a mapping of facts, for which
    the condition holds.
    """

    id: str
    theme: str
    reason: str
    weight: float
    votes: tuple[tuple[str, str], ...]
    condition: Condition
    reads: tuple[str, ...]
    place: Place
    asks: str
    examples: tuple[Example, ...] = ()

    @property
    def needs_record(self) -> bool:
        """Whether it asks what other rules have decided."""
        return any(name.startswith(RECORD) for name in self.reads)


@dataclass(frozen=True)
class Rules:
    """All rules, in order; ``within`` says which body part lies in which."""

    rules: tuple[Rule, ...]
    within: Mapping[str, str]

    @cached_property
    def first(self) -> tuple[Rule, ...]:
        """Rules that ask the facts alone."""
        return tuple(r for r in self.rules if not r.needs_record)

    @cached_property
    def later(self) -> tuple[Rule, ...]:
        """Rules that ask what others have decided."""
        return tuple(r for r in self.rules if r.needs_record)


def load_rules(extra: Sequence[Path] = ()) -> Rules:
    """The built-in rules, with a site's own files on top.

    A site's rule with the id of a built-in one replaces it; any other is added, with weight 100 unless it names one.
    Raises :class:`RuleError` naming file, line and rule if a rule cannot be used, if an id stands twice in the site's
    files, or if two of their rules ask the same and vote for different values.
    """
    built_in, within = built_in_rules()
    site: dict[str, Rule] = {}
    for path in extra:
        for rule in read_rules(Path(path), theme=SITE, weight=SITE_WEIGHT):
            add(site, rule)
    check_agreement(site.values())
    return Rules(tuple((dict(built_in) | site).values()), within)


def check_agreement(rules: Iterable[Rule]) -> None:
    """Raise where two rules of a site ask the same and vote for different values of one attribute."""
    votes: dict[tuple[str, str], tuple[str, Rule]] = {}
    for rule in rules:
        for name, value in rule.votes:
            other, first = votes.setdefault((rule.asks, name), (value, rule))
            if other != value and vocabulary()[name].kind == "word":
                raise rule.place.error(
                    f"asks the same as rule {first.id} ({first.place.file}, line {first.place.line}) but votes for "
                    f"{name} {value!r} and not {other!r}; keep one of them"
                )


@cache
def built_in_rules() -> tuple[Mapping[str, Rule], Mapping[str, str]]:
    """The rules of this package by id, and the nesting of body parts."""
    rules: dict[str, Rule] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        for rule in read_rules(path, theme=path.stem, weight=None):
            add(rules, rule)
    for theme, entry in body_part_entries():
        add(rules, read_rule(entry, Place("bodyparts.yaml", 0, entry["id"]), theme, None))
    parts = body_parts()
    return rules, {n: p.within for n, p in parts.items() if p.within and not parts[p.within].combined}


def add(rules: dict[str, Rule], rule: Rule) -> None:
    """Add a rule; raise if its id is taken."""
    if rule.id in rules:
        raise rule.place.error("the id stands twice; give each rule an id of its own")
    rules[rule.id] = rule


class LineLoader(PlainLoader):
    """A safe YAML loader that remembers the line of every mapping."""


def mapping_with_line(loader: LineLoader, node: yaml.MappingNode) -> dict[str, Any]:
    """A mapping with its line under ``__line__``."""
    keys = [str(key.value) for key, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            line = node.start_mark.line + 1
            raise NotPlain(f"line {line}: {key!r} stands twice in one mapping; the second would hide the first")
    values = yaml.SafeLoader.construct_mapping(loader, node, deep=True)
    return {str(k): v for k, v in values.items()} | {"__line__": node.start_mark.line + 1}


LineLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping_with_line)


def read_rules(path: Path, theme: str, weight: float | None) -> list[Rule]:
    """The rules of one file, a YAML list of mappings, checked."""
    try:
        data = yaml.load(read_plain(path), Loader=LineLoader)  # a subclass of SafeLoader
    except OSError as error:
        raise RuleError(f"{path.name}: the rule file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise RuleError(f"{path.name}: the rule file is not UTF-8 text") from error
    except NotPlain as error:
        raise RuleError(f"{path.name}: {' '.join(str(error).split())}") from error
    except yaml.YAMLError as error:
        raise RuleError(f"{path.name}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise RuleError(f"{path.name}: a rule file is a list of rules, each with id, reason, when and votes")
    return [
        read_rule(entry, Place(path.name, entry["__line__"], str(entry.get("id", "?"))), theme, weight)
        for entry in data
    ]


def read_rule(entry: Mapping[str, Any], place: Place, theme: str, weight: float | None) -> Rule:
    """One rule from its mapping."""
    given = {k: v for k, v in entry.items() if k != "__line__"}
    unknown = sorted(set(given) - RULE_KEYS)
    if unknown:
        raise place.error(f"unknown key {unknown[0]!r}; a rule has {', '.join(sorted(RULE_KEYS))}")
    for key in ("id", "reason", "when", "votes"):
        if not given.get(key):
            raise place.error(f"{key!r} is missing")
    number = given.get("weight", weight)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number <= MOST_WEIGHT:
        raise place.error(f"'weight' must be a number above 0 and at most {MOST_WEIGHT:,}")
    examples = given.get("examples") or []
    if not isinstance(examples, list) or not all(isinstance(e, str | dict) for e in examples):
        raise place.error("'examples' is a list of descriptions or of mappings of facts")
    if not LEGAL_ID.fullmatch(str(given["id"])) or len(str(given["id"])) > LONGEST_ID or given["id"] in RESERVED:
        raise place.error(
            f"an id is made of lower-case letters, digits and single hyphens, {LONGEST_ID} at most, and is not "
            f"{' or '.join(RESERVED)}: it leaves with the images"
        )
    return Rule(
        id=str(given["id"]),
        theme=theme,
        reason=str(given["reason"]),
        weight=float(number),
        votes=read_votes(given["votes"], place),
        condition=read_condition(given["when"], place),
        reads=tuple(dict.fromkeys(read_names(given["when"]))),
        place=place,
        asks=json.dumps(alike(without_line(given["when"])), sort_keys=True, default=str),
        examples=tuple(without_line(e) for e in examples),
    )


def without_line(given: Any) -> Any:
    """A value from the file without the line numbers of its mappings."""
    if isinstance(given, dict):
        return {k: without_line(v) for k, v in given.items() if k != "__line__"}
    return [without_line(v) for v in given] if isinstance(given, list) else given


def alike(given: Any) -> Any:
    """A condition with its numbers written one way."""
    if isinstance(given, dict):
        return {k: alike(v) for k, v in given.items()}
    if isinstance(given, list):
        return [alike(v) for v in given]
    return float(given) if isinstance(given, int) and not isinstance(given, bool) else given


def read_votes(given: Any, place: Place) -> tuple[tuple[str, str], ...]:
    """The votes, each value inside the vocabulary."""
    if not isinstance(given, dict):
        raise place.error("'votes' is a mapping of attribute to value")
    votes = []
    for name, value in given.items():
        if name == "__line__":
            continue
        attribute = vocabulary().get(name)
        if attribute is None or attribute.kind not in ("word", "words"):
            raise place.error(f"cannot vote on {name!r}; attributes with a closed set can be voted on")
        if str(value) not in attribute.values:
            raise place.error(f"{value!r} is not a value of {name}; it takes {', '.join(attribute.values)}")
        votes.append((name, str(value)))
    if not votes:
        raise place.error("'votes' names no attribute")
    return tuple(votes)
