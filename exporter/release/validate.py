"""The official BIDS validator, offline, once a dataset."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ..errors import TrialbidsError, UsageError

COMMAND = "bids-validator-deno"
TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of error in one dataset, with the places where it was found (the first few by name)."""

    dataset: str
    code: str
    count: int
    places: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Validation:
    """What the validator says: errors of the root and of each derivative dataset."""

    problems: tuple[Problem, ...]
    datasets: int
    version: str

    @property
    def errors(self) -> int:
        """Number of errors over all datasets."""
        return sum(p.count for p in self.problems)


def validate(root: Path) -> Validation:
    """Run the validator on a BIDS tree and on each dataset below ``derivatives/``.

    Raises ``UsageError`` where the root is no BIDS dataset, ``TrialbidsError`` where the validator itself fails.
    """
    if not (root / "dataset_description.json").is_file():
        raise UsageError(f"{root}: is no BIDS dataset (there is no dataset_description.json); give the root of one")
    roots = [root, *sorted(p.parent for p in root.glob("derivatives/*/dataset_description.json"))]
    problems = [
        problem for folder in roots for problem in _run(folder, "." if folder == root else f"derivatives/{folder.name}")
    ]
    return Validation(tuple(problems), len(roots), validator_version())


def validator_version() -> str:
    """The validator's version, of the installed package."""
    return version(COMMAND)


def _executable() -> str:
    beside = Path(sys.executable).with_name(COMMAND)
    found = str(beside) if beside.exists() else shutil.which(COMMAND)
    if not found:
        raise TrialbidsError(f"{COMMAND} is not installed; install trialbids again with pip")
    return found


def _run(folder: Path, name: str) -> list[Problem]:
    command = [_executable(), "--format", "json", "--ignoreWarnings", str(folder)]
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        tail = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise TrialbidsError(
            f"{folder}: the validator gave no report ({' '.join(tail) or f'exit {done.returncode}'})"
        ) from error
    issues = [i for i in report["issues"]["issues"] if i.get("severity", "error") == "error"]
    messages = report["issues"].get("codeMessages", {})
    kinds = Counter((i["code"], i.get("subCode", "")) for i in issues)
    return [
        Problem(
            dataset=name,
            code="/".join(part for part in (code, sub) if part),
            count=count,
            places=tuple(i.get("location", "") for i in issues if (i["code"], i.get("subCode", "")) == (code, sub))[:5],
            message=" ".join(str(messages.get(code, "")).split()),
        )
        for (code, sub), count in kinds.most_common()
    ]
