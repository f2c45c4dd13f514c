"""Rows whose cells hold records, as rows of plain cells: for tables that have no columns of columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def flat_fields(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Sidecar fields as columns of their own, ``t2.fields`` as ``t2.fields.Manufacturer`` …

    What is not the same kind of value in all samples is JSON.
    """
    flat = [
        {
            name: value
            for column, cell in row.items()
            for name, value in (_entries(column, cell) if column in columns else ((column, cell),))
        }
        for row in rows
    ]
    ends = tuple(f"{column}." for column in columns)
    names = list(dict.fromkeys(name for row in flat for name in row))
    mixed = {name for name in names if name.startswith(ends) and _is_mixed([row.get(name) for row in flat])}
    return [
        {
            name: json.dumps(value) if name in mixed and (value := row.get(name)) is not None else row.get(name)
            for name in names
        }
        for row in flat
    ]


def _entries(column: str, fields: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    return [(f"{column}.{name}", value) for name, value in (fields or {}).items()]


def _is_mixed(cells: Sequence[Any]) -> bool:
    given = [cell for cell in cells if cell is not None]
    parts = [part for cell in given for part in (cell if isinstance(cell, list) else [cell]) if part is not None]
    kinds = {float if isinstance(part, int) and not isinstance(part, bool) else type(part) for part in parts}
    return len({isinstance(cell, list) for cell in given}) > 1 or len(kinds) > 1 or not kinds <= {bool, float, str}
