"""A table of DICOM keywords in, the same table with the record out: a trial is judged before a pixel is moved."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path

from trialbids.mappings.record import Record
from trialbids.mappings.rules import RuleError, load_rules
from trialbids.mappings.vocabulary import vocabulary

from ..engine import Engine
from ..errors import UsageError
from ..progress import Progress
from .columns import BadCell, Column, find_columns, read_row
from .decide import Judge
from .record import WITH_BVALUES, judged
from .rowstacks import FULL, SPARE, Row, is_cut, merged, modality_of, named_b_values, study_stacks
from .tablefile import ListingFile, check_output, read_listing, write_listing

RECORD_COLUMNS = (*vocabulary(), "confidence", "evidence")
CLASH = "harmonised_"
"""What a column of the record is called where the table has one of its name."""

ROWS_A_UNIT = 1000
SMALL = 3000
"""A table of fewer rows is judged before further processes would have started."""

MOST_SERIES = 500
"""No study has more series; what shares an identifier beyond this is no study and gives no context."""


RuleFile = tuple[str, str]
"""A site's own rules: the path, and a hash of what stands in it, so that no worker keeps rules that have changed."""


@dataclass(frozen=True, slots=True)
class Task:
    """A listing that is ready to be judged: its columns that are read, and a site's own rules."""

    listing: ListingFile
    columns: tuple[Column, ...]
    rules: tuple[RuleFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The cells of the record for one row, the modality by which it was judged ("" where nothing told it), and whether
    it lists more orientations, echo times and flip angles than were judged."""

    number: int
    cells: tuple[str, ...]
    modality: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What a table came to. ``sequences`` and ``unknown`` count rows; ``read`` says which column was taken for which
    attribute; ``without_modality`` counts rows that were judged by their words alone; ``cut_rows`` are the lines of
    those that list more orientations, echo times and flip angles than were judged."""

    rows: int
    answered: int
    unknown: int
    sequences: dict[str, int]
    read: dict[str, str]
    without_modality: int
    bad_cells: tuple[BadCell, ...]
    short_rows: tuple[int, ...]
    crowded_studies: tuple[tuple[str, int], ...]
    cut_rows: tuple[int, ...] = ()


def open_listing(table: Path, output: Path, rules: Sequence[Path] = ()) -> Task:
    """Read a table and check all that can be checked before work begins.

    Raises ``UsageError`` where the table, the rules or the place of the output cannot be used.
    """
    listing = read_listing(table)
    columns = find_columns(listing)
    check_output(output, (table, *rules))
    try:
        load_rules(rules)
    except RuleError as error:
        raise UsageError(str(error)) from error
    return Task(listing, columns, tuple((str(p), sha256(p.read_bytes()).hexdigest()) for p in rules))


def harmonise_listing(task: Task, output: Path, engine: Engine, progress: Progress) -> Summary:
    """Judge every row and write the table with the columns of the record added: same rows, same order.

    A row is a series. Rows that share PatientID and StudyInstanceUID are one study and give each other context, by the
    code that judges files; without a StudyInstanceUID every row stands alone.

    A row need not name its modality: attributes that only MR, CT or PET has tell it. A row of words alone is not taken
    for MR: rules on words decide, also for CT and PET, and what only the modality can tell stays unknown. The summary
    counts such rows. Raises ``UsageError`` where the output cannot be written.
    """
    listing = task.listing
    studies, twins, crowded = studies_of(task)
    judge = partial(judge_unit, task.columns, task.rules, listing.style.separator == ";")
    answers: dict[int, Answer] = {}
    bad: list[BadCell] = []
    progress.start("judging", len(listing.rows))
    for unit, (found, unread) in engine.map(judge, units(studies)):
        answers |= {a.number: a for a in found}
        bad += unread
        progress.advance(sum(len(study.lines) for study in unit))
    progress.done()
    bad += [replace(b, line=line) for b in bad for _, line in twins.get(b.line, ())]
    for first, line in [(line[0], line[1]) for study in studies for line in study.lines if line[1] in twins]:
        answers |= {number: replace(answers[first], number=number) for number, _ in twins[line]}
    added = added_columns(listing.columns)
    rows = ((*row, *answers[n].cells) for n, row in enumerate(listing.rows))
    inputs = (listing.path, *(Path(path) for path, _ in task.rules))
    write_listing(output, (*listing.columns, *added), rows, listing.style, inputs=inputs)
    return summarise(task, answers.values(), bad, crowded)


Line = tuple[int, int, tuple[str, ...]]
"""A row as a worker gets it: its number, its line in the file, its cells in the columns that are read."""


@dataclass(frozen=True, slots=True)
class Study:
    """The rows of one study, or (``crowded``) one of the many that share an identifier which is no study's."""

    lines: list[Line]
    crowded: bool = False


Twins = dict[int, list[tuple[int, int]]]
"""By the line of a row that stands alone: number and line of the rows that say the same, judged once."""


def studies_of(task: Task) -> tuple[list[Study], Twins, tuple[tuple[str, int], ...]]:
    """The rows by study, rows that repeat one that stands alone, and the identifiers that too many rows share."""
    at = {column.attribute: k for k, column in enumerate(task.columns)}
    indices = [column.index for column in task.columns]
    uid, patient = at.get("StudyInstanceUID"), at.get("PatientID")
    studies: dict[tuple[str, ...], list[Line]] = {}
    alone: dict[tuple[str, ...], int] = {}
    twins: Twins = {}
    for number, (row, line) in enumerate(zip(task.listing.rows, task.listing.lines, strict=True)):
        cells = tuple(row[i] for i in indices)
        study = cells[uid].strip() if uid is not None else ""
        if not study and (first := alone.setdefault(cells, line)) != line:
            twins.setdefault(first, []).append((number, line))
            continue
        key = (study, cells[patient].strip() if patient is not None else "") if study else ("", "", str(number))
        studies.setdefault(key, []).append((number, line, cells))
    crowded = {key: len(rows) for key, rows in studies.items() if len(rows) > MOST_SERIES}
    apart = [Study([row], crowded=True) for key in crowded for row in studies.pop(key)]
    return [*map(Study, studies.values()), *apart], twins, tuple((key[0], n) for key, n in crowded.items())


def units(studies: Iterable[Study]) -> Iterator[list[Study]]:
    """Whole studies, about :data:`ROWS_A_UNIT` rows at a time."""
    unit: list[Study] = []
    n_rows = 0
    for study in studies:
        unit.append(study)
        n_rows += len(study.lines)
        if n_rows >= ROWS_A_UNIT:
            yield unit
            unit, n_rows = [], 0
    if unit:
        yield unit


def judge_unit(
    columns: tuple[Column, ...], rules: tuple[RuleFile, ...], decimal_comma: bool, unit: list[Study]
) -> tuple[list[Answer], list[BadCell]]:
    """Judge the rows of some studies."""
    with no_collection():
        return _judge(columns, rules, decimal_comma, unit)


@contextmanager
def no_collection() -> Iterator[None]:
    """Pause the search for cyclic garbage: a unit makes none, and searching what it makes takes a sixth of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _judge(
    columns: tuple[Column, ...], rules: tuple[RuleFile, ...], decimal_comma: bool, unit: list[Study]
) -> tuple[list[Answer], list[BadCell]]:
    bad: list[BadCell] = []
    modalities: dict[int, str] = {}
    records: dict[str, Record] = {}
    of_row: dict[int, list[str]] = {}
    named: dict[int, tuple[float, ...]] = {}
    cut: set[int] = set()
    stacks = []
    for study in unit:
        rows: list[Row] = []
        for number, line, cells in study.lines:
            values, unread = read_row(columns, cells, line, decimal_comma)
            bad += unread
            modalities[number] = modality_of(values)
            if study.crowded:
                values.pop("StudyInstanceUID", None)
            rows.append(Row(number, values, modalities[number]))
        by_row, limit = study_stacks(rows, SPARE if study.crowded else FULL)
        cut |= {row.number for row in rows if is_cut(row, limit)}
        named |= {row.number: b_values for row in rows if (b_values := named_b_values(row))}
        for number, own in by_row:
            of_row[number] = [s.stack_id for s in own]
            stacks += own
    for stack, record, _ in judged(stacks, judge_by(rules)):
        records[stack.stack_id] = record
    answers: list[Answer] = []
    for number, ids in of_row.items():
        record = with_b_values(merged([records[i] for i in ids]), named.get(number, ()))
        answers.append(Answer(number, cells_of(record), modalities[number], number in cut))
    return answers, bad


def with_b_values(record: Record, named: tuple[float, ...]) -> Record:
    """The record with the b-values that the row names, where it is diffusion and they are more than it has."""
    more = record.sequence in WITH_BVALUES and len(named) > len(record.bvalues)
    return replace(record, bvalues=named) if more else record


@lru_cache(maxsize=2)
def judge_by(rules: tuple[RuleFile, ...]) -> Judge:
    """The judge by the built-in rules and a site's files, kept by each worker."""
    return Judge(load_rules([Path(path) for path, _ in rules]))


def cells_of(record: Record) -> tuple[str, ...]:
    """The cells of :data:`RECORD_COLUMNS`; the evidence is the ids of the rules that decided."""
    row = record.to_row() | {"evidence": " ".join(record.evidence)}
    return tuple(row[name] for name in RECORD_COLUMNS)


def added_columns(columns: Sequence[str]) -> list[str]:
    """The names of the record's columns: its own, with ``harmonised_`` before those that the table has already.

    >>> added_columns(["plane", "d"])[:2]
    ['sequence', 'harmonised_plane']
    """
    taken = {name.strip().lower() for name in columns}
    added: list[str] = []
    for name in RECORD_COLUMNS:
        while name.lower() in taken:
            name = CLASH + name
        added.append(name)
    return added


def summarise(
    task: Task, answers: Iterable[Answer], bad: Iterable[BadCell], crowded: tuple[tuple[str, int], ...]
) -> Summary:
    """Count what came out."""
    answers = list(answers)
    sequences = Counter(a.cells[0] for a in answers)
    unknown = sequences["unknown"]
    return Summary(
        rows=len(answers),
        answered=len(answers) - unknown,
        unknown=unknown,
        sequences=dict(sorted(sequences.items(), key=lambda item: (-item[1], item[0]))),
        read={column.name: column.attribute for column in task.columns},
        without_modality=sum(not a.modality for a in answers),
        bad_cells=tuple(sorted(bad, key=lambda b: (b.line, b.column))),
        short_rows=task.listing.short,
        crowded_studies=crowded,
        cut_rows=tuple(task.listing.lines[n] for n in sorted(a.number for a in answers if a.cut)),
    )
