"""Workbooks made to break their reader: refused with a sentence, and the process lives on."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from trialbids.exporter.clinical import sheet as sheets
from trialbids.exporter.clinical.sheet import read_sheet
from trialbids.exporter.clinical.workbook import sheet_names
from trialbids.exporter.errors import UsageError

MIME = "application/vnd.oasis.opendocument.spreadsheet"
ODS = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 office:version="1.2"><office:body><office:spreadsheet><table:table table:name="data">{rows}</table:table>
</office:spreadsheet></office:body></office:document-content>"""  # noqa: E501
CELL = '<table:table-cell {times} office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


def xlsx(path: Path, old: bytes, new: bytes, part: str = "xl/worksheets/sheet1.xml") -> Path:
    """A workbook of one column and one row, one piece of one part replaced."""
    book = openpyxl.Workbook()
    page = book.worksheets[0]
    page.append(["id"])
    page.append(["A1"])
    book.save(path.with_name("plain.xlsx"))
    with zipfile.ZipFile(path.with_name("plain.xlsx")) as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name in plain.namelist():
            data = plain.read(name)
            assert name != part or old in data
            z.writestr(name, data.replace(old, new) if name == part else data)
    return path


def ods(path: Path, rows: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("mimetype", MIME, zipfile.ZIP_STORED)
        z.writestr("META-INF/manifest.xml", "<manifest/>")
        z.writestr("content.xml", ODS.format(rows=rows))
    return path


def row(cells: str, times: str = "") -> str:
    return f"<table:table-row {times}>{cells}</table:table-row>"


def refused(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_sheet(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_cell_in_the_last_corner_is_refused(tmp_path: Path) -> None:
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    assert "far right of and below" in refused(xlsx(tmp_path / "t.xlsx", b"</sheetData>", far))


def test_a_cell_that_makes_a_large_block_is_refused(tmp_path: Path) -> None:
    far = b'<row r="6000"><c r="ALL6000"><v>1</v></c></row></sheetData>'
    assert "reaches over more than 5,000,000 cells" in refused(xlsx(tmp_path / "t.xlsx", b"</sheetData>", far))


def test_a_dimension_that_is_not_true_claims_nothing(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "t.xlsx", b'<dimension ref="A1:A2"', b'<dimension ref="A1:XFD1048576"')
    assert read_sheet(path).columns == {"id": ["A1"]}


def test_entities_of_a_part_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("SECRET")
    dtd = b'<!DOCTYPE w [<!ENTITY x SYSTEM "' + bytes(tmp_path / "secret") + b'">]><worksheet '
    path = xlsx(tmp_path / "t.xlsx", b"<worksheet ", dtd)
    assert "SECRET" not in str(read_sheet(path).columns)


def test_repeated_rows_and_columns_of_ods_are_refused(tmp_path: Path) -> None:
    head = row(CELL.format(times="", text="id")) + row(CELL.format(times="", text="A1"))
    assert read_sheet(ods(tmp_path / "t.ods", head)).columns == {"id": ["A1"]}
    wide = row(CELL.format(times='table:number-columns-repeated="16384"', text="x"),
               'table:number-rows-repeated="1048576"')  # fmt: skip
    assert refused(ods(tmp_path / "wide.ods", head + wide))


def test_a_file_that_is_none_and_a_missing_one_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.xlsx")
    assert "is no file" in refused(tmp_path / "t.xlsx")
    assert "cannot be read" in refused(tmp_path / "missing.xlsx")
    with pytest.raises(UsageError, match="cannot be read"):
        sheet_names(tmp_path / "missing.xlsx")


def test_a_parquet_file_says_beforehand_how_large_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"id": ["A1"] * 11}), path)
    monkeypatch.setattr(sheets, "MOST_CELLS", 10)
    assert "more than 10 cells" in refused(path)
