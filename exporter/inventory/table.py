"""Rows of flat data classes as Parquet: the schema follows from the type hints."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from operator import attrgetter
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, cast, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from ..arrays import array
from .hints import hints

Row = TypeVar("Row")

_SCALARS = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_FREE_PLANE = 0x10DC80 - 0xDC80
_ESCAPE = {code: code + _FREE_PLANE for code in range(0xDC80, 0xDD00)}
_UNESCAPE = {code + _FREE_PLANE: code for code in range(0xDC80, 0xDD00)}
"""File names that are not UTF-8 reach Python as lone surrogates, which Parquet cannot hold: they are moved to
private-use characters and back."""


@cache
def schema(row_type: type) -> pa.Schema:
    """The Arrow schema of a data class whose fields are scalars, optional scalars or tuples of scalars."""
    types = hints(row_type)
    return pa.schema([pa.field(f.name, _arrow_type(types[f.name])) for f in fields(row_type)])


def to_table(row_type: type, rows: Sequence[Any]) -> pa.Table:
    """The rows as an Arrow table."""
    columns = [_to_array(list(map(attrgetter(f.name), rows)), f.type) for f in schema(row_type)]
    return pa.Table.from_arrays(columns, schema=schema(row_type))


def from_table(row_type: type[Row], table: pa.Table) -> list[Row]:
    """The rows of an Arrow table. Equal texts share one object, which saves most of the memory.

    ``row_type`` must have slots and no checks of its own: the slots are filled column by column, which is ten times
    as fast as calling it.
    """
    rows = [object.__new__(row_type) for _ in range(table.num_rows)]
    for f in fields(cast(type, row_type)):
        fill = getattr(row_type, f.name).__set__
        deque(map(fill, rows, _from_column(table.column(f.name).combine_chunks())), maxlen=0)
    return rows


def write(table: pa.Table, path: Path, metadata: Mapping[str, str]) -> None:
    """Write the table as Parquet, whole or not at all. Raises ``OSError``."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        parquet.write_table(
            table.replace_schema_metadata(dict(metadata)), temporary, compression="zstd", compression_level=1
        )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read(row_type: type, path: Path) -> tuple[pa.Table, dict[str, str]]:
    """A table that :func:`write` has written, and its metadata.

    Raises ``OSError`` or ``pyarrow.ArrowException`` where there is none or it is damaged, ``ValueError`` where its
    columns are not those of the data class.
    """
    table = parquet.ParquetFile(path).read()  # read_table would import pandas where it is installed
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    bare = table.replace_schema_metadata(None)
    if bare.schema != schema(row_type):
        raise ValueError(f"{path}: its columns are not those of {row_type.__name__}")
    return bare, metadata


def escaped(words: Iterable[str]) -> pa.Array:
    """Words as they stand in a table's string column."""
    return _to_array(list(words), pa.string())


def _arrow_type(hint: Any) -> pa.DataType:
    if hint in _SCALARS:
        return _SCALARS[hint]
    inner = next(arg for arg in get_args(hint) if arg not in (NoneType, Ellipsis))
    return pa.list_(_SCALARS[inner]) if Ellipsis in get_args(hint) else _SCALARS[inner]


def _to_array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if values and values.count(values[0]) == len(values):  # most columns of most series
        return pa.concat_arrays([pa.repeat(array([_storable(values[0])], kind)[0], len(values))])
    try:
        return array(values, kind)
    except UnicodeEncodeError:
        return array([_storable(value) for value in values], kind)


def _storable(value: Any) -> Any:
    """Text as UTF-8 can hold it; anything else as it is."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.translate(_ESCAPE).encode("utf-8", "replace").decode()


def _from_column(array: pa.Array) -> list[Any]:
    if isinstance(array.type, pa.ListType):
        values = _from_column(array.flatten())
        lengths = pc.list_value_length(array)  # pyright: ignore[reportAttributeAccessIssue]
        stops = np.cumsum([n or 0 for n in lengths.to_pylist()]).tolist()
        return [tuple(values[start:stop]) for start, stop in zip([0, *stops], stops, strict=False)]
    if array.type == pa.string():
        encoded = array.dictionary_encode()
        words: list[str] = [_restored(word) for word in encoded.dictionary.to_pylist()]
        return [words[index] for index in np.from_dlpack(encoded.indices).tolist()]
    if array.null_count == len(array):
        return [None] * len(array)
    if array.type == pa.bool_():
        return array.to_pylist()
    numbers = np.from_dlpack(array.drop_null()).tolist()  # to_numpy would import pandas where it is installed
    if not array.null_count:
        return numbers
    known = iter(numbers)
    return [next(known) if valid else None for valid in np.from_dlpack(array.is_valid().cast(pa.uint8())).tolist()]


def _restored(word: str) -> str:
    return word if word.isascii() else word.translate(_UNESCAPE)
