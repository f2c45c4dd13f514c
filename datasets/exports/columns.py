"""What stands beside the voxels of a sample: ids, targets, times and units, as plain values for a table or a JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..cohorts.rows import HOW_READ
from .parts import plain


def facts(sample: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Every entry of a sample but its files, and how they are read, as values of JSON."""
    files = tuple(keys)
    spent = {*files, *(f"{key}{side}" for key in files for side in HOW_READ)}
    return {name: _value(value) for name, value in sample.items() if name not in spent}


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _value(entry) for name, entry in value.items()}
    return plain(value)


def rows_of(samples: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """The facts of all samples, each with the same columns; what one has not is None."""
    rows = [facts(sample, keys) for sample in samples]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in columns} for row in rows]


def known_type(kind: Any) -> Any:
    """The Arrow type of a column; one without any value is text, and so are the entries of lists that are all empty."""
    import pyarrow as pa

    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(known_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(part.name, known_type(part.type)) for part in kind])
    return kind
