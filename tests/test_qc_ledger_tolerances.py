"""``qc:`` of trial.yaml: tolerances of checks, for the trial and for single sites."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from trialbids.exporter.errors import UsageError
from trialbids.exporter.trial.qc import QualityControl

UNITS = {"G05": "share", "G08": "mm", "G02:error": "", "G02:warning": "", "P06": "correlation"}


def read(**keys: object) -> QualityControl:
    return QualityControl.model_validate(keys)


def test_a_site_goes_before_the_trial() -> None:
    qc = read(tolerances={"G05": 0.1, "G08": "0.2 mm"}, sites={"A": {"G08": 1}})
    qc.check_against(UNITS)
    assert qc.of_site("A") == {"G05": 0.1, "G08": 1.0}
    assert qc.of_site("B") == {"G05": 0.1, "G08": 0.2}
    assert read().of_site("A") == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-1, "is -1; a tolerance is 0 or more"),
        ("-0.5 mm", "is -0.5; a tolerance is 0 or more"),
        (float("nan"), "is nan; a tolerance is 0 or more"),
        (float("inf"), "is larger than any figure; a tolerance is 1e\\+09 at most"),
        ("1e999", "is larger than any figure"),
        (10**399, "is larger than any figure"),
        ("9" * 400, "is larger than any figure"),
        (-(10**399), "is -inf; a tolerance is 0 or more"),
        ("x" * 5000, "is 'x{39}…; expected a number"),
        ("much", "is 'much'; expected a number, or a number and its unit such as 0.2 mm"),
        ("1.2.3 mm", "is '1.2.3'; expected a number"),
        (True, "is True; expected a number"),
        (None, "is None; expected a number"),
        ([1], r"is \[1\]; expected a number"),
    ],
)
def test_what_is_no_tolerance_is_refused_at_its_key(value: object, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected) as error:
        read(sites={"A": {"G05": value}})
    assert error.value.errors()[0]["loc"][:3] == ("sites", "A", "G05")


@pytest.mark.parametrize("key", ["g05", "G5", "gap", "G05:grave", "G05 error"])
def test_what_is_no_code_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match=f"'{key}' is no code of a check; expected one such as G05, or G02:error"):
        read(tolerances={key: 1})


@pytest.mark.parametrize(
    ("tolerances", "expected"),
    [
        ({"P08": 1}, "there is no check P08 with a tolerance; did you mean P06?"),
        ({"X77": 1}, "there is no check X77 with a tolerance"),
        ({"G02": 1}, "G02 has one tolerance for each severity; expected G02:error or G02:warning"),
        ({"G05:error": 1}, "G05 has one severity; write G05 alone"),
        ({"G05": "5 %"}, "is in %; the tolerance of G05 is a share"),
        ({"G05": 5}, "is 5; the tolerance of G05 is a share, from 0 to 1"),
        ({"G08": "0.1 cm"}, "is in cm; the tolerance of G08 is in mm"),
        ({"G02:error": "1 mm"}, "is in mm; the tolerance of G02:error is a plain number"),
    ],
)
def test_an_unknown_check_and_a_wrong_unit_are_told_with_their_line(
    tolerances: dict[str, object], expected: str
) -> None:
    (key,) = tolerances
    lines: dict[tuple[str, ...], int] = {("tolerances", key): 12}
    qc = read(tolerances=tolerances).placed(Path("trial.yaml"), lambda way: lines[way])
    with pytest.raises(UsageError) as error:
        qc.check_against(UNITS)
    assert str(error.value) == f"trial.yaml: line 12: qc.tolerances.{key}: {expected}"


def test_a_site_that_nobody_is_of_is_told() -> None:
    (sentence,) = read(sites={"A": {}, "C": {}}).strange_sites({"A", "B"})
    assert sentence == "qc.sites: no image is of a site C, so its tolerances change nothing; the sites are A, B"
