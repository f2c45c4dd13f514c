"""What bare dcm2niix says of the same folders: warnings, exit code, and images that are missing or too many."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import dcm2niix

from .cases import Case, clean_of
from .enhanced import packed
from .writer import write_files

SECONDS = 60.0
NUMBERS = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")
TOLD = re.compile(r"warn|error|unable|fail|missing|not |skip", re.IGNORECASE)
Told = frozenset[str]


@dataclass(frozen=True)
class Converted:
    """What dcm2niix said of one folder, numbers and paths taken out, so that two runs can be compared."""

    code: int
    images: int
    told: Told


def dcm2niix_of(folder: Path) -> Converted:
    """Convert one folder and keep what was said, not what came out."""
    with tempfile.TemporaryDirectory() as out:
        command = [dcm2niix.bin, "-z", "n", "-b", "n", "-f", "%s_%p", "-o", out, str(folder)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS, check=False, errors="replace"
            )
        except subprocess.TimeoutExpired:
            return Converted(-1, 0, frozenset())
        lines = (done.stdout + done.stderr).replace(out, "").replace(str(folder), "").splitlines()
        told = frozenset(NUMBERS.sub("#", line.split("/")[0]).strip() for line in lines if TOLD.search(line))
        return Converted(done.returncode, len(list(Path(out).glob("*.nii"))), told)


def clean_run(case: Case) -> Converted:
    """What dcm2niix says of the clean original of a case."""
    with tempfile.TemporaryDirectory() as folder:
        series = clean_of(case)
        write_files(list(packed(series) if case.packed else series), Path(folder))
        return dcm2niix_of(Path(folder))


def recipe(case: Case) -> Case:
    """The clean original that stands for all cases of one maker, kind of scan and form of storage."""
    return Case(99_000 + len(case.kind), case.trial, case.vendor, case.kind, packed=case.packed)


def found_by(faulty: Converted, clean: Converted) -> bool:
    """Whether dcm2niix said something that it does not say of the clean original."""
    return faulty.code != clean.code or faulty.images != clean.images or not faulty.told <= clean.told
