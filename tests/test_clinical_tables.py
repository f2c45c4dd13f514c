"""Clinical tables in every form: read alike, and what is wrong with one is named."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from openpyxl import Workbook
from pyarrow import parquet
from pydantic import ValidationError

from trialbids.exporter.clinical.join import ClinicalRows, join_clinical
from trialbids.exporter.errors import UsageError
from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.trial import Clinical

VISITS = tuple(Visit(s * 3, "01", "S1", f"n\0{i}", "20200110", "20200110", 0) for s, i in (("A", "007"), ("B", "P2")))
HEADER = ("id", "score", "stage", "seen")
ROWS: tuple[tuple[Any, ...], ...] = (("007", 3.5, "1", date(2020, 1, 2)), ("P2", 4.0, "2", date(2019, 12, 31)))
COLUMNS = {"score": "number", "stage": ["1", "2"], "seen": "date"}


def join(path: Path, columns: Any = None, **config: Any) -> ClinicalRows:
    values = {"table": path, "subject": "id", "columns": columns or COLUMNS, **config}
    return join_clinical([Clinical.model_validate(values)], VISITS)


def workbook(path: Path, rows: Any = (HEADER, *ROWS), *, name: str = "data", merge: str = "") -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = name
    for row in rows:
        sheet.append(row)
    if merge:
        sheet.merge_cells(merge)
    book.create_sheet("notes").append(["not a table"])
    book.save(path)
    return path


def text(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def columnar(path: Path) -> Path:
    columns = zip(*ROWS, strict=True)
    parquet.write_table(pa.table(dict(zip(HEADER, map(list, columns), strict=True))), path)
    return path


@pytest.mark.parametrize("ending", ["csv", "tsv", "xlsx", "parquet"])
def test_the_same_table_in_every_form_is_the_same_to_us(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"table.{ending}"
    if ending in ("csv", "tsv"):
        separator = {"csv": ";", "tsv": "\t"}[ending]
        lines = [separator.join(map(str, row)) for row in (HEADER, *ROWS)]
        text(path, "\n".join(lines) + "\n")
    else:
        {"xlsx": workbook, "parquet": columnar}[ending](path)
    rows = join(path)
    assert rows.participants == {
        "AAA": {"score": "3.5", "stage": "1", "seen": "2020-01-02"},
        "BBB": {"score": "4", "stage": "2", "seen": "2019-12-31"},
    }
    assert rows.values["AAA"] == {"score": 3.5, "stage": 1.0, "seen": -8.0}, "a day counts from the first session"
    assert rows.kinds == {"score": float, "stage": float, "seen": float}
    assert not rows.refused and not rows.unmatched


def test_one_sheet_of_a_workbook_is_read_by_its_name(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", name="visit data")
    assert join(path, sheet="visit data").participants.keys() == {"AAA", "BBB"}
    with pytest.raises(UsageError, match=r"has no sheet vists; its sheets are visit data, notes"):
        join(path, sheet="vists")
    with pytest.raises(UsageError, match="has no column id; its columns are not a table"):
        join(path, sheet="notes")


def test_a_column_below_a_merged_header_cell_is_named(tmp_path: Path) -> None:
    rows = (("id", "score", None, "stage"), ("007", 1, 2, "1"), ("P2", 1, 2, "2"))
    made = join(workbook(tmp_path / "t.xlsx", rows, merge="B1:C1"), {"score": "number"})
    assert made.participants["AAA"] == {"score": "1"}
    assert any("column C has no name (its header is part of a merged cell)" in s for s in made.unmatched)


def test_rows_of_a_workbook_are_named_as_the_spreadsheet_counts_them(tmp_path: Path) -> None:
    rows = (HEADER, ROWS[0], (None,) * 4, ("P2", "high", "2", None), ("P9", 1, "1", None))
    made = join(workbook(tmp_path / "t.xlsx", rows))
    assert made.refused == ("t.xlsx line 4: score: not a number",)
    assert made.unmatched == ("t.xlsx line 5: no images of this subject",)


def test_a_number_in_a_workbook_has_lost_its_zeros_and_is_told(tmp_path: Path) -> None:
    made = join(workbook(tmp_path / "t.xlsx", (HEADER, (7, 1, "1", None))))
    assert "leading zeros" in made.unmatched[0] and not made.participants


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.xlsx", b"id,score\n", "cannot be read as a workbook"),
        ("t.xls", b"\xd0\xcf\x11\xe0" + b"\0" * 600, "cannot be read as a workbook"),
        ("t.parquet", b"id,score\n", "cannot be read as Parquet"),
        ("t.parquet", b"PAR1" + b"\0" * 100 + b"PAR1", "cannot be read as Parquet"),
        ("t.csv", b"PK\x03\x04\xff\xfe", "not UTF-8"),
    ],
)
def test_a_file_that_is_not_what_its_ending_says_is_named(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=words) as error:
        join(path)
    assert str(path) in str(error.value)


def test_an_empty_sheet_and_a_column_that_stands_twice_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sheet data is empty"):
        join(workbook(tmp_path / "a.xlsx", ()))
    with pytest.raises(UsageError, match="score stands twice"):
        join(workbook(tmp_path / "b.xlsx", (("id", "score", "score"), ("P2", 1, 2))))


@pytest.mark.parametrize(
    ("cells", "days", "words"),
    [
        (("2020-01-02", "2019-12-31"), ("2020-01-02", "2019-12-31"), ""),
        (("02.01.2020", "31.12.2019"), ("2020-01-02", "2019-12-31"), ""),
        (("01/02/2020", "12/31/2019"), ("2020-01-02", "2019-12-31"), ""),
        (("02-Jan-2020", "31-Dec-2019"), ("2020-01-02", "2019-12-31"), ""),
        (("2020-01-02 08:30", "2019-12-31T23:59:59Z"), ("2020-01-02", "2019-12-31"), ""),
        (("05/05/2020", "06/06/2020"), ("2020-05-05", "2020-06-06"), ""),
        (("01/02/2020", "03/04/2020"), ("n/a", "n/a"), "cannot be told apart"),
        (("13/02/2020", "02/13/2020"), ("n/a", "n/a"), "cannot be told apart"),
        (("2020-01-02", "31.12.2019"), ("2020-01-02", "n/a"), "line 3: seen: is no day in the form"),
        (("2020-02-30", "2020-01-02"), ("n/a", "2020-01-02"), "line 2: seen: is no day"),
        (("2020-01", "soon"), ("n/a", "n/a"), "no days in a form that is known"),
        (("2020-01-02", "0001-01-01"), ("2020-01-02", "n/a"), "no trial can hold"),
    ],
)
def test_the_days_of_a_column_have_one_form(
    tmp_path: Path, cells: tuple[str, str], days: tuple[str, str], words: str
) -> None:
    rows = join(text(tmp_path / "t.csv", f"id,seen\n007,{cells[0]}\nP2,{cells[1]}\n"), {"seen": "date"})
    assert tuple(rows.participants[s]["seen"] for s in ("AAA", "BBB")) == days
    assert bool(rows.refused) == bool(words) and words in " ".join(rows.refused)
    assert not any(cell in sentence for cell in cells for sentence in rows.refused), "no cell is repeated"


def test_the_trial_says_which_form_the_days_have(tmp_path: Path) -> None:
    path = text(tmp_path / "t.csv", "id,seen,died\n007,01/02/2020,31.1.21\nP2,03/04/2020,\n")
    rows = join(path, {"seen": "date", "died": {"type": "date", "dates": "%d.%m.%y"}}, dates="%d/%m/%Y")
    assert rows.participants["AAA"] == {"seen": "2020-02-01", "died": "2021-01-31"}
    with pytest.raises(ValidationError, match="does not tell day, month and year"):
        join(path, {"seen": "date"}, dates="%m/%Y")


def test_missing_codes_units_names_and_private_columns(tmp_path: Path) -> None:
    path = text(tmp_path / "t.csv", "id,CA 125 (U/ml),grade,secret\n007,-99.0,9,4\nP2,41.5,1,5\n")
    rows = join(
        path,
        {
            "CA 125 (U/ml)": {"type": "number", "unit": "U/mL", "missing": ["-99"], "as": "ca125"},
            "grade": {"levels": {"1": "low", "2": "high"}, "missing": [9]},
            "secret": {"type": "integer", "release": False},
        },
    )
    assert rows.participants == {"AAA": {"ca125": "n/a", "grade": "n/a"}, "BBB": {"ca125": "41.5", "grade": "1"}}
    assert rows.values["BBB"] == {"ca125": 41.5, "grade": 1.0, "secret": 5}
    assert not rows.refused and "secret" not in rows.described
    assert rows.described["grade"].levels == {"1": "low", "2": "high"}


def test_whole_numbers_are_whole(tmp_path: Path) -> None:
    path = text(tmp_path / "t.csv", "id,n\n007,3.0\nP2,3.5\n")
    rows = join(path, {"n": "integer"})
    assert rows.participants == {"AAA": {"n": "3"}, "BBB": {"n": "n/a"}}
    assert rows.refused == ("t.csv line 3: n: not a whole number",)


def test_criteria_meet_ages_as_they_are_and_the_tree_does_not(tmp_path: Path) -> None:
    rows = join(text(tmp_path / "t.csv", "id,age\n007,93\nP2,50\n"), {"age": "integer"})
    assert rows.values["AAA"]["age"] == 93 and rows.participants["AAA"]["age"] == "89"


def test_columns_go_where_the_trial_puts_them(tmp_path: Path) -> None:
    again = Visit("AAA", "02", "S1", "n\x00007", "20200610", "20200610", 152)
    path = text(tmp_path / "t.csv", "id,visit,sex,score\n007,1,F,1\n007,2,F,2\nP2,1,M,3\n")
    columns = {"sex": ["F", "M"], "score": "number"}

    def into(where: str) -> ClinicalRows:
        values = {"table": path, "subject": "id", "visit": "visit", "columns": columns, "into": where}
        return join_clinical([Clinical.model_validate(values)], [*VISITS, again])

    assert into("sessions").sessions["AAA", "02"] == {"sex": "F", "score": "2"}
    people = into("participants")
    assert people.participants["AAA"] == {"sex": "F", "score": "n/a"} and people.participants["BBB"]["score"] == "3"
    assert "the rows of sub-AAA differ" in " ".join(people.refused)
    (table,) = into("phenotype/imaging").phenotype
    assert (table.name, table.by_visit, table.columns) == ("imaging", True, ("sex", "score"))
    assert table.rows["AAA", "02"] == {"sex": "F", "score": "2"} and len(table.rows) == 3
    values = people.values["AAA"], people.visit_values["AAA", "02"]
    assert values == ({"sex": "F", "score": None}, {"sex": "F", "score": 2.0})


def test_several_tables_are_one(tmp_path: Path) -> None:
    first = text(tmp_path / "a.csv", "id,score\n007,1\n")
    second = text(tmp_path / "b.csv", "pid,stage\n007,2\nP2,1\n")
    tables = [
        Clinical.model_validate({"table": first, "subject": "id", "columns": {"score": "number"}}),
        Clinical.model_validate({"table": second, "subject": "pid", "columns": {"stage": ["1", "2"]}}),
    ]
    rows = join_clinical(tables, VISITS)
    assert rows.participants["AAA"] == {"score": "1", "stage": "2"} and rows.columns == ("score", "stage")
    assert [s for s in rows.unmatched if "no row in" in s] == ["sub-BBB ses-01: no row in a.csv"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"note": "text"}, "free text does not leave"),
        ({"note": {"levels": ["a"], "type": "number"}}, "give one of the two"),
        ({"note": {"type": "level"}}, "give its levels"),
        ({"CA 125": "number"}, "give another with as"),
        ({"note": ["low\tgrade"]}, "holds a tab or a line end"),
        ({"note": ["high "]}, "ends with a space"),
        ({"note": [""]}, "is empty"),
        ({"note": {}}, "a codebook"),
        ({"note": "numbr"}, "'number', 'integer'"),
    ],
)
def test_a_wrong_column_is_refused_when_the_configuration_is_read(
    tmp_path: Path, columns: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError) as error:
        join(tmp_path / "t.csv", columns)
    assert words in str(error.value)


def test_a_workbook_with_times_reads_their_day(tmp_path: Path) -> None:
    made = workbook(tmp_path / "t.xlsx", (("id", "seen"), ("P2", datetime(2020, 1, 2, 8, 30))))
    assert join(made, {"seen": "date"}).participants["BBB"] == {"seen": "2020-01-02"}


def test_days_of_a_workbook_are_days_in_whatever_form_it_shows_them(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", (("id", "seen"), ("007", date(2020, 2, 1)), ("P2", "03.04.2020")))
    rows = join(path, {"seen": "date"}, dates="%d.%m.%Y")
    assert sorted(row["seen"] for row in rows.participants.values()) == ["2020-02-01", "2020-04-03"]
    assert not rows.refused


def test_a_parquet_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 400_000, pa.int32()), pa.array(["x" * 2000]))
    parquet.write_table(pa.table({"id": long}), tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size < 1_000_000
    with pytest.raises(UsageError, match="bytes of text"):
        join(tmp_path / "t.parquet")
