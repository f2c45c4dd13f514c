"""Numbers of a column: its decimal sign is told from all cells, and what stays open is refused, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.exporter.clinical.join import ClinicalRows, join_clinical
from trialbids.exporter.clinical.numbers import NotRead, decimals_of
from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.trial import Clinical


def visit(at: int) -> Visit:
    return Visit(f"S{at}", "01", "S1", f"n\0P{at}", "20200101", "20200101", 0)


def column(folder: Path, cells: list[str], kind: str = "number", seen: int | None = None) -> ClinicalRows:
    """The column ``x`` of a table; images were seen of the first ``seen`` people."""
    table = folder / "t.csv"
    table.write_text("id;x\n" + "".join(f"P{at};{cell}\n" for at, cell in enumerate(cells)), encoding="utf-8")
    config = Clinical.model_validate({"table": table, "subject": "id", "columns": {"x": kind}})
    return join_clinical([config], [visit(at) for at in range(len(cells) if seen is None else seen)])


def released(rows: ClinicalRows) -> list[str]:
    return [row["x"] for _, row in sorted(rows.participants.items())]


@pytest.mark.parametrize(
    ("cells", "leaves"),
    [
        (["33,25", "15,5", "12,0", "1.234"], ["33.25", "15.5", "12", "n/a"]),
        (["33,25", "1.234,5", "2,125"], ["33.25", "1234.5", "2.125"]),
        (["33.25", "1,234.5", "2.125", "1,234"], ["33.25", "1234.5", "2.125", "n/a"]),
        (["33.25", "27,3", "1.234", "1,234"], ["33.25", "27.3", "n/a", "n/a"]),
        (["1.234", "2.5e3"], ["1.234", "2500"]),
        (["1.234", "950"], ["1.234", "950"]),
        (["1.234", "1,234"], ["n/a", "n/a"]),
        (["1.234.567", "1.234"], ["n/a", "n/a"]),
    ],
)
def test_the_column_tells_what_point_and_comma_mean(tmp_path: Path, cells: list[str], leaves: list[str]) -> None:
    rows = column(tmp_path, cells)
    assert released(rows) == leaves
    assert len(rows.refused) == leaves.count("n/a")


def test_the_sentence_names_the_sign_of_the_column_and_not_the_cell(tmp_path: Path) -> None:
    (said,) = column(tmp_path, ["33,25", "15,5", "1.239"]).refused
    assert said.startswith("t.csv line 4: x: the point may stand for thousands or for decimals")
    assert "the decimal sign of this column is the comma" in said and "1.239" not in said


def test_rows_of_people_without_images_tell_it_too(tmp_path: Path) -> None:
    assert released(column(tmp_path, ["1.234", "33,25"], seen=1)) == ["n/a"]


def test_a_whole_number_with_a_point_is_not_a_thousandth_of_it(tmp_path: Path) -> None:
    assert released(column(tmp_path, ["1.000", "950"], "integer")) == ["n/a", "950"]
    assert released(column(tmp_path, ["1.000", "950.0"], "integer")) == ["1", "950"]


@given(st.lists(st.integers(0, 99_999_999), min_size=1, max_size=8), st.sampled_from(".,"))
def test_a_column_is_read_as_it_was_written_or_refused(hundredths: list[int], sign: str) -> None:
    """Thousands are written where there are some: the other sign."""
    other = {".": ",", ",": "."}[sign]
    swap = str.maketrans({",": other, ".": sign})
    cells = [f"{number / 100:,.2f}".translate(swap) for number in hundredths]
    cells += [f"{number // 100:,d}".translate(swap) for number in hundredths]
    decimals = decimals_of(cells)
    for cell, number in zip(cells, [n / 100 for n in hundredths] + [float(n // 100) for n in hundredths], strict=True):
        try:
            assert decimals.read(cell) == number
        except NotRead:
            assert other in cell and sign not in cell


def test_levels_that_are_numbers_are_numbers_to_criteria_as_to_readers_of_the_tree(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id,figo,code,mixed\nP0,1,01,2\nP1,,02,x\n", encoding="utf-8")
    columns = {"figo": ["1", "2", "3", "4"], "code": ["01", "02"], "mixed": ["2", "x"]}
    config = Clinical.model_validate({"table": table, "subject": "id", "columns": columns})
    rows = join_clinical([config], [visit(0), visit(1)])
    assert rows.kinds == {"figo": float, "code": str, "mixed": str}
    assert rows.values["S0"] == {"figo": 1.0, "code": "01", "mixed": "2"} and rows.values["S1"]["figo"] is None
    assert rows.participants["S0"]["figo"] == "1", "it leaves as the code that it is"


def test_the_line_of_a_cell_is_that_of_the_file(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text('id,note,x\nP0,"one\ntwo\nthree",1\n\nP1,"a\nb",high\nP2,,odd\n', encoding="utf-8")
    config = Clinical.model_validate({"table": table, "subject": "id", "columns": {"x": "number"}})
    rows = join_clinical([config], [visit(0), visit(1), visit(2)])
    assert [said.split(":")[0] for said in rows.refused] == ["t.csv line 6", "t.csv line 8"]


def test_released_columns_that_differ_in_letter_case_alone_are_told(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id,size,Size,Age\nP0,1,2,50\n", encoding="utf-8")
    columns = {"size": "number", "Size": "number", "Age": "number"}
    config = Clinical.model_validate({"table": table, "subject": "id", "columns": columns})
    said = join_clinical([config], [visit(0)]).refused
    assert [words in sentence for words, sentence in zip(("size and Size", "Age and age"), said, strict=True)] == [
        True
    ] * 2


def test_the_commas_of_one_column_make_the_points_of_another_unclear(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id;x;y\nP0;33,25;4.500\nP1;1,5;6.2\n", encoding="utf-8")
    config = Clinical.model_validate({"table": table, "subject": "id", "columns": {"x": "number", "y": "number"}})
    rows = join_clinical([config], [visit(0), visit(1)])
    assert [row["y"] for _, row in sorted(rows.participants.items())] == ["4.5", "6.2"], "6.2 says that it is the point"
    table.write_text("id;x;y\nP0;33,25;4.500\nP1;1,5;6.200\n", encoding="utf-8")
    rows = join_clinical([config], [visit(0), visit(1)])
    assert [row["y"] for _, row in sorted(rows.participants.items())] == ["n/a", "n/a"]
    assert len(rows.refused) == 2 and all("thousands" in sentence for sentence in rows.refused)
