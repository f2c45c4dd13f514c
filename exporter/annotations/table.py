"""The annotations table: what was drawn on which image, by whom and how; masks by file, boxes and points by numbers."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialbids.mappings.imageterms import read_term
from trialbids.mappings.labels import LEGAL_NAME, Label, Labels

from ..errors import UsageError
from ..tables import read_table
from .files import drawn_in, state_of
from .readers import Readers
from .region import METHODS, Drawing, ImageWords, Marked, Method, Region, Target

REQUIRED = ("label", "reader", "method")
LOW, HIGH = ("x1", "y1", "z1"), ("x2", "y2", "z2")
OPTIONAL = (
    *("file", "series_uid", "subject", "visit", "image", "value", "lesion", "set", "sop_uid"),
    *LOW,
    *HIGH,
)
WHOLE = re.compile(r"[1-9]\d{0,2}")
WORD = re.compile(r"[^\s,;]+")


def read_drawings(table: Path, labels: Labels, readers: Readers) -> tuple[Drawing, ...]:
    """Everything that the table lists, in its order.

    A line with a ``file`` is a mask; one with ``x1 … z2`` a box, with ``x1 … z1`` alone a point. Raises ``UsageError``
    naming the line of a missing column or an illegal cell; the cell itself, which may hold a name, is not repeated.
    """
    rows = read_table(table)
    columns = tuple(rows[0]) if rows else REQUIRED
    for name in REQUIRED:
        if name not in columns:
            raise UsageError(f"{table}: has no column {name}; its columns are {', '.join(columns)}")
    if "series_uid" not in columns and "image" not in columns:
        raise UsageError(f"{table}: has no column series_uid, nor subject, visit and image; one must say which image")
    lines = [_Line(table, number, row, labels, readers) for number, row in enumerate(rows, start=2)]
    shared = Counter(row.get("file", "") for row in rows if row.get("value"))
    return tuple(line.drawing(is_shared=shared[line.cell("file")] > 1) for line in lines)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the table, on its way to a drawing."""

    table: Path
    number: int
    row: Mapping[str, str]
    labels: Labels
    readers: Readers

    def cell(self, name: str) -> str:
        return self.row.get(name, "")

    def wrong(self, sentence: str) -> UsageError:
        return UsageError(f"{self.table}: line {self.number}: {sentence}")

    def drawing(self, *, is_shared: bool) -> Drawing:
        """The line's mask, box or point; ``is_shared`` where other lines take other values from its file."""
        if self.cell("file"):
            return self._region(is_shared)
        low = self._corner(LOW)
        if low is None:
            raise self.wrong("neither a file nor x1, y1 and z1: give one")
        high = self._corner(HIGH)
        return Marked(**self._common(), low=low, high=high, sop_uid=self.cell("sop_uid"), state=repr((low, high)))

    def _region(self, is_shared: bool) -> Region:
        file = self.table.parent / self.cell("file")
        value = self._whole("value")
        set_name = self.cell("set") or "labels"
        if not LEGAL_NAME.fullmatch(set_name):
            raise self.wrong("set: letters and digits only")
        return Region(
            **self._common(),
            shape=drawn_in(file, value),
            state=f"{value} {set_name} {is_shared} {state_of(file)}",
            source=self.cell("file") if is_shared else "",
            set=set_name,
            value=value or 1,
        )

    def _common(self) -> dict[str, Any]:
        return {
            "origin": f"line {self.number}",
            "rank": ("", self.number),
            "target": self._target(),
            "label": (label := self._label()),
            "said": self.cell("label"),
            "is_listed": self.labels.named(label.name) is not None,
            "lesion": self._whole("lesion"),
            "reader": self.readers.code(self.cell("reader")),
            "method": self._method(),
        }

    def _target(self) -> Target:
        subject, series = self.cell("subject"), self.cell("series_uid")
        if series or self.cell("sop_uid"):
            instances = frozenset(filter(None, [self.cell("sop_uid")]))
            return Target(series_uids=(series,) if series else (), instances=instances, subject=subject)
        if not subject or not self.cell("image"):
            raise self.wrong("which image? Give series_uid, or subject, visit and image (such as T2w ax)")
        try:
            term = read_term(WORD.findall(self.cell("image")), {})
        except ValueError as error:
            raise self.wrong(f"image: expected words of the vocabulary, such as T2w ax ({_legal(error)})") from error
        return Target(words=ImageWords(subject=subject, visit=self.cell("visit"), term=term), subject=subject)

    def _label(self) -> Label:
        name = self.cell("label")
        if not LEGAL_NAME.fullmatch(name):
            raise self.wrong("label: letters and digits only, 32 at most")
        return self.labels.named(name) or Label(name)

    def _method(self) -> Method:
        for method in METHODS:
            if self.cell("method") == method:
                return method
        raise self.wrong(f"method: expected one of {', '.join(METHODS)}")

    def _whole(self, name: str) -> int | None:
        cell = self.cell(name)
        if not cell:
            return None
        if not WHOLE.fullmatch(cell):
            raise self.wrong(f"{name}: expected a whole number from 1 to 999")
        return int(cell)

    def _corner(self, names: Sequence[str]) -> tuple[float, float, float] | None:
        cells = [self.cell(name) for name in names]
        if not any(cells):
            return None
        if self.cell("sop_uid") and not cells[2]:
            cells[2] = "0"
        try:
            x, y, z = map(float, cells)
        except ValueError as error:
            raise self.wrong(f"{', '.join(names)}: expected a number in each, with a point for decimals") from error
        if not all(map(math.isfinite, (x, y, z))):
            raise self.wrong(f"{', '.join(names)}: expected finite numbers")
        return x, y, z


def _legal(error: ValueError) -> str:
    """What a refusal lists as legal, without the word that was refused."""
    return str(error).partition("; ")[2] or "one of them is none"
