"""Tables: what is written can be read again, whatever a cell holds."""

from __future__ import annotations

import json
import os
import tempfile
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.exporter.errors import UsageError
from trialbids.exporter.tables import json_bytes, read_table, read_tsv, tsv_bytes, write_atomic, write_private

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=8)


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=6))
def test_any_text_makes_a_table_of_as_many_cells_without_control_characters(cells: list[tuple[str, str]]) -> None:
    data = tsv_bytes(("a", "b"), ({"a": a, "b": b} for a, b in cells), empty="n/a")
    assert not any(
        unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in data.decode().replace("\t", "").replace("\n", "")
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.tsv"
        path.write_bytes(data)
        rows = read_tsv(path)
    assert len(rows) == len(cells) and tsv_bytes(("a", "b"), rows) == data


@pytest.mark.parametrize(
    "cell", ["a\0b", "a\x01b", "a\x1bb", "a\x7fb", "a\x85b", "a\x9fb", "a\tb", "a\r\nb", "a\u2028b"]
)
def test_a_control_character_becomes_a_space(cell: str) -> None:
    assert tsv_bytes(("x",), [{"x": cell}]) == b"x\na b\n"


def test_a_cell_of_nothing_else_is_empty() -> None:
    assert tsv_bytes(("x",), [{"x": "\0"}], empty="n/a") == b"x\nn/a\n"


@given(ANY_TEXT)
def test_any_text_survives_in_json(text: str) -> None:
    assert json.loads(json_bytes({"x": text})) == {"x": text}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\ufeff\n", "is empty"),
        (",,\n1,2,3\n", "is empty"),
        ("a,b,a\n1,2,3\n", "column a stands twice"),
        ("a,b\n1," + "x" * 140_000 + "\n", "line 2: this is no table"),
        ("a,b\n1,2,3\n", "line 2: more cells"),
    ],
)
def test_what_is_no_table_is_refused_with_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        read_table(path)


def test_a_private_file_is_its_owners_alone_and_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    write_atomic(path, b"old")
    left = path.with_name(f".t.tsv.{os.getpid()}.tmp")
    left.write_bytes(b"half of what a killed run wrote")
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    write_private(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    assert [p.name for p in tmp_path.iterdir()] == ["t.tsv"]


def _umask() -> int:
    now = os.umask(0o022)
    os.umask(now)
    return now


def test_columns_without_a_name_are_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a;b;;\n1;2;;\n3\n", encoding="utf-8")
    assert [(r["a"], r["b"]) for r in read_table(path)] == [("1", "2"), ("3", "")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('id,a\n1,"2\n3,4\n', 2),
        ('id,a\n1,2\n3,"4\n5,6\n7,8"9\n', 3),
        ('id,a\n1,"2\n2"\n3,"4\n5,6\n', 4),
        ('id,a\n1,"x"\n3,"4\n' + "5,6\n" * 50_000, 3),
        ('id,a\n1,"2\n3,"4"\n', 2),
        ('"id,a\n1,2\n', 1),
    ],
)
def test_a_quote_that_is_not_closed_is_named_by_its_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=rf"t\.csv: line {line}: this is no table: the quote that opens a cell here"):
        read_table(path)


def test_a_cell_that_is_too_long_is_named_by_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n"1",2\n3,' + "x" * 140_000 + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 3: this is no table: a cell is too long"):
        read_table(path)


def test_quotes_inside_a_cell_are_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n5" disc,"says ""no"", twice"\n', encoding="utf-8")
    assert read_table(path) == [{"a": '5" disc', "b": 'says "no", twice'}]


def test_a_hundred_thousand_columns_are_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    names = [f"c{n}" for n in range(100_000)]
    path.write_text(",".join(names) + "\n" + ",".join(names) + "\n", encoding="utf-8")
    start = time.monotonic()
    assert read_table(path) == [dict(zip(names, names, strict=True))]
    assert time.monotonic() - start < 5
