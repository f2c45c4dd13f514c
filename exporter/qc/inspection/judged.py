"""Findings of the inspection: what a person judged wrong is an error until the image is another, or it is waived."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import RootModel

from ...tables import json_bytes, write_private
from ..check import ERROR, Evidence, Finding
from ..jsonfile import Closed, Count, read_json
from .draw import Digest, Draw
from .population import basis_of
from .store import FOLDER, Taken, private_folder
from .verdicts import WRONG

FINDINGS_FILE = "findings.json"


@dataclass(frozen=True, slots=True)
class Aspect:
    """What is judged, the code of the issue where it is wrong, and the sentence of it."""

    name: str
    code: str
    question: str
    message: str


INSPECTION = (
    Aspect("label", "M01", "Is the image what its record says?", "a reader judged the label wrong"),
    Aspect("orientation", "M02", "Do the letters R L A P S I tell the truth?", "a reader judged the orientation wrong"),
    Aspect("completeness", "M03", "Is the whole of it there?", "a reader judged the image incomplete"),
    Aspect("artefact", "M04", "Is it free of spoiling artefacts?", "a reader judged the image spoilt by an artefact"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wrong:
    """One aspect of one image that was judged wrong. ``basis`` is what the verdict rests on."""

    code: str
    stack_id: str
    image: str
    inspection: int
    basis: str
    corrected_label: str = ""

    def finding(self) -> Finding:
        """The same as a finding of its stack: its evidence is another one as soon as the image is."""
        message = next(aspect.message for aspect in INSPECTION if aspect.code == self.code)
        values: tuple[tuple[str, float | int | str], ...] = (("image", self.basis), ("inspection", self.inspection))
        return Finding(
            self.code, ERROR, message, Evidence(message, values=values), "stack", self.stack_id, (self.stack_id,)
        )


def judged_wrong(draws: Mapping[int, Draw], taken: Taken) -> tuple[Wrong, ...]:
    """All that is judged wrong: where an image was judged twice as it is, the later verdict holds."""
    latest: dict[tuple[str, str], Wrong | None] = {}
    for number, draw in sorted(draws.items()):
        for drawn in draw.images:
            verdict = taken.get(number, {}).get(drawn.path)
            for aspect in INSPECTION if verdict is not None else ():
                word = verdict.words[aspect.name] if verdict is not None else ""
                if word:
                    label = verdict.corrected_label if verdict is not None and aspect.name == "label" else ""
                    wrong = Wrong(aspect.code, drawn.stack_id, drawn.path, number, drawn.bases[aspect.name], label)
                    latest[aspect.code, drawn.state] = wrong if word == WRONG else None
    return tuple(wrong for wrong in latest.values() if wrong is not None)


def write_wrong(work: Path, found: Iterable[Wrong]) -> None:
    """Write what the next run reads: ``inspection/findings.json``."""
    private_folder(work / FOLDER)
    rows = [{name: getattr(wrong, name) for name in Wrong.__slots__} for wrong in found]
    write_private(work / FOLDER / FINDINGS_FILE, json_bytes(rows))


def read_wrong(work: Path) -> tuple[Wrong, ...]:
    """What readers judged wrong so far. Raises ``UsageError`` where the file was changed by hand."""
    path = work / FOLDER / FINDINGS_FILE
    if not path.exists():
        return ()
    shape, _ = read_json(path, _WrongList, "read the verdicts in again: trialbids qc sample --read")
    return tuple(Wrong(**dict(row)) for row in shape.root)


class _WrongShape(Closed):
    code: Literal["M01", "M02", "M03", "M04"]
    stack_id: str
    image: str
    inspection: Count
    basis: Digest
    corrected_label: str


class _WrongList(RootModel[list[_WrongShape]]):
    """What :func:`write_wrong` writes."""


def inspection_findings(work: Path) -> tuple[Finding, ...]:
    """A finding for every aspect of a stack that was judged wrong, for a run to take up; :func:`standing` says which
    of them still hold. Raises ``UsageError`` where they cannot be read."""
    codes = {aspect.code for aspect in INSPECTION}
    return tuple(wrong.finding() for wrong in read_wrong(work) if wrong.stack_id and wrong.code in codes)


def standing(
    findings: Iterable[Finding], voxels_sha256: str, affine: Sequence[float], words: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Those findings of one stack's inspection that hold for the image as it is now: what they rest on is the same.

    ``affine`` are its sixteen numbers and ``words`` the record's cells, as in the manifest.
    """
    return tuple(_standing(findings, voxels_sha256, affine, words))


def _standing(
    findings: Iterable[Finding], voxels_sha256: str, affine: Sequence[float], words: Mapping[str, str]
) -> Iterator[Finding]:
    names = {aspect.code: aspect.name for aspect in INSPECTION}
    for finding in findings:
        basis = basis_of(names[finding.check], voxels_sha256, affine, words)
        if ("image", basis) in finding.evidence.values:
            yield finding
