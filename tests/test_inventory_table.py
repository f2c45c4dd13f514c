"""Instances through Parquet and back."""

from __future__ import annotations

import os
import time
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trialbids.exporter.inventory.find import Found
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.table import from_table, read, to_table, write

NUMBER = st.floats(allow_nan=False, allow_infinity=False)
INTEGER = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(max_size=8)
BY_HINT: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: INTEGER,
    int | None: st.none() | INTEGER,
    float | None: st.none() | NUMBER,
    tuple[str, ...]: st.lists(TEXT, max_size=3).map(tuple),
    tuple[float, ...]: st.lists(NUMBER, max_size=3).map(tuple),
    tuple[int, ...]: st.lists(INTEGER, max_size=3).map(tuple),
}
HINTS = get_type_hints(Instance)
NAMES = [f.name for f in fields(Instance)]


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    """An instance with a few fields set."""
    chosen = ["path", *draw(st.lists(st.sampled_from(NAMES), max_size=6, unique=True))]
    return Instance(**{name: draw(BY_HINT[HINTS[name]]) for name in chosen})


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(instances(), max_size=3))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[Instance]) -> None:
    path = tmp_path_factory.mktemp("table") / "rows.parquet"
    write(to_table(Instance, rows), path, {"key": "value"})
    table, metadata = read(Instance, path)
    assert from_table(Instance, table) == rows
    assert metadata["key"] == "value"


def test_file_names_that_are_not_utf8_survive() -> None:
    name = os.fsdecode(b"/data/\xe9tude/IM1")
    assert from_table(Instance, to_table(Instance, [Instance(path=name), Instance(path="/ü")]))[0].path == name


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "files.parquet"
    table = to_table(Found, [Found(path="/a", size=1, mtime_ns=2, ctime_ns=3)])
    write(table, path, {})
    before = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(OSError):
        write(table, path, {})
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["files.parquet"]


def test_another_schema_is_refused(tmp_path: Path) -> None:
    write(to_table(Found, []), tmp_path / "x.parquet", {})
    with pytest.raises(ValueError, match="columns"):
        read(Instance, tmp_path / "x.parquet")


def test_thousands_of_rows_take_seconds() -> None:
    rows = [Instance(path=f"/d/{i}", InstanceNumber=i, ImageType=("A", "B"), EchoTime=1.0 * i) for i in range(5_000)]
    start = time.process_time()
    assert len(from_table(Instance, to_table(Instance, rows))) == 5_000
    assert time.process_time() - start < 2
