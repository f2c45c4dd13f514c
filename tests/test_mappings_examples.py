"""Every rule comes with examples, and fires for them: descriptions, or facts of a header."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from trialbids.exporter.harmonise.decide import Sheet
from trialbids.exporter.harmonise.facts import said
from trialbids.mappings.bodyparts import body_parts
from trialbids.mappings.conditions import RECORD
from trialbids.mappings.description import plain
from trialbids.mappings.facts import Facts
from trialbids.mappings.lexicon import read_concepts
from trialbids.mappings.rules import Example, Rule, load_rules

WORDS = frozenset(f.name for f in fields(Facts) if f.type == "Words")
NUMBERS = frozenset(f.name for f in fields(Facts) if f.type == "Numbers")
CASES = [(rule, example) for rule in load_rules().rules for example in rule.examples]


def facts_of(example: Example) -> dict[str, Any]:
    """The facts that an example tells: a description speaks for itself, for the protocol and for the study."""
    given = {"description": example} if isinstance(example, str) else dict(example)
    own = {k: as_fact(k, v) for k, v in given.items() if k != "description" and not k.startswith(RECORD)}
    text = plain(str(given.get("description", "")))
    concepts = read_concepts(text)
    told = {
        **dict.fromkeys(("description", "text", "study"), text),
        **dict.fromkeys(("named", "study_said"), concepts),
        "said": said(text, ""),
    }
    return told | own


def as_fact(name: str, value: Any) -> Any:
    """A value of an example as the fact holds it."""
    many = name in WORDS or name in NUMBERS
    return value if not many else tuple(value) if isinstance(value, list) else (value,)


def test_every_rule_has_an_example() -> None:
    named = {f"body-{p}-{s}" for p in body_parts() for s in ("tag", "text", "study")}
    assert [r.id for r in load_rules().rules if not r.examples and r.id not in named] == []


@pytest.mark.parametrize(("rule", "example"), CASES, ids=[f"{r.id}-{n}" for n, (r, _) in enumerate(CASES)])
def test_a_rule_fires_for_its_example(rule: Rule, example: Example) -> None:
    sheet = Sheet(Facts(**facts_of(example)))
    given = {} if isinstance(example, str) else example
    sheet.decided = {k.removeprefix(RECORD): v for k, v in given.items() if k.startswith(RECORD)}
    assert rule.condition(sheet)
