"""The review of values of one trial: written for a person to mark, and read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..deidentify.kept import read_kept
from ..deidentify.marks import IDENTIFIERS, MARKS_FILE, PIXELS, Mark, read_marks, write_marks
from ..deidentify.options import options_of
from ..deidentify.values import REVIEW_FILE, STOPPED, Line, Rules, Stopped, new_marks, review_lines, write_review
from ..errors import UsageError
from ..trial import Trial
from .guard import identifier_test, remembered_identifiers
from .session import Sessions
from .verify import read_leaks, subject_of


@dataclass(frozen=True, slots=True)
class Sheet:
    """A marked copy of the table: whose marks they are and when they were given back (ISO 8601)."""

    path: Path
    by: str
    date: str


@dataclass(frozen=True, slots=True)
class ValueReview:
    """What a review came to: the table's place, its lines, and the marks that this run took."""

    table: Path
    lines: tuple[Line, ...]
    taken: tuple[Mark, ...]

    @property
    def n_stopped(self) -> int:
        """How many of the lines are values that the allow-list stopped."""
        return sum(line.stands == STOPPED for line in self.lines)

    @property
    def n_unmarked(self) -> int:
        """How many lines nobody has marked."""
        return sum(line.mark is None for line in self.lines)


def review_values(trial: Trial, sheet: Sheet | None = None) -> ValueReview:
    """Write the table of all values that left or were stopped; the marks of ``sheet`` are taken first, if there is one.

    Raises ``UsageError`` where nothing was exported yet, or a mark cannot be taken; then none is.
    """
    if not trial.output.is_dir():
        raise UsageError(f"{trial.output}: nothing was exported yet; run trialbids export first")
    allowed = options_of(trial).allowed
    rules = Rules(allowed, identifier_test(remembered_identifiers(trial.work)))
    kept, stopped = read_kept(trial.output, allowed), tuple(_stopped(trial))
    marks = read_marks(trial.work / MARKS_FILE)
    taken: tuple[Mark, ...] = ()
    if sheet is not None:
        before = review_lines(kept, stopped, marks, rules)
        taken = new_marks(sheet.path, before, marks, rules, by=sheet.by, date=sheet.date)
        marks = (*marks, *taken)
        write_marks(trial.work / MARKS_FILE, marks)
    lines = review_lines(kept, stopped, marks, rules)
    write_review(trial.work / REVIEW_FILE, lines)
    return ValueReview(trial.work / REVIEW_FILE, lines, taken)


def _stopped(trial: Trial) -> Iterator[Stopped]:
    for leak in read_leaks(trial.work):
        if leak.form:
            yield Stopped(IDENTIFIERS.keyword, leak.form, subject_of(leak.path))
    for fragment in Sessions(trial.work, trial.output).known().values():
        for result in fragment.results:
            if result.reason == PIXELS.keyword:
                yield Stopped(PIXELS.keyword, result.stack_id, fragment.visit.subject)
            for keyword, value in set(result.dropped):
                yield Stopped(keyword, value, fragment.visit.subject)
