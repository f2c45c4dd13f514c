"""The quick ways to read names and tables say what the plain ones do."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.datasets.errors import ReadError
from trialbids.datasets.files.names import VisitNames, parse_name
from trialbids.datasets.files.sidecars import parse_json
from trialbids.datasets.files.tables import parse_tsv

PARTS = st.sampled_from(["sub-01", "sub-02", "ses-1", "run-1", "run-2", "acq-a", "acq-", "T1w", "bold", "", "ü-1"])
ENDS = st.sampled_from([".nii.gz", ".nii", ".json", "", "."])
OWN = st.sampled_from([(), (("sub", "01"),), (("sub", "01"), ("ses", "1"))])


@given(st.lists(PARTS, max_size=5), ENDS, OWN)
def test_a_name_within_a_visit(parts: list[str], end: str, own: tuple[tuple[str, str], ...]) -> None:
    filename = "_".join(parts) + end
    whole = parse_name(filename)
    assert VisitNames(own).parse(filename) == (whole if whole and set(own) <= whole.entities else None)


@given(st.text(st.sampled_from('ab"\t\n\r é,'), max_size=40))
def test_a_table(text: str) -> None:
    lines = io.StringIO(text, newline="")
    plain = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
    expected = [{name: cell for name, cell in row.items() if name is not None} for row in plain]
    columns = list(plain.fieldnames or [])
    if expected and len(set(columns)) < len(columns):
        with pytest.raises(ReadError, match="stands there twice"):
            parse_tsv("table", text.encode())
    elif expected:
        assert parse_tsv("table", text.encode()) == expected


def test_a_table_that_is_no_text() -> None:
    assert parse_tsv("table", "\ufeffa\tb\n1\n".encode()) == [{"a": "1", "b": ""}]
    with pytest.raises(ReadError, match="no table of text"):
        parse_tsv("table", b"a\n\xff")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_json(value: object) -> None:
    for text in (json.dumps({"a": value}), json.dumps({"a": value}, ensure_ascii=False, indent=1)):
        content = text.encode(errors="surrogatepass")
        assert repr(parse_json(content)) == repr(json.loads(content))


@pytest.mark.parametrize("text", ["", "{", "[1,]", '{"a": 1} x'])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        parse_json(text.encode())


def test_json_that_only_the_slower_reader_knows() -> None:
    assert parse_json(b"\xef\xbb\xbf{}") == {} and parse_json(b'"\\ud800"') == "\ud800"
    assert parse_json(b"[" * 500 + b"]" * 500)[0]
