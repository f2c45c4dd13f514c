"""Tab-separated tables on disk, read and written whole."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import UsageError


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file by a temporary neighbour and one rename: a reader sees the old bytes or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def tsv_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, str]], *, empty: str = "") -> bytes:
    """A table as bytes; tabs and line ends inside a cell become spaces, missing cells become ``empty``."""
    lines = ["\t".join(columns)]
    lines += ["\t".join(_plain(row.get(c) or empty) for c in columns) for row in rows]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _plain(cell: str) -> str:
    return " ".join(cell.split()) if any(c in cell for c in "\t\r\n\0\x0b\x0c\x85\u2028\u2029") else cell


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Rows of a table that :func:`tsv_bytes` wrote: no quoting, whatever a cell holds."""
    head, *lines = path.read_bytes().decode("utf-8").split("\n")
    columns = head.split("\t")
    return [dict(zip(columns, line.split("\t"), strict=True)) for line in lines if line]


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV or TSV with a header, the separator (comma, semicolon, tab) told from the header line.

    Raises ``UsageError`` where it cannot be read or a row has too many cells.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: this is not UTF-8 text; save it as CSV UTF-8") from error
    head = text.partition("\n")[0]
    separator = max("\t;,", key=head.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=separator)
    rows = []
    for number, row in enumerate(reader, start=2):
        if None in row:
            raise UsageError(f"{path}: line {number}: more cells than the header has columns")
        rows.append({k.strip(): (v or "").strip() for k, v in row.items() if k is not None})
    return rows


def json_bytes(value: Any) -> bytes:
    """JSON as the tree holds it: indented, UTF-8, a line end."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
