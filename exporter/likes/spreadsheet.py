"""A clinical table proposed from a spreadsheet: its key, and a type for every column that seems fit to leave."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from trialbids.mappings.clinical import clinical_rules

from ..clinical.cells import LARGEST
from ..clinical.column import ClinicalColumn
from ..clinical.numbers import NotRead, decimals_of, is_number
from ..clinical.sheet import WORKBOOKS, Sheet, read_sheet
from ..clinical.suspects import suspicion
from ..clinical.workbook import sheet_names
from ..errors import UsageError
from ..trial.clinical import RESERVED, is_alike

KEYS = (
    "patientid", "tciapatientid", "tciaid", "tciasubjectid", "subjectid", "caseid", "participantid", "casesubmitterid",
    "bcrpatientbarcode", "trialpatientid", "patient", "subject", "case", "id",
)  # fmt: skip
"""Names of key columns in spreadsheets of TCIA and GDC, letters and digits alone."""

MISSING = frozenset({
    "not available", "missing", "unknown", "not reported", "not collected", "not applicable", "not evaluated",
    "not performed", "not done", "not recorded", "unavailable", "--", "-", "?",
})  # fmt: skip
"""Codes for a value that is not there, over those that every clinical table may use; TCGA writes them in brackets."""

OF_HEADERS = ("age", "sex")
"""Columns of participants that leave without any table, as the images' headers say them."""

MOST_LEVELS, LONGEST_LEVEL = 12, 40


@dataclass(frozen=True, slots=True)
class Proposal:
    """One column: how it would leave (``spec``, as in ``trial.yaml``), or why it should not (``reason``).

    ``remark`` is what a person must know who lets it leave.
    """

    name: str
    spec: Any
    reason: str = ""
    remark: str = ""

    def line(self) -> str:
        """As a line of ``trial.yaml``."""
        said = f"{flow(self.name)}: {flow(self.spec)}"
        if self.reason:
            return f"    # {said}     # {self.reason}"
        return f"    {said}     # {self.remark}" if self.remark else f"    {said}"


def propose_table(path: Path, patients: Collection[str]) -> str:
    """The ``clinical:`` lines for a spreadsheet whose rows are these patients.

    Raises ``UsageError`` where no sheet has a column that holds ids of patients that were seen.
    """
    name, sheet, key = _keyed(path, patients)
    taken = set(RESERVED) | set(OF_HEADERS) & set(sheet.columns)
    proposals = [propose(column, sheet[column], sheet[key], taken) for column in sheet.columns if column != key]
    proposals = [_beside(p, sheet.columns) for p in proposals]
    twice = len(set(sheet[key]) - {""}) < sum(bool(cell) for cell in sheet[key])
    lines = ["clinical:", f"  table: {flow(str(path))}"]
    lines += [f"  sheet: {flow(name)}"] if name else []
    lines += [f"  subject: {flow(key)}", "  columns:", *(p.line() for p in proposals)]
    if all(p.reason for p in proposals):
        return "\n".join(["# No column seems fit to leave.", *(f"# {line}" for line in lines)])
    if twice:
        why = "# Subjects stand in several rows: name the column that tells the visit (visit: …), then take the # away."
        return "\n".join([why, *(f"# {line}" for line in lines)])
    return "\n".join(lines)


def propose(column: str, cells: Sequence[str], subjects: Sequence[str], taken: set[str]) -> Proposal:
    """What a column would leave as; ``taken`` are released names that are in use, and gains this one's."""
    missing = sorted({cell for cell in cells if _is_code(cell)})
    filled = [
        cell for cell in cells if cell and cell not in missing and cell.casefold() not in clinical_rules().missing
    ]
    kind = _kind(filled)
    spec: dict[str, Any] = {"levels": sorted(set(filled))} if kind == "level" else {"type": kind}
    if missing:
        spec["missing"] = missing
    released = _released(column, taken)
    if released != column:
        spec["as"] = released
    refusal = _refusal(column, kind, filled, cells, subjects)
    remark = _alike(released)
    if not refusal:
        taken.add(released)
    short = spec.get("type") or spec.get("levels")
    return Proposal(column, short if len(spec) == 1 else spec, refusal, remark)


def _alike(released: str) -> str:
    """What to know of a name that is a header's column but for its letter case."""
    other = next((name for name in OF_HEADERS if is_alike(name, released)), "")
    said = f"{other} of the images' headers leaves too, and may differ; with 'as: {other}' this takes its place"
    return said if other else ""


def _beside(proposal: Proposal, names: Iterable[str]) -> Proposal:
    """The proposal with a word on a column of the sheet whose name is the same but for its letter case."""
    other = next((name for name in names if is_alike(name, proposal.name)), "")
    remark = f"another column than {other}, which differs in letter case alone: keep one"
    return replace(proposal, remark=remark) if other else proposal


def _keyed(path: Path, patients: Collection[str]) -> tuple[str, Sheet, str]:
    """The first sheet with a key column, and its name, "" where the file has no sheets."""
    looked = []
    for name in _sheets(path):
        try:
            sheet = read_sheet(path, name or None)
        except UsageError:
            if not name:
                raise
            continue  # an empty sheet, or one with titles over its columns
        looked.append(name)
        key = _key(sheet, patients)
        if key:
            return name, sheet, key
    where = f"; sheets looked at: {', '.join(looked)}" if any(looked) else ""
    raise UsageError(f"{path}: no column holds the PatientID of an image that was seen{where}")


def _sheets(path: Path) -> Sequence[str]:
    return sheet_names(path) if path.suffix.casefold() in WORKBOOKS else [""]


def _key(sheet: Sheet, patients: Collection[str]) -> str:
    """The column that holds most of the patients seen; of several, the one that is called as keys are."""

    def rank(name: str) -> tuple[int, bool]:
        return len(set(sheet[name]) & set(patients)), _bare(name) in KEYS

    best = max(sheet.columns, key=rank, default="")
    return best if best and rank(best)[0] else ""


def _kind(filled: Sequence[str]) -> str:
    """``integer``, ``number``, ``date``, ``level`` or ``text``."""
    if filled and all(is_number(cell) for cell in filled):
        return "integer" if all(re.fullmatch(r"[+-]?\d+", cell) for cell in filled) else "number"
    if filled and all(re.fullmatch(r"\d{4}-\d\d-\d\d([T ].*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}", cell) for cell in filled):
        return "date"
    levels = set(filled)
    few = 0 < len(levels) <= MOST_LEVELS and (len(filled) >= 2 * len(levels) or len(levels) <= 2)
    return "level" if few and max(map(len, levels)) <= LONGEST_LEVEL else "text"


def _refusal(column: str, kind: str, filled: Sequence[str], cells: Sequence[str], subjects: Sequence[str]) -> str:
    """Why a column is commented out, "" where it is not."""
    if not filled:
        return "holds nothing"
    if kind == "text":
        return "free text, or too many different words"
    if kind == "date":
        return "a date; moved with the subject's offset if you let it leave"
    if kind in ("integer", "number"):
        numbers = _numbers(filled, are_whole=kind == "integer")
        if any(abs(number) > LARGEST for number in numbers):
            return "large numbers, as identifiers are"
        if not numbers:
            return "its signs may stand for thousands or for decimals"
    named = clinical_rules().named(column, kind)
    if named:
        return f"its name says that it {named}"
    return suspicion(ClinicalColumn(column, column, kind), cells, subjects)


def _numbers(cells: Sequence[str], *, are_whole: bool) -> list[float]:
    """The numbers of those cells that can be read in one way only."""
    decimals = decimals_of(cells, are_whole=are_whole)
    numbers = []
    for cell in cells:
        with suppress(NotRead):
            numbers.append(decimals.read(cell))
    return numbers


def _is_code(cell: str) -> bool:
    return cell.strip("[]").casefold() in MISSING


def _released(column: str, taken: Iterable[str]) -> str:
    """A name for the released table, from the column's: letters, digits and ``_``, used once."""
    name = re.sub(r"_+", "_", re.sub(r"[^0-9A-Za-z]", "_", column)).strip("_") or "column"
    name = name if name[0].isalpha() else f"c_{name}"
    tried, number = name, 2
    while tried in taken:
        tried, number = f"{name}_{number}", number + 1
    return tried


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()


def flow(value: Any) -> str:
    """A value as YAML writes it on one line.

    >>> flow("Patient ID"), flow(["yes", "1"]), flow({"type": "number"})
    ('Patient ID', "['yes', '1']", '{type: number}')
    """
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n...\n").strip()
