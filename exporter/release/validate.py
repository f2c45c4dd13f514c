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
from tempfile import TemporaryFile
from typing import Any, Self

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
    with Validator(root) as validator:
        validator.start()
        return validator.result()


class Validator:
    """The validator at work, one process a dataset, beside whatever this process does. Use it as a context."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._running: list[_Running] = []

    def start(self) -> None:
        """Begin. From here on nothing of the tree may change but ``curation``, which BIDS is told to ignore."""
        if (self.root / "dataset_description.json").is_file():
            self._running.append(_Running(self.root, "."))
            for path in sorted(self.root.glob("derivatives/*/dataset_description.json")):
                self._running.append(_Running(path.parent, f"derivatives/{path.parent.name}"))

    def result(self) -> Validation:
        """Wait for the end of what was begun. Raises ``UsageError`` where the root was no BIDS dataset then, and
        ``TrialbidsError`` where the validator itself fails."""
        if not self._running:
            sentence = "is no BIDS dataset (there is no dataset_description.json); give the root of one"
            raise UsageError(f"{self.root}: {sentence}")
        problems = [problem for one in self._running for problem in one.problems()]
        return Validation(tuple(problems), len(self._running), validator_version())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for one in self._running:
            one.end()


def validator_version() -> str:
    """The validator's version, of the installed package."""
    return version(COMMAND)


def _executable() -> str:
    beside = Path(sys.executable).with_name(COMMAND)
    found = str(beside) if beside.exists() else shutil.which(COMMAND)
    if not found:
        raise TrialbidsError(f"{COMMAND} is not installed; install trialbids again with pip")
    return found


class _Running:
    """The validator on one dataset. What it says goes into files: a pipe would fill, and hold it up."""

    def __init__(self, folder: Path, name: str) -> None:
        command = [_executable(), "--format", "json", "--ignoreWarnings", str(folder)]
        self.folder, self.name = folder, name
        self._said, self._errors = TemporaryFile(), TemporaryFile()  # noqa: SIM115 - closed by end()
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._errors)

    def problems(self) -> list[Problem]:
        """What it found, once it has ended."""
        self._process.wait(TIMEOUT_S)
        for file in (self._said, self._errors):
            file.seek(0)
        try:
            report = json.loads(self._said.read())
        except ValueError as error:
            tail = self._errors.read().decode("utf-8", "replace").strip().splitlines()[-1:]
            raise TrialbidsError(
                f"{self.folder}: the validator gave no report ({' '.join(tail) or f'exit {self._process.returncode}'})"
            ) from error
        return _problems(report, self.name)

    def end(self) -> None:
        """End it, wherever it is."""
        self._process.kill()
        self._process.wait()
        self._said.close()
        self._errors.close()


def _problems(report: dict[str, Any], name: str) -> list[Problem]:
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
