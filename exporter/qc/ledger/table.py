"""Tables of the work folder that people open: read strictly, so that what a slip of the hand damaged is told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from ...errors import UsageError

RESCUE = "put back a copy of it"
MOST_DIGITS = 9
LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table, which knows where it stands."""

    path: Path
    number: int
    cells: dict[str, str]

    def word(self, column: str, words: Sequence[str]) -> str:
        """A cell that is one of a closed list. Raises ``UsageError``."""
        value = self.cells.get(column, "")
        if value not in words:
            raise self.wrong(column, f"one of {', '.join(words)}")
        return value

    def count(self, column: str) -> int:
        """A cell that is a whole number; 0 where it is empty. Raises ``UsageError``."""
        value = self.cells.get(column, "")
        number = whole_number(value or "0")
        if number is None:
            raise self.wrong(column, f"a whole number of {MOST_DIGITS} digits at most")
        return number

    def like(self, column: str, form: re.Pattern[str], expected: str) -> str:
        """A cell of this form. Raises ``UsageError``."""
        value = self.cells.get(column, "")
        if not form.fullmatch(value):
            raise self.wrong(column, expected)
        return value

    def day(self, column: str, *, is_needed: bool = True) -> str:
        """A cell that is a day as YYYY-MM-DD, or empty where it need not be there. Raises ``UsageError``."""
        value = self.cells.get(column, "")
        if (value or is_needed) and not is_day(value):
            raise self.wrong(column, "a day such as 2026-01-31")
        return value

    def moment(self, column: str) -> str:
        """A cell that is a day and an hour. Raises ``UsageError``."""
        value = self.cells.get(column, "")
        try:
            datetime.fromisoformat(value)
        except ValueError as error:
            raise self.wrong(column, "a day and an hour such as 2026-01-31T12:00:00") from error
        return value

    def wrong(self, column: str, expected: str) -> UsageError:
        """The sentence about a cell that is not what it must be."""
        value = self.cells.get(column, "")
        shown = repr(value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}…")
        found = f"is {shown}" if value else "is empty"
        return UsageError(f"{self.path}: line {self.number}: {column} {found}; expected {expected}; {RESCUE}")


def whole_number(text: str) -> int | None:
    """The number that a cell holds; None where it is none, or longer than any count.

    >>> whole_number("12"), whole_number("-1"), whole_number("9" * 5000)
    (12, None, None)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None


def is_day(text: str) -> bool:
    """Whether a text is a day as YYYY-MM-DD.

    >>> is_day("2026-01-31"), is_day("31.01.2026"), is_day("20260131")
    (True, False, False)
    """
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def read_strictly(path: Path, columns: Sequence[str]) -> list[Line]:
    """The lines of a table without quoting that must have these columns and may have more; none where there is no file.

    A byte-order mark and the line ends of Windows are taken as what they are. Raises ``UsageError`` with the line and
    what was expected.
    """
    return list(_lines(path, columns))


def header_of(path: Path) -> list[str]:
    """The columns of a table as they stand in the file; empty where there is no file. Raises ``UsageError``."""
    text = _text(path)
    return text.split("\n", 1)[0].rstrip("\r").split("\t") if text else []


def _lines(path: Path, columns: Sequence[str]) -> Iterator[Line]:
    text = _text(path)
    if text is None:
        return
    head, *lines = (line.rstrip("\r") for line in text.split("\n"))
    names = head.split("\t")
    for name in columns:
        if name not in names:
            raise UsageError(f"{path}: line 1: has no column {name}; expected {', '.join(columns)}; {RESCUE}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"{path}: line 1: the column {twice} stands twice; {RESCUE}")
    for number, line in enumerate(lines, start=2):
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) != len(names):
            why = f"expected {len(names)} cells parted by tabs and found {len(cells)}"
            raise UsageError(f"{path}: line {number}: is not whole: {why}; {RESCUE}")
        yield Line(path, number, dict(zip(names, cells, strict=True)))


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text; {RESCUE}") from error
