"""Running the program as a user would, and reading what it wrote: the only module that knows it."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import converter
from .cases import Written
from .fault import STRENGTHS
from .grounds import EXPORTED, Stack

DIFFUSION = ("DWI", "trace", "ADC")
FOLDER, WORD = re.compile(r"C\d{5}"), re.compile(r"\w+")

CONFIGURATION = """\
trial: {trial}
sources: [dicom]
output: bids
work: work
subject: {subject}
session: {{order: StudyDate}}
site: {{tag: InstitutionName}}
faces: allow
{more}"""


@dataclass(frozen=True)
class Finding:
    """One open issue, brought back to the case that it is about (empty: to none)."""

    case: str
    check: str
    severity: str
    message: str
    stack: str
    series: str = ""


@dataclass(frozen=True)
class Judged:
    """What the program said of a trial: its findings, the stacks that it saw of each case, and what it released.

    ``mended`` are the cases of which a damaged image was thrown away by the program itself.
    """

    findings: tuple[Finding, ...]
    stacks: Mapping[str, tuple[Stack, ...]]
    seconds: float
    released: Mapping[str, str] = field(default_factory=dict)
    mended: frozenset[str] = frozenset()


BY_ID, BY_LIST = "{tag: PatientID}", "{table: people.csv, by: PatientID, column: label}"
"""Who a subject is: anybody with an id, or those alone whom the trial's list of patients names."""
VISITS = """\
visits:
  V1: {day: 0, window: 14}
  V2: {day: 180, window: 14}
"""


def configure(folder: Path, written: Sequence[Written], trial: str) -> Path:
    """Write the trial's configuration, and the tables that it needs."""
    more = {"protocol": f"protocol: {Path(__file__).with_name('protocol.yaml')}\n", "visits": VISITS}.get(trial, "")
    if trial == "visits":
        people = "".join(f"{w.case.id},{w.case.id}\n" for w in written)
        (folder / "people.csv").write_text(f"PatientID,label\n{people}", encoding="utf-8")
    configuration = folder / "trial.yaml"
    subject = BY_LIST if trial == "visits" else BY_ID
    told = CONFIGURATION.format(trial=f"faults {trial}", subject=subject, more=more)
    configuration.write_text(told, encoding="utf-8")
    return configuration


def run_program(folder: Path, written: Sequence[Written], trial: str) -> Judged:
    """Run the program on the trial in ``folder``, which holds ``dicom/``: an export where pixels are faulty."""
    configuration = configure(folder, written, trial)
    command = ["export"] if trial in EXPORTED else ["qc", "run"]
    before = str(_damaging(folder, written)) if trial == "converter" else ""
    started = time.perf_counter()
    done = _trialbids([*command, str(configuration)], before)
    seconds = time.perf_counter() - started
    if not (folder / "work" / "issues.tsv").is_file():
        raise SystemExit(f"trialbids {' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    judged = read_work(folder / "work", written, seconds)
    return replace(judged, mended=_mended(folder, written, judged)) if trial == "converter" else judged


def _damaging(folder: Path, written: Sequence[Written]) -> Path:
    orders = [(w.case.id, w.case.what.kind, STRENGTHS[w.case.strength]) for w in written if w.case.what]
    return converter.install(folder, orders)


def _mended(folder: Path, written: Sequence[Written], judged: Judged) -> frozenset[str]:
    """The cases whose released image is right although the converter's was not, or that were not released."""
    released = {case: folder / "bids" / path for case, path in judged.released.items()}
    return frozenset(
        w.case.id
        for w in written
        if w.case.id not in released
        or not released[w.case.id].is_file()
        or converter.is_right(released[w.case.id], folder / "dicom" / w.case.id, folder / "right" / w.case.id)
    )


def _trialbids(arguments: list[str], before: str = "") -> subprocess.CompletedProcess[str]:
    call = [str(Path(sys.executable).parent / "trialbids"), *arguments]
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "COLUMNS": "200", "PYTHONPATH": before}
    return subprocess.run(call, capture_output=True, text=True, env=environment, check=False)


def read_work(work: Path, written: Sequence[Written], seconds: float = 0.0) -> Judged:
    """The open issues and the stacks of a work folder."""
    by_series = {uid: w.case.id for w in written for uid in w.series}
    by_patient = {patient: w.case.id for w in written for patient in w.patients}
    plan = _rows(work / "plan.tsv")
    by_stack = {row["stack_id"]: _first(row["series_uid"].split(";"), by_series) for row in plan}
    by_subject = {row["subject"]: by_stack[row["stack_id"]] for row in plan} | by_patient
    stacks: dict[str, tuple[Stack, ...]] = {}
    for row in plan:
        case = by_stack[row["stack_id"]]
        stacks[case] = (*stacks.get(case, ()), _stack(row))
    findings: list[Finding] = []
    for row in _rows(work / "issues.tsv"):
        if row["state"] == "resolved":
            continue
        words = WORD.findall(" ".join(row.values()))
        case = (
            _first(row["series_uid"].split(";"), by_series)
            or by_stack.get(row["stack_id"], "")
            or _first(words, by_stack)
            or _first(words, by_subject)
            or next((word for word in words if FOLDER.fullmatch(word)), "")
        )
        findings.append(
            Finding(case, row["check"], row["severity"], row["message"], row["stack_id"], row["series_uid"])
        )
    released = {by_stack[row["stack_id"]]: row["bids_path"] for row in plan if row["bids_path"]}
    return Judged(tuple(findings), stacks, seconds, released)


def _stack(row: Mapping[str, str]) -> Stack:
    return Stack(
        row["stack_id"],
        row["series_uid"],
        row["acquisition_id"],
        row["session"],
        row["subject"],
        is_diffusion=row["sequence"] in DIFFUSION,
        is_dynamic=row["phase_index"] not in ("", "n/a"),
    )


def _first(words: Sequence[str], known: Mapping[str, str]) -> str:
    """What is known of the first word of which anything is."""
    return next((known[word] for word in words if known.get(word)), "")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened, delimiter="\t"))
