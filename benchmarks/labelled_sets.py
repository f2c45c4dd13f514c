"""Labelled sets for the benchmark: tables of headers, and real DICOM with its hand-made truth.

A set knows its instances, how to harmonise a changed copy of them, and how to judge the records.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from judging import RIGHT, SILENT, UNVERIFIABLE, WRONG, Cell, judge_cell
from perturb import KEPT, SWAPPED, Changes, changed, held

from trialbids.exporter.harmonise.columns import find_columns, read_row
from trialbids.exporter.harmonise.decide import Decision, Judge
from trialbids.exporter.harmonise.facts import vendor
from trialbids.exporter.harmonise.record import judged
from trialbids.exporter.harmonise.rowstacks import Row, merged, modality_of, study_stacks
from trialbids.exporter.harmonise.tablefile import ListingFile, Style
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.objects import pixel_digest
from trialbids.exporter.stacks import stack_instances
from trialbids.exporter.stacks.stack import Stack
from trialbids.mappings.record import Record

TRUTH = "truth_"
JUDGED_ATTRIBUTES = ("sequence", "plane", "technique", "fatsat", "dixon", "derived", "agent", "bodypart")
NAMES_FILE = "dev_idc_mr_descriptions_unlabelled.csv"


@dataclass(frozen=True, slots=True)
class Answer:
    """The record of one stack or of one row of a table, with the decisions behind it.

    ``key`` names the row, or the series of the stack. ``plan`` is the row of ``plan.tsv`` for stacks of real files.
    """

    key: str
    record: Record
    decisions: tuple[Decision, ...]
    plan: Mapping[str, str] = field(default_factory=dict)


class TableSet:
    """Rows of DICOM keywords with their truth, judged by the road of ``trialbids harmonise --table``.

    Each row is a series; rows of one ``study`` give each other context.
    """

    def __init__(self, name: str, rows: Sequence[Mapping[str, str]]) -> None:
        self.name = name
        self.rows = {f"row:{n}": row for n, row in enumerate(rows)}
        self.study = {key: row.get("study") or key for key, row in self.rows.items()}
        heads = tuple(name for name in (rows[0] if rows else ()) if not name.startswith(TRUTH))
        self._columns = find_columns(ListingFile(Path(name), heads, (), (), (), Style())) if heads else ()
        self._values = {key: self._read(key) for key in self.rows}
        self.held = {key: frozenset(values) - KEPT for key, values in self._values.items()}
        self.texts = {key: tuple(v.get(name, "") for name in SWAPPED) for key, v in self._values.items()}

    def _read(self, key: str) -> dict[str, Any]:
        row = self.rows[key]
        values, _ = read_row(self._columns, [row[c.name] or "" for c in self._columns], 0, False)
        return values | {"StudyInstanceUID": self.study[key], "SeriesInstanceUID": key}

    @property
    def has_headers(self) -> bool:
        """Whether the rows hold more than text: timing at least."""
        return any("RepetitionTime" in values for values in self._values.values())

    def of_modality(self, modality: str) -> TableSet:
        """The rows of one modality alone."""
        rows = [row for row in self.rows.values() if (row.get("Modality") or modality) == modality]
        return TableSet(f"{self.name}, {modality}", rows)

    def shown(self, key: str) -> str:
        """What a reader of the row sees first."""
        return f"{self.rows[key].get('SeriesDescription', '')!r} {self.rows[key].get('Manufacturer', '')}"

    def answer(self, keys: Sequence[str], changes: Mapping[str, Changes], judge: Judge) -> list[Answer]:
        """The records of the rows of whole studies, after changes to some."""
        by_study: dict[str, list[Row]] = defaultdict(list)
        for number, key in enumerate(keys):
            values = self._values[key] | changes.get(key, {})
            values = {name: value for name, value in values.items() if value not in (None, "")}
            by_study[self.study[key]].append(Row(number, values, modality_of(values)))
        return [answer for rows in by_study.values() for answer in self._study(rows, keys, judge)]

    def _study(self, rows: Sequence[Row], keys: Sequence[str], judge: Judge) -> Iterable[Answer]:
        of_row, _ = study_stacks(rows)
        done = {s.stack_id: (record, d) for s, record, d in judged([s for _, own in of_row for s in own], judge)}
        for number, stacks in of_row:
            found = [done[s.stack_id] for s in stacks]
            yield Answer(keys[number], merged([r for r, _ in found]), tuple(d for _, d in found if d))

    def cells(self, answers: Iterable[Answer]) -> list[Cell]:
        """Every judged cell of the rows answered."""
        return [cell for answer in answers for cell in self._cells(answer)]

    def _cells(self, answer: Answer) -> Iterable[Cell]:
        row, said = self.rows[answer.key], answer.record.to_row()
        who = vendor(row.get("Manufacturer", "")) or "(none)"
        for column, truth in row.items():
            attribute = column.removeprefix(TRUTH)
            if column == attribute or attribute not in said:
                continue
            verdict = judge_cell(attribute, truth, said[attribute])
            if verdict:
                yield Cell(
                    study=self.study[answer.key],
                    key=answer.key,
                    vendor=who,
                    attribute=attribute,
                    truth=truth,
                    answer=said[attribute],
                    verdict=verdict,
                    confidence=answer.record.confidence,
                )


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def of_split(rows: Iterable[Mapping[str, str]], split: str) -> list[Mapping[str, str]]:
    """The rows of one half."""
    return [row for row in rows if row.get("split") == split]


def name_key(row: Mapping[str, str]) -> str:
    """What stands for a real description in the repository, which must not hold it."""
    return hashlib.sha256(f"{row['collection_id']}\n{row['d']}".encode()).hexdigest()[:16]


def named_row(row: Mapping[str, str]) -> dict[str, str]:
    """A row of the lists of real descriptions as DICOM keywords."""
    return {
        "Modality": "MR",
        "SeriesDescription": row["d"],
        "Manufacturer": row["manu"],
        "BodyPartExamined": row["body"],
    }


def judged_names(labels: Path, names: Path) -> list[dict[str, str]]:
    """The real descriptions that a person has judged, with their truth; those not found are left out."""
    found = {name_key(row): row for row in read_rows(names)}
    return [
        named_row(found[label["key"]])
        | {TRUTH + name: label[name] for name in JUDGED_ATTRIBUTES}
        | {"split": label["split"], "collection": found[label["key"]]["collection_id"]}
        for label in read_rows(labels)
        if label["key"] in found
    ]


@dataclass(frozen=True)
class RealSet:
    """Real DICOM with the hand-made truth of every stack, judged by the functions of ``score_series.py``."""

    name: str
    instances: tuple[Instance, ...]
    truth: Sequence[Mapping[str, str]]
    scoring: ModuleType

    @cached_property
    def series(self) -> dict[str, list[Instance]]:
        """The instances of each series."""
        series: dict[str, list[Instance]] = defaultdict(list)
        for i in self.instances:
            series[i.SeriesInstanceUID].append(i)
        return series

    @cached_property
    def study(self) -> dict[str, str]:
        """The study of each series."""
        return {uid: rows[0].StudyInstanceUID for uid, rows in self.series.items()}

    @cached_property
    def held(self) -> dict[str, frozenset[str]]:
        """The elements of each series that may be taken away."""
        return {uid: frozenset().union(*map(held, rows)) for uid, rows in self.series.items()}

    @cached_property
    def texts(self) -> dict[str, tuple[str, ...]]:
        """The text of each series."""
        return {uid: tuple(getattr(rows[0], name) for name in SWAPPED) for uid, rows in self.series.items()}

    def shown(self, key: str) -> str:
        """What a reader of the series sees first."""
        first = self.series[key.split(" ")[0]][0]
        return f"{first.SeriesDescription!r} {first.Manufacturer}"

    def answer(self, keys: Sequence[str], changes: Mapping[str, Changes], judge: Judge) -> list[Answer]:
        """The records of the stacks that series of whole studies make, after changes to some."""
        rows = [changed(i, changes[key]) if key in changes else i for key in keys for i in self.series[key]]
        found = judged(stack_instances(rows, pixel_digest).stacks, judge)
        return [Answer(s.series_uids[0], record, (d,) if d else (), plan_row(s, record)) for s, record, d in found]

    def cells(self, answers: Iterable[Answer]) -> list[Cell]:
        """Every judged cell of the truth rows whose series were answered."""
        return judge_plan([a.plan for a in answers], self.truth, self.scoring, self.study)


def plan_row(stack: Stack, record: Record) -> dict[str, str]:
    """As much of a row of ``plan.tsv`` as the scoring needs to find the stack and to judge its record."""
    return {
        **record.to_row(),
        "stack_id": stack.stack_id,
        "acquisition_id": stack.acquisition_id,
        "series_uid": ";".join(stack.series_uids),
        "n_instances": str(len(stack.instances)),
        "decision": "keep",
    }


def judge_plan(
    plan: Sequence[Mapping[str, str]],
    truth: Iterable[Mapping[str, str]],
    scoring: ModuleType,
    study: Mapping[str, str],
) -> list[Cell]:
    """The cells of a plan against the truth, paired and judged as ``score_series.score`` does.

    ``plan`` need not hold all series of the truth: the others are not judged. Stacks that the truth excludes are not
    judged either, nor broken ones that no one need name.
    """
    by_uid: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in plan:
        for uid in scoring.uids(row):
            by_uid[uid].append(row)
    expected: dict[str, dict[str, Mapping[str, str]]] = defaultdict(dict)
    for row in truth:
        expected[row["series_uid"]].setdefault(row["stack_key"], row)
    cells: list[Cell] = []
    for uid in by_uid.keys() & expected.keys():
        for row, found in scoring.match(list(expected[uid].values()), by_uid[uid]):
            if is_scored(row, found, scoring):
                cells.extend(cells_of(row, found, scoring, study[uid]))
    return sorted(cells, key=lambda c: (c.study, c.key, c.attribute))


def is_scored(row: Mapping[str, str], found: Sequence[Mapping[str, str]], scoring: ModuleType) -> bool:
    """Whether the attributes of a truth row are judged: the rule of ``score_series.score``."""
    decisions = scoring.accepted(row)
    if "keep" not in decisions and ("quarantine" not in decisions or row["sequence"] == "*"):
        return False
    broken = "quarantine" in decisions and row["defect"] not in ("", "-")
    return not broken or any(p["sequence"] not in ("", "unknown") for p in found)


VERDICTS = {"correct": RIGHT, "wrong": WRONG, "abstain": SILENT, "missing": SILENT, "unverifiable": UNVERIFIABLE}


def cells_of(
    row: Mapping[str, str], found: Sequence[Mapping[str, str]], scoring: ModuleType, study: str
) -> Iterable[Cell]:
    """The judged cells of one truth row; an index or a time where none applies is left to the scoring."""
    key = f"{row['series_uid']} {row['stack_key']}"
    for attribute in scoring.ATTRS:
        verdict = VERDICTS.get(scoring.verdict(attribute, row, found))
        if verdict:
            said = found[0] if found else {}
            yield Cell(
                study=study,
                key=key,
                vendor=vendor(row["manufacturer"]) or "(none)",
                attribute=attribute,
                truth=row[attribute],
                answer=said.get(attribute, ""),
                verdict=verdict,
                confidence=float(said.get("confidence") or 0.0),
            )
