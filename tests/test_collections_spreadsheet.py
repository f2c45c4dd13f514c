"""TCIA's spreadsheets: the key column is found by the patients that were seen, and only what can leave is proposed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest
import yaml
from collectionmaker import write

from trialbids.exporter.errors import UsageError
from trialbids.exporter.likes.spreadsheet import propose, propose_table
from trialbids.exporter.trial.clinical import Clinical

PATIENTS = ["TCGA-AA-001", "TCGA-AA-002", "TCGA-AA-003", "TCGA-AA-004"]


def workbook(path: Path, **sheets: Sequence[Sequence[object]]) -> Path:
    """A workbook of these sheets, row by row."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def table_of(text: str) -> Clinical:
    """The proposal read back as the part of a trial that it is."""
    return Clinical.model_validate(yaml.safe_load(text)["clinical"])


def test_the_sheet_and_the_key_are_those_that_hold_the_patients(tmp_path: Path) -> None:
    book = workbook(
        tmp_path / "clinical.xlsx",
        Legend=[["PatientID", "meaning"], ["text", "the id"]],
        Data=[["Case ID", "Study Patient", "PSA (ng/ml)"], *([n, p, 1.5 + n] for n, p in enumerate(PATIENTS))],
    )
    table = table_of(propose_table(book, PATIENTS))
    assert (table.sheet, table.subject, list(table.columns)) == ("Data", "Study Patient", ["PSA (ng/ml)"])
    assert table.columns["PSA (ng/ml)"].kind == "number" and table.columns["PSA (ng/ml)"].name == "PSA_ng_ml"


def test_types_come_from_the_cells_and_codes_for_missing_are_no_values(tmp_path: Path) -> None:
    file = write(
        tmp_path / "c.csv",
        "PatientID,Age,Stage,Grade,Remark,Day,PatientName,Phone,Empty",
        "TCGA-AA-001,61,II,2.5,seen on Monday by the team,2011-01-02,Doe,,Not Available",
        "TCGA-AA-002,70,II,Not Available,walks without help,2011-05-02,Roe,555 123 4567,",
        "TCGA-AA-003,[Not Available],III,1,no remark this time,2012-01-02,Poe,555 123 4568,",
        "TCGA-AA-004,55,III,NA,comes again in June,2013-01-02,Low,555 123 4569,",
    )
    text = propose_table(file, PATIENTS)
    columns = table_of(text).columns
    assert {name: column.kind for name, column in columns.items()} == {
        "Age": "integer", "Stage": "level", "Grade": "number",
    }  # fmt: skip
    assert list(columns["Stage"].levels) == ["II", "III"]
    assert columns["Age"].missing == ("[Not Available]",) and columns["Grade"].missing == ("Not Available",)
    reasons = dict(line.strip().lstrip("# ").split("     # ") for line in text.splitlines() if "     # " in line)
    said = {name.partition(":")[0]: reason for name, reason in reasons.items()}
    assert "free text" in said["Remark"] and "date" in said["Day"] and "holds nothing" in said["Empty"]
    assert "PatientName" in said and "Phone" in said


def test_a_decimal_comma_makes_a_number_too(tmp_path: Path) -> None:
    cells = ("3,0;1.5;1,234", "4,5;27,3;2,500", "2,75;2.5;3,125", "1;3;4,000")
    rows = (f"{name};{row}" for name, row in zip(PATIENTS, cells, strict=True))
    file = write(tmp_path / "c.csv", "PatientID;Marker;Mixed;Open", *rows)
    text = propose_table(file, PATIENTS)
    assert {n: c.kind for n, c in table_of(text).columns.items()} == {"Marker": "number", "Mixed": "number"}
    assert "# Open: number     # its signs may stand for thousands or for decimals" in text


def test_names_that_differ_in_letter_case_alone_are_told(tmp_path: Path) -> None:
    rows = [f"{name},{n + 1},{n + 2},{n + 60}" for n, name in enumerate(PATIENTS)]
    text = propose_table(write(tmp_path / "c.csv", "PatientID,size,Size,Age", *rows), PATIENTS)
    said = {line.split(":")[0].strip(): line for line in text.splitlines() if "     # " in line}
    assert "another column than Size" in said["size"] and "another column than size" in said["Size"]
    assert "age of the images' headers leaves too" in said["Age"]
    assert list(table_of(text).columns) == ["size", "Size", "Age"]


def test_subjects_in_several_rows_need_a_visit_that_only_a_person_can_name(tmp_path: Path) -> None:
    file = write(tmp_path / "c.csv", "PatientID,Size", *(f"{p},{n}" for n, p in enumerate([*PATIENTS, *PATIENTS])))
    text = propose_table(file, PATIENTS)
    assert yaml.safe_load(text) is None and "the column that tells the visit" in text


def test_a_table_of_other_people_is_refused(tmp_path: Path) -> None:
    book = workbook(tmp_path / "c.xlsx", One=[["PatientID", "Age"], ["P1", 50]], Two=[["Case", "Age"], ["P2", 40]])
    with pytest.raises(UsageError, match="sheets looked at: One, Two"):
        propose_table(book, PATIENTS)


def test_two_columns_of_one_name_leave_under_two() -> None:
    taken: set[str] = set()
    first = propose("T stage", ["1", "2"], ["a", "b"], taken)
    second = propose("T-stage", ["3", "4"], ["a", "b"], taken)
    assert (first.spec["as"], second.spec["as"]) == ("T_stage", "T_stage_2")
