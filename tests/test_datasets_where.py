"""The language of conditions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.datasets import QueryError
from trialbids.datasets.where import Where

COLUMNS = {"age": int, "site": str, "arm": str, "dose": float}


@pytest.mark.parametrize(
    ("text", "row", "kept"),
    [
        ("site != 'S07' and age >= 18", {"site": "S01", "age": 18}, True),
        ("site != 'S07' and age >= 18", {"site": "S07", "age": 40}, False),
        ("18 <= age < 90", {"age": 90}, False),
        ("arm in ('A', 'B')", {"arm": "B"}, True),
        ("arm not in ['A']", {"arm": "A"}, False),
        ("dose > -1.5", {"dose": -1.0}, True),
        ("not (age < 18)", {"age": None}, False),
        ("age < 18 or site == 'S01'", {"age": None, "site": "S01"}, True),
        ("age == None", {"age": None}, True),
        ("age != None", {"age": None}, False),
        ("arm not in ('A',)", {"arm": None}, False),
    ],
)
def test_meaning(text: str, row: dict, kept: bool) -> None:
    assert Where(text).keeps(row) is kept


@pytest.mark.parametrize(
    "text",
    ["__import__('os').system('x')", "age", "age + 1 > 2", "age.real > 1", "site[0] == 'S'", "lambda: 1", "age is None",
     "f'{age}' == '1'", "(age := 3) > 2", "site in 'S01'", "age >", "", "True == age", "age == (1, 2)"],
)  # fmt: skip
def test_all_else_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="where"):
        Where(text)


def test_columns_and_kinds_are_checked() -> None:
    with pytest.raises(QueryError, match=r"no column 'agee'; there are: age arm dose site"):
        Where("agee > 3").check(COLUMNS)
    with pytest.raises(QueryError, match="compares text with a number"):
        Where("site > 3").check(COLUMNS)
    with pytest.raises(QueryError, match="compares text with a number"):
        Where("age in (1, 'x')").check(COLUMNS)
    Where("age > dose and site == arm").check(COLUMNS)


VALUES = st.one_of(st.none(), st.integers(-3, 3))


@given(VALUES, VALUES)
def test_not_and_de_morgan(a: int | None, b: int | None) -> None:
    row = {"age": a, "dose": b}
    left = Where("not (age > 0 and dose > 0)").keeps(row)
    assert left == Where("not age > 0 or not dose > 0").keeps(row)
    assert not (Where("age > 0").keeps(row) and Where("not age > 0").keeps(row))
