"""The verdicts: the table that a reader fills in, and what may stand in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trialbids.mappings.record import check_value, parse_cell
from trialbids.mappings.vocabulary import vocabulary

from ...errors import UsageError
from ...harmonise.tablefile import ListingFile, read_listing
from ...tables import tsv_bytes
from ..ledger.table import whole_number
from ..names import ASPECTS
from .draw import Draw, Drawn

RIGHT, WRONG, UNSURE, OPEN = "right", "wrong", "unsure", ""
WORDS = (RIGHT, WRONG, UNSURE)
FIXED = ("inspection", "image", "site", "sequence")
FREE = ("corrected_label", "comment", "by")
COLUMNS = (*FIXED, *ASPECTS, *FREE)
LONGEST = 2000
"""Characters of a comment."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader says of one image: a word for every aspect, "" where it was not looked at."""

    image: str
    words: Mapping[str, str]
    corrected_label: str = ""
    comment: str = ""
    by: str = ""

    @property
    def outcome(self) -> str:
        """``wrong`` if anything is, "" while an aspect is left and none is wrong, else ``unsure`` or ``right``.

        >>> Verdict("", {"label": "right", "orientation": "wrong"}).outcome
        'wrong'
        """
        given = [self.words.get(aspect, OPEN) for aspect in ASPECTS]
        return next((word for word in (WRONG, OPEN, UNSURE) if word in given), RIGHT)

    @property
    def is_empty(self) -> bool:
        """Nothing was looked at and nothing said."""
        return not any((*self.words.values(), self.corrected_label, self.comment))


def table_bytes(draw: Draw, taken: Mapping[str, Verdict] | None = None) -> bytes:
    """The table of one draw to fill in, with what was taken in before."""
    given = taken or {}
    return tsv_bytes(COLUMNS, (_row(draw.number, drawn, given.get(drawn.path)) for drawn in draw.images))


def _row(number: int, drawn: Drawn, verdict: Verdict | None) -> dict[str, str]:
    row = {"inspection": str(number), "image": drawn.path, "site": drawn.site, "sequence": drawn.sequence}
    if verdict is None:
        return row
    free = {"corrected_label": verdict.corrected_label, "comment": verdict.comment, "by": verdict.by}
    return row | dict(verdict.words) | free


def read_verdicts(path: Path, draws: Mapping[int, Draw]) -> tuple[Draw, dict[str, Verdict]]:
    """The draw that a filled-in table is about, and its verdicts by image; rows that say nothing are left out.

    Any separator, byte order mark and line end of a spreadsheet will do, rows and columns may stand in any order, and
    rows may be missing. Raises ``UsageError`` with file, line, column and what was expected where a word is none of
    the three, an image is not of that draw or stands twice, or what was drawn was changed.
    """
    if not path.is_file() or not path.stat().st_size:
        state = "is empty" if path.is_file() else "there is no such file"
        raise UsageError(f"{path}: {state}; give the verdicts.tsv that was filled in")
    table = read_listing(path)
    _check_columns(table)
    draw = _draw_of(table, draws)
    return draw, checked(path, _rows(table), draw, draws)


def checked(
    path: Path, rows: Iterable[tuple[int, Mapping[str, str]]], draw: Draw, draws: Mapping[int, Draw] | None = None
) -> dict[str, Verdict]:
    """The verdicts of rows, each with its line, by image; rows that say nothing are left out.

    Raises ``UsageError`` as :func:`read_verdicts` does; ``draws`` are those in which a strange image is looked for.
    """
    drawn = {image.path: image for image in draw.images}
    lines: dict[str, int] = {}
    verdicts: dict[str, Verdict] = {}
    for line, row in rows:
        where = f"{path}: line {line}"
        image = row["image"]
        if whole_number(row["inspection"]) != draw.number:
            raise UsageError(f"{where}: column inspection: {row['inspection'][:20]!r}: expected {draw.number}")
        if image not in drawn:
            other = next((n for n, d in (draws or {}).items() if any(i.path == image for i in d.images)), None)
            hint = f"; that image is of inspection {other}" if other else "; give the column back as it was"
            raise UsageError(f"{where}: column image: is no image of inspection {draw.number}{hint}")
        if image in lines:
            raise UsageError(f"{where}: column image: stands in line {lines[image]} already; leave one of the two")
        lines[image] = line
        _check_fixed(where, row, drawn[image])
        verdict = _verdict(where, row)
        if not verdict.is_empty:
            verdicts[image] = verdict
    return verdicts


def _rows(table: ListingFile) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and cells of every row that holds anything; a column that is not there is empty."""
    names = [name.strip() for name in table.columns]
    for line, cells in zip(table.lines, table.rows, strict=True):
        row = dict.fromkeys(COLUMNS, "") | {n: c.strip() for n, c in zip(names, cells, strict=True) if n}
        if any(row.values()):
            yield line, row


def _check_columns(table: ListingFile) -> None:
    names = [name.strip() for name in table.columns]
    missing = next((name for name in (*FIXED, *ASPECTS) if name not in names), None)
    if missing is not None:
        raise UsageError(f"{table.path}: line 1: has no column {missing}; expected {', '.join(COLUMNS)}")
    strange = next((name for name in names if name and name not in COLUMNS), None)
    if strange is not None:
        raise UsageError(f"{table.path}: line 1: column {strange[:40]!r}: expected {', '.join(COLUMNS)} and no other")


def _draw_of(table: ListingFile, draws: Mapping[int, Draw]) -> Draw:
    """The one draw that all rows name."""
    known = ", ".join(map(str, sorted(draws))) or "none so far"
    first: tuple[int, int] | None = None
    for line, row in _rows(table):
        word = row["inspection"]
        where = f"{table.path}: line {line}: column inspection"
        number = whole_number(word)
        if number is None or number not in draws:
            raise UsageError(f"{where}: {word[:20]!r}: there is no such inspection of this trial; there are {known}")
        if first is not None and number != first[1]:
            raise UsageError(f"{where}: {word}: line {first[0]} says {first[1]}; a file holds one inspection")
        first = first or (line, number)
    if first is None:
        raise UsageError(f"{table.path}: line 2: holds no rows; expected one for each image of an inspection")
    return draws[first[1]]


def _check_fixed(where: str, row: Mapping[str, str], drawn: Drawn) -> None:
    for name, was in (("site", drawn.site), ("sequence", drawn.sequence)):
        if row[name] != was:
            raise UsageError(f"{where}: column {name}: {row[name][:40]!r}: expected {was!r}, as it was drawn")


def _verdict(where: str, row: Mapping[str, str]) -> Verdict:
    words: dict[str, str] = {}
    for aspect in ASPECTS:
        word = row[aspect].casefold()
        if word not in (*WORDS, OPEN):
            said = f"{row[aspect][:40]!r}: expected right, wrong, unsure or nothing"
            raise UsageError(f"{where}: column {aspect}: {said}")
        words[aspect] = word
    corrected = row["corrected_label"]
    if corrected and words["label"] != WRONG:
        raise UsageError(f"{where}: column corrected_label: stands beside a label that is not wrong; expected nothing")
    _check_label(f"{where}: column corrected_label", corrected.split())
    if len(row["comment"]) > LONGEST:
        raise UsageError(f"{where}: column comment: expected at most {LONGEST:,} characters")
    return Verdict(row["image"], words, corrected, row["comment"], row["by"])


def _check_label(where: str, words: Iterable[str]) -> None:
    """Every word is a sequence, or an attribute of the record with a value of its vocabulary."""
    sequences = vocabulary()["sequence"].values
    for word in words:
        name, equals, value = word.partition("=")
        if not equals and word in sequences:
            continue
        attribute = vocabulary().get(name) if equals else None
        if attribute is None:
            expected = f"a sequence ({', '.join(sequences[:3])} …) or attribute=value, such as plane=sag"
            raise UsageError(f"{where}: {word[:40]!r}: expected {expected}")
        try:
            cell = parse_cell(name, value.replace(",", " "), attribute.kind)
            check_value(name, cell, attribute.kind, attribute.values)
        except ValueError as error:
            legal = ", ".join(attribute.values) or "numbers, parted by commas"
            raise UsageError(f"{where}: {word[:40]!r}: expected one of {legal}") from error
