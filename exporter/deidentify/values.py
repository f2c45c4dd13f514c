"""The review of values: one line for each distinct value that left or was stopped, for a person to mark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from trialbids.mappings.fields import AllowList

from ..errors import UsageError
from ..harmonise.tablefile import read_listing
from ..review.values import same
from ..tables import plain, tsv_bytes, write_private
from .kept import Kept
from .marks import EDITABLE_ACTIONS, LONGEST, NO, OK, Mark, hindrance, newest, reviewable, value_id

REVIEW_FILE = "review-values.tsv"
COLUMNS = ("id", "mark", "stands", "field", "value", "images", "subjects", "note", "by", "date")
RELEASED, STOPPED = "released", "stopped"
FORMULA_SIGNS = ("=", "+", "-", "@")
"""A spreadsheet would run a cell that begins so; it is shown after an apostrophe."""

MOST_SENTENCES = 20
NUMBERS = "numbers are not marked one by one; leave the field out in trial.yaml (fields: drop)"
CLOSED = "only values of text fields of the allow-list are marked"


@dataclass(frozen=True, slots=True)
class Stopped:
    """A value that the allow-list stopped in one image of one participant (a label)."""

    field: str
    value: str
    subject: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the review. Private: a stopped value stands here as the header has it.

    ``field`` is a DICOM keyword; ``images`` and ``subjects`` count where the value occurs; ``note`` says what a mark
    would do, or why it would do nothing.
    """

    stands: str
    field: str
    value: str
    images: int
    subjects: int
    mark: Mark | None
    note: str

    @property
    def id(self) -> str:
        """What names the line when it is read back."""
        return value_id(self.field, self.value)


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides whether a mark is possible: the trial's allow-list, and who knows the participants' identifiers."""

    allowed: AllowList
    is_identifier: Callable[[str], bool]


def review_lines(kept: Kept, stopped: Iterable[Stopped], marks: Sequence[Mark], rules: Rules) -> tuple[Line, ...]:
    """All values, those first that need a look: stopped ones that could leave, then rare ones that do.

    Numbers take one line a field, with their range: there are too many, and none is longer than five digits.
    """
    said = newest(marks)
    actions = {f.keyword: f.action for f in rules.allowed.fields}
    lines = [
        Line(RELEASED, v.field, v.value, v.images, v.subjects, said.get((v.field, v.value)), "matches the list")
        for v in kept.texts
        if actions.get(v.field) in EDITABLE_ACTIONS
    ]
    for n in kept.numbers:
        if actions.get(n.field) == "number":
            lines.append(Line(RELEASED, n.field, n.shown, n.images, n.subjects, None, NUMBERS))
    lines += _stopped(stopped, said, rules)
    return tuple(sorted(lines, key=lambda line: _rank(line, actions)))


def _stopped(stopped: Iterable[Stopped], said: Mapping[tuple[str, str], Mark], rules: Rules) -> list[Line]:
    fields = reviewable(rules.allowed)
    images: dict[tuple[str, str], int] = defaultdict(int)
    subjects: dict[tuple[str, str], set[str]] = defaultdict(set)
    for s in stopped:
        images[s.field, s.value] += 1
        subjects[s.field, s.value].add(s.subject)
    lines = []
    for (field, value), n in images.items():
        why = hindrance(fields.get(field), value, rules.is_identifier)
        note = f"cannot be accepted: {why}" if why else f"{OK} lets it leave at the next export"
        lines.append(Line(STOPPED, field, value, n, len(subjects[field, value]), said.get((field, value)), note))
    return lines


def _rank(line: Line, actions: Mapping[str, str]) -> tuple[object, ...]:
    """What needs a look first: lost science by how many images lost it, then what leaves, the rarest first."""
    if line.mark is not None:
        place, size = 5, 0
    elif line.stands == STOPPED:
        place, size = (4, 0) if line.note.startswith("cannot") else (0, -line.images)
    elif actions.get(line.field) == "number":
        place, size = 3, 0
    else:
        place, size = (1 if actions.get(line.field) == "pattern" else 2), line.subjects
    return place, size, line.field, line.value, line.stands


def write_review(path: Path, lines: Iterable[Line]) -> None:
    """Write the table; it is private, and only its owner may read it."""
    rows = [
        {
            "id": line.id,
            "mark": line.mark.mark if line.mark else "",
            "stands": line.stands,
            "field": line.field,
            "value": shown(line.value),
            "images": str(line.images),
            "subjects": str(line.subjects),
            "note": line.note,
            "by": line.mark.by if line.mark else "",
            "date": line.mark.date if line.mark else "",
        }
        for line in lines
    ]
    write_private(path, tsv_bytes(COLUMNS, rows))


def shown(value: str) -> str:
    """A value as it stands in the table: one line, not too long, and no formula."""
    text = plain(value)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(value)} characters)"
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def new_marks(
    path: Path, lines: Iterable[Line], marks: Sequence[Mark], rules: Rules, *, by: str, date: str
) -> tuple[Mark, ...]:
    """The marks that an edited copy of the table adds to those already set; ``date`` is ISO 8601.

    An empty mark says nothing: what was marked is taken back with the other word. Raises ``UsageError`` with one
    sentence for each row that cannot be used; then nothing of the file is to be used.
    """
    known = {line.id: line for line in lines}
    said = newest(marks)
    found: dict[tuple[str, str], Mark] = {}
    problems: list[str] = []
    for number, row in _rows(path):
        word = row["mark"].strip().casefold()
        if not word:
            continue
        line = known.get(row["id"].strip())
        why = _problem(row, word, line, rules)
        if line is None or why:
            problems.append(f"{path}: line {number}: {why}")
            continue
        pair = (line.field, line.value)
        if pair in found and found[pair].mark != word:
            problems.append(f"{path}: line {number}: this value of {line.field} is marked {OK} and {NO}; decide on one")
        elif pair not in said or said[pair].mark != word:
            found[pair] = Mark(*pair, word, by, date)
    if problems:
        _refuse(path, problems)
    return tuple(found.values())


def _problem(row: Mapping[str, str], word: str, line: Line | None, rules: Rules) -> str:
    """Why the mark of a row cannot be taken; "" where it can."""
    if word not in (OK, NO):
        return f"the mark is {word[:40]!r}; write {OK} or {NO}, or nothing"
    if line is None:
        return "no value has this id now; write the table anew and set the mark there"
    if ("field" in row and row["field"].strip() != line.field) or ("value" in row and not _is(line, row["value"])):
        what = "field and value are not those of this id; the program that saved the file changed them, or one column"
        return f"{what} was sorted alone: open the table with all columns as text, and set the mark again"
    field = reviewable(rules.allowed).get(line.field)
    if line.note == NUMBERS:
        return NUMBERS
    if field is None or field.action not in EDITABLE_ACTIONS:
        return CLOSED
    if word == OK and not field.passes(line.value):
        why = hindrance(field, line.value, rules.is_identifier)
        return why and f"this value of {line.field} cannot be accepted: {why}"
    return ""


def _is(line: Line, cell: str) -> bool:
    return same(shown(line.value).lstrip("'"), cell.strip().lstrip("'"))


def _rows(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    """Rows of the edited copy with their lines, by the names of the columns in small letters."""
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; give the edited copy of {REVIEW_FILE}")
    table = read_listing(path)
    names = [name.strip().casefold() for name in table.columns]
    for name in ("id", "mark"):
        if name not in names:
            raise UsageError(f"{path}: line 1: has no column {name}; copy {REVIEW_FILE} anew")
    for number, cells in zip(table.lines, table.rows, strict=True):
        yield number, dict(zip(names, cells, strict=True))


def _refuse(path: Path, problems: Sequence[str]) -> NoReturn:
    more = len(problems) - MOST_SENTENCES
    rest = [f"{path}: and {more} more"] if more > 0 else []
    raise UsageError("\n".join([*problems[:MOST_SENTENCES], *rest, "No mark was taken."]))
