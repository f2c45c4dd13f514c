"""What criteria say of stacks: levels, order, what is not known, all reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from eligibilitymaker import candidate, exclude, include

from trialbids.exporter.errors import UsageError
from trialbids.exporter.select.eligibility import Candidate, Columns, Eligibility, decided_by, judge
from trialbids.exporter.select.readable import check_levels, check_names, hidden_names, strange_labels
from trialbids.exporter.trial.eligibility import Criterion

ONE = [
    candidate("P1/V1/1/T2w-sag"),
    candidate("P1/V1/2/DWI-ax"),
    candidate("P1/V2/3/T2w-sag"),
    candidate("P2/V1/4/T1w-ax"),
]


def out(candidates: Sequence[Candidate], *criteria: Criterion, **more: object) -> dict[str, str]:
    """The first reason of every stack that is out, as decision and number of the criterion."""
    numbered = tuple(c.model_copy(update={"id": f"c{n}"}) for n, c in enumerate(criteria))
    found = decided_by(Eligibility(numbered, **more), candidates)  # pyright: ignore[reportArgumentType]
    return {stack: f"{those[0].decision} {those[0].reason}" for stack, those in found.items()}


def test_a_criterion_takes_out_whole_units_of_its_level() -> None:
    complete = "has(T2w, sag) and has(DWI)"
    assert set(out(ONE, include("session", complete))) == {"P1/V2/3/T2w-sag", "P2/V1/4/T1w-ax"}
    assert set(out(ONE, include("subject", complete))) == {"P2/V1/4/T1w-ax"}
    assert set(out(ONE, exclude("stack", "sequence == 'T2w'"))) == {"P1/V1/1/T2w-sag", "P1/V2/3/T2w-sag"}
    assert set(out(ONE, include("series", "count(DWI) == 0"))) == {"P1/V1/2/DWI-ax"}


def test_the_order_decides_what_a_session_has() -> None:
    no_dwi, complete = exclude("stack", "sequence == 'DWI'"), include("session", "has(DWI)")
    assert out(ONE[:2], no_dwi, complete) == {
        "P1/V1/2/DWI-ax": "exclude criterion-c0",
        "P1/V1/1/T2w-sag": "exclude criterion-c1",
    }
    assert out(ONE[:2], complete, no_dwi) == {"P1/V1/2/DWI-ax": "exclude criterion-c1"}


def test_a_subject_is_judged_by_the_sessions_that_are_left() -> None:
    assert set(out(ONE[:3], include("session", "has(DWI)"), include("subject", "n_sessions >= 2"))) == {
        c.stack_id for c in ONE[:3]
    }
    assert out(ONE[:3], include("subject", "n_sessions >= 2")) == {}


def test_who_is_out_is_still_asked_so_that_all_reasons_are_known() -> None:
    criteria = (include("subject", "site == 'S9'"), include("session", "has(DWI)"), include("subject", "has(T1w)"))
    said = judge(ONE, criteria)
    assert said["P1/V1/1/T2w-sag"] == ("out", "passed", "out")
    assert said["P1/V2/3/T2w-sag"] == ("out", "out", "out")


def test_what_the_tool_does_not_keep_says_nothing_and_is_asked_of_units_only() -> None:
    quarantined = [candidate("P1/V1/1/T2w-sag", is_kept=False), candidate("P1/V1/2/DWI-ax")]
    said = judge(quarantined, (include("session", "has(T2w)"), include("stack", "sequence == 'DWI'")))
    assert said == {"P1/V1/1/T2w-sag": ("out", ""), "P1/V1/2/DWI-ax": ("out", "passed")}


def test_what_is_not_known_is_set_aside_or_taken_as_fulfilled() -> None:
    columns = Columns({"age": float}, {"P1": {"age": 40.0}})
    adult = include("subject", "age >= 18")
    assert out(ONE, adult, columns=columns) == {"P2/V1/4/T1w-ax": "quarantine criterion-c0"}
    lenient = adult.model_copy(update={"unknown": "include"})
    assert out(ONE, lenient, columns=columns) == {}
    assert set(out(ONE, exclude("subject", "age < 18"), columns=columns)) == {"P2/V1/4/T1w-ax"}


def test_a_header_value_of_a_session_is_that_in_which_all_its_images_agree() -> None:
    stacks = [
        candidate("P1/V1/1/T2w-sag", field_strength=3.0),
        candidate("P1/V1/2/DWI-ax", field_strength=None),
        candidate("P1/V2/3/T2w-sag", field_strength=3.0),
        candidate("P1/V2/4/DWI-ax", field_strength=1.5),
    ]
    found = out(stacks, include("session", "field_strength >= 1"))
    assert found == dict.fromkeys(("P1/V2/3/T2w-sag", "P1/V2/4/DWI-ax"), "quarantine criterion-c0")


def test_a_visit_has_its_own_value_and_never_another_visits() -> None:
    stacks = [candidate("P1/V2/1/T2w-sag", day=90), candidate("P1/V1/2/T2w-sag", day=0)]
    columns = Columns(
        {"score": float, "arm": str},
        {"P1": {"arm": "A", "score": 5.0}},
        {("P1", "V1"): {"score": 5.0, "arm": "A"}, ("P1", "V2"): {"score": None}},
        by_visit=frozenset({"score"}),
    )
    assert out(stacks, include("session", "score > 4"), columns=columns) == {
        "P1/V2/1/T2w-sag": "quarantine criterion-c0"
    }
    assert set(out(stacks, exclude("session", "score == None"), columns=columns)) == {"P1/V2/1/T2w-sag"}
    assert out(stacks, include("session", "arm == 'A'"), columns=columns) == {}, "what holds for the participant"
    assert out(stacks, include("subject", "score == 5"), columns=columns) == {}, "the first visit's"
    later = replace(columns, sessions={("P1", "V1"): {"score": None}, ("P1", "V2"): {"score": 5.0}})
    assert set(out(stacks, include("subject", "score == 5"), columns=later).values()) == {"quarantine criterion-c0"}


def test_age_of_the_header_is_that_of_the_first_session() -> None:
    stacks = [candidate("P1/V1/1/T2w-sag", age=17), candidate("P1/V2/2/T2w-sag", age=18)]
    assert len(out(stacks, include("subject", "age >= 18"))) == 2
    assert set(out(stacks, include("session", "age >= 18"))) == {"P1/V1/1/T2w-sag"}


def test_findings_are_of_the_stacks_that_are_left() -> None:
    found = {("P1/V1/2/DWI-ax", "G04")}
    is_found = lambda stack, code: (stack, code) in found  # noqa: E731
    assert set(out(ONE, exclude("session", "found('G04')"), found=is_found)) == {"P1/V1/1/T2w-sag", "P1/V1/2/DWI-ax"}
    assert set(out(ONE, exclude("stack", "found('G01', 'G04')"), found=is_found)) == {"P1/V1/2/DWI-ax"}


def test_a_joined_stack_is_in_both_its_series() -> None:
    stacks = [candidate("P1/V1/1+2/DWI-ax"), candidate("P1/V1/2/ADC-ax")]
    assert set(out(stacks, exclude("series", "has(ADC)"))) == {"P1/V1/1+2/DWI-ax", "P1/V1/2/ADC-ax"}


@pytest.mark.parametrize(
    ("criterion", "said"),
    [
        (include("subject", "agee >= 18"), "did you mean age?"),
        (include("session", "plane == 'sag'"), "plane belongs to one image, and a session has many"),
        (include("subject", "days > 3"), "there is no column or value days"),
        (include("subject", "score == 'high'"), "text"),
        (exclude("stack", "found('P01')"), "P01 is no check that is run by then; these are: G01 G04"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_what_there_is(criterion: Criterion, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_names([criterion.placed("trial.yaml: line 9")], {"score": float}, {"G01", "G04"})
    assert str(refused.value).startswith("trial.yaml: line 9: criterion c: ")
    assert said in str(refused.value)


def test_a_hidden_name_is_said() -> None:
    criteria = [include("subject", "age >= 18 and score > 1"), include("session", "site == 'S1'")]
    sentences = hidden_names(criteria, {"age": float, "score": float, "site": str})
    assert len(sentences) == 2
    assert "age from the clinical tables" in sentences[0]
    assert "site as the plan knows it" in sentences[1]


def test_what_is_not_known_is_named_with_the_decision() -> None:
    adult = include("subject", "age >= 18 and arm == 'A'", id="adult", sentence="Adults of arm A")
    columns = Columns({"age": float, "arm": str}, {"P1": {"age": 40.0}})
    found = decided_by(Eligibility((adult,), columns), ONE)
    said = {stack[:2]: (those[0].decision, those[0].missing) for stack, those in found.items()}
    assert said == {"P1": ("quarantine", "arm"), "P2": ("quarantine", "age, arm")}


def test_the_site_of_a_person_seen_at_two_is_not_told() -> None:
    both = [replace(ONE[0], site="S1"), replace(ONE[2], site="S2"), ONE[3]]
    for order in (both, both[::-1]):
        assert out(order, include("subject", "site == 'S2'")) == {
            "P1/V1/1/T2w-sag": "quarantine criterion-c0",
            "P1/V2/3/T2w-sag": "quarantine criterion-c0",
        }


@pytest.mark.parametrize(
    ("level", "text", "says"),
    [
        ("stack", "snr > 3", "add `after: conversion`"),
        ("session", "snr > 3", "write a criterion of level stack with `after: conversion`"),
        ("session", "site == S02", "text stands in quotes: 'S02'"),
    ],
)
def test_a_mistake_is_answered_with_what_was_meant(level: str, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_names([include(level, text)], {}, (), later={"stack": {"snr": float}, "session": {"verdict": str}})


def test_a_text_that_is_no_level_is_refused() -> None:
    levels = {"arm": ("control", "treated")}
    check_levels([include("subject", "arm in ('control', 'treated')"), include("subject", "site == 'x'")], levels)
    with pytest.raises(
        UsageError, match=r"arm is never 'Control' \(did you mean 'control'\?\); its levels are control"
    ):
        check_levels([exclude("subject", "arm == 'Control'")], levels)


def test_a_label_that_nobody_has_is_told_without_repeating_it() -> None:
    labels = {"site": {"S01", "S02"}, "session": {"V1"}}
    assert strange_labels([include("subject", "site in ('S01', 'S02')")], labels) == ()
    (said,) = strange_labels([exclude("session", "site == 's02'", id="north")], labels)
    assert said == "criterion north compares site with 1 text that no site is called; they are S01, S02"
