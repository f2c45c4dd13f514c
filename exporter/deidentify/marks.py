"""Marks that a person sets on values in the review: what may leave although no pattern lists it, and what may not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trialbids.mappings.fields import AllowList, Field

from ..errors import UsageError
from ..stacks.stack import Stack
from ..tables import CONTROL, read_tsv, tsv_bytes, write_private

MARKS_FILE = "marks.tsv"
COLUMNS = ("field", "value", "mark", "by", "date")
OK, NO = "ok", "no"
LONGEST = 64
"""Letters: what a site types into a name of a coil or a sequence is shorter, a sentence about a patient is not."""

EDITABLE_ACTIONS = ("pattern", "words")

PIXELS = Field("text-in-pixels", "pixels", "words")
"""Not of the header: its values are the ids of stacks in which text was detected, to be released after a look. The
keyword is also the reason for which they are held back."""

IDENTIFIERS = Field("known-identifier", "identifiers", "words")
"""Not of the header either: forms of known identifiers that were found in what was to be released, and that a person
knows to be no identifiers there, such as a surname that is a word of a README."""


def reviewable(allowed: AllowList) -> dict[str, Field]:
    """Everything whose values a person can mark, by keyword."""
    return {field.keyword: field for field in (*allowed.fields, PIXELS, IDENTIFIERS)}


@dataclass(frozen=True, slots=True)
class Mark:
    """What a person said of one value of one field (a DICOM keyword): ``ok`` or ``no``; ``date`` is ISO 8601."""

    field: str
    value: str
    mark: str
    by: str
    date: str


@dataclass(frozen=True, slots=True)
class Marks:
    """Pairs (field, value) that may leave although the list stops them, and those that may not although it would."""

    accepted: frozenset[tuple[str, str]] = frozenset()
    rejected: frozenset[tuple[str, str]] = frozenset()

    def lets(self, field: Field, text: str) -> bool:
        """May this text leave as it is?"""
        return self.allows(field.keyword, text, field.passes(text))

    def allows(self, keyword: str, text: str, listed: bool) -> bool:
        """May this text of a field leave, which a list knows or not?"""
        return not self.stops(keyword, text) and (listed or (keyword, text) in self.accepted)

    def stops(self, keyword: str, text: str) -> bool:
        """Has a person said that this text of a field may not leave?"""
        return (keyword, text) in self.rejected

    @property
    def forms(self) -> frozenset[str]:
        """Forms of known identifiers that are not searched for, because a person said so."""
        return frozenset(value for keyword, value in self.accepted if keyword == IDENTIFIERS.keyword)

    @property
    def stacks(self) -> frozenset[str]:
        """Stacks in which text was detected, and that a person let leave."""
        return frozenset(value for keyword, value in self.accepted if keyword == PIXELS.keyword)

    def was_looked_at(self, stack: Stack) -> bool:
        """Has a person looked at the text that was detected in a stack, and let it leave?"""
        return stack.stack_id in self.stacks

    def on(self, stack: Stack) -> tuple[str, ...]:
        """The marks that decide what is told of a stack: they belong to the fingerprint of its session."""
        pairs = sorted((keyword, text, mark) for mark, said in self._said() for keyword, text in said)
        values: dict[str, frozenset[str]] = {}
        for keyword, _, _ in pairs:
            if keyword not in values:
                own = keyword == PIXELS.keyword
                values[keyword] = _texts(
                    [stack.stack_id] if own else [getattr(i, keyword, "") for i in stack.instances]
                )
        return tuple(f"{mark} {keyword} {text}" for keyword, text, mark in pairs if text in values[keyword])

    def _said(self) -> tuple[tuple[str, frozenset[tuple[str, str]]], ...]:
        return (OK, self.accepted), (NO, self.rejected)


def joined(words: Sequence[str]) -> str:
    """Several words of one field as they leave together."""
    return "_".join(words)


def _texts(values: Iterable[object]) -> frozenset[str]:
    """Every text that is judged of these values of one field: the words, and the words joined."""
    found: set[str] = set()
    for value in set(values):
        parts = [str(v) for v in value] if isinstance(value, tuple) else [str(value)]
        found |= {*parts, joined(parts)}
    return frozenset(found)


def value_id(field: str, value: str) -> str:
    """Names a pair of field and value in the review, whatever a spreadsheet makes of the value.

    >>> value_id("SequenceName", "*tse2d1_25")
    'vdcb3bddade'
    """
    return "v" + hashlib.sha256(f"{field}\0{value}".encode("utf-8", "surrogatepass")).hexdigest()[:10]


def hindrance(field: Field | None, value: str, is_identifier: Callable[[str], bool]) -> str:
    """Why a value that the list stops may not be accepted all the same; "" where it may."""
    if field is None or field.action not in EDITABLE_ACTIONS:
        return "only values of text fields of the allow-list can be accepted, and this is none"
    if len(value) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    if not value.isprintable() or CONTROL.search(value):
        return "it holds a control or an invisible character"
    if field != IDENTIFIERS and is_identifier(value):
        return "it is, or holds, a known identifier of a participant"
    return ""


def read_marks(path: Path) -> tuple[Mark, ...]:
    """All marks ever set, the oldest first; empty where there is no file yet.

    Raises ``UsageError`` with the line that cannot be used.
    """
    try:
        rows = read_tsv(path) if path.exists() else []
        marks = tuple(_mark(row) for row in rows)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path}: the list of marks is damaged; put back a copy of it") from error
    for line, mark in enumerate(marks, start=2):
        if mark.mark not in (OK, NO):
            raise UsageError(f"{path}: line {line}: the mark is {mark.mark!r}; it is {OK} or {NO}")
    return marks


def write_marks(path: Path, marks: Iterable[Mark]) -> None:
    """Write the whole history, in one atomic write; it is private."""
    rows = [{"field": m.field, "value": _quoted(m.value), "mark": m.mark, "by": m.by, "date": m.date} for m in marks]
    write_private(path, tsv_bytes(COLUMNS, rows))


def newest(marks: Sequence[Mark]) -> dict[tuple[str, str], Mark]:
    """The last mark of each pair of field and value."""
    return {(m.field, m.value): m for m in marks}


def in_force(marks: Sequence[Mark], allowed: AllowList, is_identifier: Callable[[str], bool]) -> Marks:
    """The marks as an export uses them.

    An accepted value is looked at again: one that has become a known identifier since, or whose field was taken from
    the list, is not let out.
    """
    fields = reviewable(allowed)
    accepted, rejected = set[tuple[str, str]](), set[tuple[str, str]]()
    for (keyword, value), mark in newest(marks).items():
        field = fields.get(keyword)
        if field is None:
            continue
        if mark.mark == NO:
            rejected.add((keyword, value))
        elif not field.passes(value) and not hindrance(field, value, is_identifier):
            accepted.add((keyword, value))
    return Marks(frozenset(accepted), frozenset(rejected))


def _mark(row: dict[str, str]) -> Mark:
    return Mark(row["field"], _unquoted(row["value"]), row["mark"], row["by"], row["date"])


def _quoted(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def _unquoted(text: str) -> str:
    return text.encode("ascii").decode("unicode_escape")
