"""The annotations table: which mask was drawn on which series, by whom (as a code) and how."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..tables import plain, read_table, read_tsv, tsv_bytes, write_atomic

COLUMNS = ("file", "series_uid", "label", "reader", "method")
METHODS = ("manual", "semiautomatic", "automatic")


@dataclass(frozen=True, slots=True)
class MaskRow:
    """One line of the annotations table; ``reader`` is the public code (``R1``), never the name."""

    line: int
    file: Path
    series_uid: str
    label: str
    reader: str
    method: str

    @property
    def state(self) -> str:
        """Names what the mask is made from: it changes when the line or the file does."""
        try:
            stat = self.file.stat()
        except (OSError, ValueError):  # ValueError: no path can be so, such as one with a null character
            return f"{self.series_uid} {self.label} {self.reader} {self.method} absent"
        return f"{self.series_uid} {self.label} {self.reader} {self.method} {stat.st_size} {stat.st_mtime_ns}"


def read_masks(table: Path, codes: Path) -> tuple[MaskRow, ...]:
    """The annotations table, with readers replaced by codes that stay in ``codes`` (private).

    Raises ``UsageError`` naming the line of a missing column, file or illegal label.
    """
    rows = read_table(table)
    for name in COLUMNS:
        if rows and name not in rows[0]:
            raise UsageError(f"{table}: has no column {name}; its columns are {', '.join(rows[0])}")
    code_of = _reader_codes(codes, [plain(r["reader"]) for r in rows])
    out = []
    for line, row in enumerate(rows, start=2):
        if not re.fullmatch(r"[0-9A-Za-z]+", row["label"]):
            raise UsageError(f"{table}: line {line}: label: letters and digits only")
        if row["method"] not in METHODS:
            raise UsageError(f"{table}: line {line}: method: expected one of {', '.join(METHODS)}")
        file = table.parent / row["file"]
        out.append(MaskRow(line, file, row["series_uid"], row["label"], code_of[plain(row["reader"])], row["method"]))
    return tuple(out)


def _reader_codes(path: Path, readers: Sequence[str]) -> Mapping[str, str]:
    """Codes R1, R2 … in the order of first appearance; codes once given stay."""
    codes = {r["reader"]: r["code"] for r in read_tsv(path)} if path.exists() else {}
    for reader in dict.fromkeys(readers):
        codes.setdefault(reader, f"R{len(codes) + 1}")
    write_atomic(path, tsv_bytes(("code", "reader"), [{"code": c, "reader": r} for r, c in codes.items()]))
    return codes
