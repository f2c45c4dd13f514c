"""The confidence rises with the evidence, stays a probability, and its file is checked."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.mappings.calibration import (
    SUPPORTS,
    Calibration,
    CalibrationError,
    Grounds,
    calibration,
    confidence,
    grounds_of,
    read_calibration,
)
from trialbids.mappings.conditions import Place
from trialbids.mappings.rules import Rule, read_rule
from trialbids.mappings.text import read_yaml

leads = st.floats(0, 50, allow_nan=False)


def rule(value: str, weight: float, reads: str = "modality", theme: str = "physics") -> Rule:
    entry = {"id": "a-rule", "reason": "because", "when": {reads: "mr"}, "votes": {"sequence": value}}
    return read_rule(entry, Place("here", 1, value), theme, weight)


@given(st.sampled_from(SUPPORTS), leads, leads)
def test_more_lead_is_never_less_sure(support: str, a: float, b: float) -> None:
    low, high = sorted((a, b))
    sure = [confidence(Grounds("T2w", lead, support)) for lead in (low, high)]
    assert 0.0 < sure[0] <= sure[1] < 1.0


def test_nothing_said_is_no_confidence() -> None:
    assert confidence(grounds_of([])) == 0.0


def test_who_spoke_is_told_apart() -> None:
    header, text = rule("T2w", 4.0), rule("T2w", 2.0, "description", "words")
    other = rule("T1w", 2.5, "description", "words")
    louder = rule("T1w", 9.0, "description", "words")
    assert grounds_of([header, text]) == Grounds("T2w", 6.0, "agreed")
    assert grounds_of([header]) == Grounds("T2w", 4.0, "header")
    assert grounds_of([text]) == Grounds("T2w", 2.0, "text")
    assert grounds_of([header, other]) == Grounds("T2w", 1.5, "header-against-text")
    assert grounds_of([header, louder]) == Grounds("T1w", 5.0, "text-against-header")


def test_of_one_theme_only_the_strongest_vote_counts() -> None:
    assert grounds_of([rule("T2w", 4.0), rule("T2w", 3.0)]).lead == 4.0


def test_a_rule_of_the_site_is_no_mere_text() -> None:
    assert grounds_of([rule("DCE", 10.0, "description", "site"), rule("T1w", 4.0)]).support == "header"


def test_the_threshold_lets_agreement_through() -> None:
    built_in: Calibration = calibration()
    assert built_in.least < max(built_in.curves["agreed"].right)


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        (("curves", "text", "right"), [0.9, 0.8], "right must not fall"),
        (("curves", "text", "leads"), [2.0, 1.0], "leads must rise"),
        (("curves", "text", "leads"), [1.0], "same length"),
        (("curves", "text", "right"), [0.5, 1.5], "1.5 is no probability"),
        (("curves", "guess"), {}, "one each for agreed"),
        (("least",), 2, "least: 2 is no probability"),
        (("mood",), 1, "nothing else"),
    ],
)
def test_a_broken_file_is_refused_with_a_sentence(where: tuple[str, ...], value: Any, words: str) -> None:
    data = deepcopy(read_yaml("calibration.yaml"))
    data["curves"]["text"] = {"leads": [1.0, 2.0], "right": [0.5, 0.9]}
    at = data
    for name in where[:-1]:
        at = at[name]
    at[where[-1]] = value
    with pytest.raises(CalibrationError, match=words):
        read_calibration(data)
