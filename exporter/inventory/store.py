"""What the inventory remembers from run to run: four Parquet files in a private folder."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from . import table
from .find import Found
from .instance import Instance
from .layouts import Layout
from .unreadable import Unreadable

READER_VERSION = "5"
"""Raised whenever the reader would give other values for the same bytes: older stores are then read anew."""

_VERSION, _RUN = "trialbids.reader", "trialbids.run"
_FILES = {
    "instances.parquet": Instance,
    "files.parquet": Found,
    "unreadable.parquet": Unreadable,
    "layouts.parquet": Layout,
}


@dataclass(frozen=True, slots=True)
class Remembered:
    """The state of an earlier run. ``files`` are those whose content was read, whatever came of it; ``layouts`` are the
    sets of attributes that the instances name.
    """

    instances: pa.Table
    files: tuple[Found, ...]
    unreadable: tuple[Unreadable, ...]
    layouts: tuple[Layout, ...] = ()


def load(store: Path) -> Remembered | None:
    """What an earlier run has left, None where there is nothing that can be relied on.

    The files must carry the same run's mark and this reader's version: a run that was killed between two of
    them, a damaged file or another program version all mean that everything is read anew.
    """
    tables: list[pa.Table] = []
    marks: set[str | None] = set()
    for name, row_type in _FILES.items():
        try:
            found, metadata = table.read(row_type, store / name)
        except (OSError, ValueError, pa.ArrowException):
            return None
        if metadata.get(_VERSION) != READER_VERSION:
            return None
        marks.add(metadata.get(_RUN))
        tables.append(found)
    if len(marks) != 1:
        return None
    return Remembered(
        instances=tables[0],
        files=tuple(table.from_table(Found, tables[1])),
        unreadable=tuple(table.from_table(Unreadable, tables[2])),
        layouts=tuple(table.from_table(Layout, tables[3])),
    )


def save(store: Path, state: Remembered) -> None:
    """Write the state; a kill at any moment leaves either a store that loads or one that is rebuilt."""
    store.mkdir(parents=True, exist_ok=True, mode=0o700)
    metadata = {_VERSION: READER_VERSION, _RUN: secrets.token_hex(8)}
    named = set(state.instances.column("layout").unique().to_pylist())
    rows = (
        state.instances,
        table.to_table(Found, state.files),
        table.to_table(Unreadable, state.unreadable),
        table.to_table(Layout, [layout for layout in state.layouts if layout.id in named]),
    )
    for name, found in zip(_FILES, rows, strict=True):
        table.write(found, store / name, metadata)


def of_files(instances: pa.Table, paths: Sequence[str]) -> pa.Table:
    """The instances that come from these files."""
    return instances.filter(pc.is_in(instances.column("path"), value_set=table.escaped(paths)))  # pyright: ignore[reportAttributeAccessIssue]


def in_order(instances: pa.Table) -> pa.Table:
    """The instances ordered by :attr:`Instance.key`."""
    return instances.sort_by([("path", "ascending"), ("member", "ascending"), ("frame", "ascending")])
