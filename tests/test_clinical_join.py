"""Clinical tables: joined before identities are replaced, and only listed columns leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trialbids.exporter.clinical.join import ClinicalRows, join_clinical
from trialbids.exporter.errors import UsageError
from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.trial import Clinical

VISITS = (
    Visit("AAA", "01", "S1", "n\0P1", "20200101", "20200101", 0),
    Visit("AAA", "02", "S1", "n\0P1", "20200601", "20200601", 152),
    Visit("BBB", "01", "S1", "n\0P2", "20200101", "20200101", 0),
)


def join(folder: Path, text: str, **config: Any) -> ClinicalRows:
    table = folder / "clinical.csv"
    table.write_text(text, encoding="utf-8")
    values = {"table": table, "subject": "id", "columns": {"sex": ["F", "M"], "score": "number"}, **config}
    return join_clinical([Clinical.model_validate(values)], VISITS)


def test_constant_columns_describe_the_participant_and_the_others_the_session(tmp_path: Path) -> None:
    text = "id,visit,sex,score,comment\nP1,1,F,4,calls on Mondays\nP1,2,F,2,\nP2,1,M,3,\n"
    rows = join(tmp_path, text, visit="visit")
    assert rows.participants == {"AAA": {"sex": "F"}, "BBB": {"sex": "M"}}
    assert rows.sessions["AAA", "01"] == {"score": "4"} and rows.sessions["AAA", "02"] == {"score": "2"}
    assert "Mondays" not in repr(rows)
    assert not rows.unmatched and not rows.refused


def test_orphans_on_either_side_are_listed(tmp_path: Path) -> None:
    rows = join(tmp_path, "id,sex,score\nP1,F,4\nP9,M,1\n")
    assert any("no images of this subject" in s and "line 3" in s for s in rows.unmatched)
    assert any("sub-BBB" in s for s in rows.unmatched)


def test_cells_that_are_not_what_the_column_says_become_missing_and_are_listed(tmp_path: Path) -> None:
    rows = join(tmp_path, "id;sex;score\nP1;X;3,5\nP2;M;high\n")
    assert rows.participants["AAA"]["sex"] == "n/a" and rows.participants["BBB"]["score"] == "n/a"
    assert rows.participants["AAA"]["score"] == "3.5", "a decimal comma is read"
    assert len(rows.refused) == 2
    assert not any(value in s for s in rows.refused for value in ("X", "high")), "the list holds no raw value"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,sex\nP1,F\n", "has no column score"),
        ("id,sex,score\nP1,F,1\nP1,F,2\n", "line 3: a second row"),
        ("id,sex,score\nP1,F,1,extra\n", "line 2: more cells"),
        ("id,sex,score, sex\nP1,F,1,M\n", "column sex stands twice"),
        ("", "is empty"),
        ("id,sex,score\nP1,F," + "9" * 200_000 + "\n", "line 2: this is no table"),
    ],
)
def test_a_wrong_table_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        join(tmp_path, text)


def test_a_level_may_be_a_word_that_elsewhere_means_missing(tmp_path: Path) -> None:
    columns = {"residual": ["none", "present"]}
    rows = join(tmp_path, "id,residual\nP1,none\nP2,NA\n", columns=columns)
    assert rows.participants == {"AAA": {"residual": "none"}, "BBB": {"residual": "n/a"}}
    assert not rows.refused


@pytest.mark.parametrize(
    ("column", "cell", "leaves"),
    [
        *[(name, "93", "89") for name in ("age", "AGE", "age_years", "AgeAtVisit")],
        ("age_months", "1100", "1068"),
        ("age_days", "36500", "32507"),
        ("age_in_weeks", "5000", "4644"),
        ("age", "88.5", "88.5"),
        ("dosage", "93", "93"),
        ("stage", "93", "93"),
    ],
)
def test_nobody_leaves_as_older_than_89(tmp_path: Path, column: str, cell: str, leaves: str) -> None:
    rows = join(tmp_path, f"id,{column}\nP1,{cell}\n", columns={column: "number"})
    assert rows.participants["AAA"][column] == leaves


@pytest.mark.parametrize(
    ("cell", "leaves"),
    [
        *[
            ("1.5", "1.5"),
            ("-2", "-2"),
            ("3,5", "3.5"),
            ("0,125", "0.125"),
            ("1234,567", "1234.567"),
            ("1,234.5", "1234.5"),
            ("1.234,5", "1234.5"),
            ("1e-3", "0.001"),
        ],
        *[(cell, "n/a") for cell in ("1_000", "1,234", "0x10", "inf", "１２", "1e999", "1 000")],
    ],
)
def test_a_number_is_a_plain_decimal_that_can_be_read_in_one_way(tmp_path: Path, cell: str, leaves: str) -> None:
    rows = join(tmp_path, f'id;score\nP1;"{cell}"\n', columns={"score": "number"})
    assert rows.participants["AAA"]["score"] == leaves
    assert len(rows.refused) == (leaves == "n/a")
    assert not any(cell in sentence for sentence in rows.refused)


def test_an_id_that_may_have_lost_its_zeros_is_listed_and_not_matched(tmp_path: Path) -> None:
    table = tmp_path / "clinical.csv"
    table.write_text("id,score\n7,1\n8,1\n", encoding="utf-8")
    visits = [Visit("AAA", "01", "S1", "n\000007", "20200101", "20200101", 0)]
    config = Clinical.model_validate({"table": table, "subject": "id", "columns": {"score": "number"}})
    rows = join_clinical([config], visits)
    first, second, _ = rows.unmatched
    assert not rows.participants and "leading zeros" in first and "leading zeros" not in second
    assert "0007" not in " ".join(rows.unmatched)


def test_a_spreadsheet_with_mark_semicolons_and_quotes_is_read(tmp_path: Path) -> None:
    rows = join(tmp_path, '\ufeff"id";sex;score;note;\r\n"P1";"F";"3,5";"one\r\ntwo; three";\r\n\r\n', visit=None)
    assert rows.participants["AAA"] == {"sex": "F", "score": "3.5"}


@pytest.mark.parametrize("cell", ["²", "9" * 5000, "٢"])
def test_a_visit_that_is_no_number_of_ours_is_listed(tmp_path: Path, cell: str) -> None:
    rows = join(tmp_path, f"id,visit,sex,score\nP1,{cell},F,1\n", visit="visit")
    assert "line 2: no images of this visit" in rows.unmatched[0]
