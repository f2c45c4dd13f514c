"""Asking rules whether they fire, without asking the same twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from operator import attrgetter
from typing import Any

from trialbids.mappings.conditions import RECORD
from trialbids.mappings.facts import Facts
from trialbids.mappings.rules import Rule

Numbered = tuple[int, Rule]
Fired = tuple[int, ...]
"""Rules that fired, by number."""

WORD_FIELDS = frozenset({"image_type", "scan_options"})
"""Fields of words of which the absent one can be asked for, as the empty word."""

NUMBERS = frozenset(f.name for f in fields(Facts) if f.type == "Numbers")
VARYING = NUMBERS | {
    "n_slices", "n_volumes", "n_directions", "phase_index", "phase_time", "text", "description", "study",
}  # fmt: skip
"""Facts that hardly two series share: numbers and free text. All others are words of small sets."""


class Sheet:
    """Facts, with what has been decided so far, as a rule's condition reads them: words in lower case.

    ``decided`` holds the values of the record by attribute; they are read as ``record.<attribute>``.
    """

    def __init__(self, facts: Facts, decided: Mapping[str, Any] | None = None) -> None:
        self.facts = facts
        self.decided: Mapping[str, Any] = decided or {}
        self._read: dict[str, tuple[Any, ...]] = {}

    def __call__(self, name: str) -> tuple[Any, ...]:
        found = self._read.get(name)
        if found is not None:
            return found
        if name.startswith(RECORD):
            return as_values(name, self.decided.get(name.removeprefix(RECORD), "unknown"))
        value = getattr(self.facts, name)
        found = self._read[name] = value if name in NUMBERS else as_values(name, value)
        return found


def as_values(name: str, value: Any) -> tuple[Any, ...]:
    """A fact as a tuple of values. Absent numbers are (); absent words hold the empty word, which can be asked for."""
    if isinstance(value, tuple):
        values = tuple(v.lower() if isinstance(v, str) else v for v in value)
        return values or ("",) if name in WORD_FIELDS else values
    return () if value is None else (value.lower() if isinstance(value, str) else value,)


FIELDS_A_PANEL = 4
"""A panel of panels reads at most so many different words."""


class Varies(Exception):
    """A condition asked for a fact that varies."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known without the facts that vary: the rules that fire, and those that must be asked with them."""

    fired: Fired
    open: tuple[Numbered, ...]


class Panel:
    """Rules that are asked together: for each distinct answer of the words among the fields they read, once.

    A panel of many rules is made of smaller ones, which read fewer fields and so meet the same answers more often.
    """

    def __init__(self, rules: Sequence[Numbered], parts: Sequence[Panel] = ()) -> None:
        self.rules, self._parts = rules, parts
        self.reads = frozenset(name for _, rule in rules for name in rule.reads) - VARYING
        self._of_facts = getter(name for name in self.reads if not name.startswith(RECORD))
        self._of_record = [name.removeprefix(RECORD) for name in self.reads if name.startswith(RECORD)]
        self._known: dict[Any, Answer] = {}

    def fired(self, sheet: Sheet) -> Fired:
        """The numbers of all rules that fire, in the order of the rules."""
        answer = self.ask(sheet)
        return tuple(sorted([*answer.fired, *[number for number, rule in answer.open if rule.condition(sheet)]]))

    def ask(self, sheet: Sheet) -> Answer:
        """The rules that hold, and those that cannot be told without numbers and free text."""
        key = self._of_facts(sheet.facts)
        if self._of_record:
            key = key, *[sheet.decided.get(name) for name in self._of_record]
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._ask_parts(sheet) if self._parts else self._try(sheet)
        return found

    def _ask_parts(self, sheet: Sheet) -> Answer:
        answers = [part.ask(sheet) for part in self._parts]
        fired = chain.from_iterable(a.fired for a in answers)
        return Answer(tuple(fired), tuple(chain.from_iterable(a.open for a in answers)))

    def _try(self, sheet: Sheet) -> Answer:
        def words_only(name: str) -> tuple[Any, ...]:
            if name in VARYING:
                raise Varies
            return sheet(name)

        fired: list[int] = []
        undecided: list[Numbered] = []
        for number, rule in self.rules:
            try:
                if rule.condition(words_only):
                    fired.append(number)
            except Varies:
                undecided.append((number, rule))
        return Answer(tuple(fired), tuple(undecided))


def panel_of(rules: Sequence[Numbered]) -> Panel:
    """One panel of all rules: of panels that read few fields, each of panels whose rules read the same."""
    alike: dict[frozenset[str], list[Numbered]] = defaultdict(list)
    for number, rule in rules:
        alike[frozenset(rule.reads) - VARYING].append((number, rule))
    shelves: list[list[Panel]] = []
    for panel in sorted((Panel(members) for members in alike.values()), key=lambda p: (len(p.reads), sorted(p.reads))):
        near = [shelf for shelf in shelves if len(panel.reads.union(*(p.reads for p in shelf))) <= FIELDS_A_PANEL]
        home = min(near, key=lambda shelf: len(panel.reads.union(*(p.reads for p in shelf))), default=None)
        if home is None:
            shelves.append([panel])
        else:
            home.append(panel)
    middle = [shelf[0] if len(shelf) == 1 else Panel([r for p in shelf for r in p.rules], shelf) for shelf in shelves]
    return Panel(rules, middle)


def getter(names: Iterable[str]) -> Callable[[Any], Any]:
    """Read these attributes of an object at once; nothing where there are none."""
    ordered = sorted(names)
    return attrgetter(*ordered) if ordered else (lambda _: ())
