"""What there is to draw from: the images of the released tree, as its manifest names them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from trialbids.mappings.record import Record
from trialbids.mappings.vocabulary import vocabulary

from ...errors import UsageError
from ..jsonfile import Strict, read_json

MANIFEST = "curation/manifest.parquet"
IMAGE_PATH = re.compile(r"(sub-[0-9A-Za-z]+/)(ses-[0-9A-Za-z]+/)?[0-9a-z]+/[0-9A-Za-z_+-]+\.nii\.gz")
AFFINE_NUMBERS = 16
OWN = ("path", "site", "acquisition_id", "datatype", "qc_verdict", "affine", "voxels_sha256")


@dataclass(frozen=True, slots=True)
class Released:
    """An image of the tree. ``words`` are the record's cells as in the manifest, "" where one does not apply."""

    path: str
    site: str
    acquisition_id: str
    datatype: str
    qc_verdict: str
    affine: tuple[float, ...]
    voxels_sha256: str
    words: Mapping[str, str] = field(compare=False)

    @property
    def sequence(self) -> str:
        """With the site, the stratum that the image is drawn in."""
        return self.words["sequence"]

    @property
    def state(self) -> str:
        """Changes with the voxels, the affine, the record and the name: what was judged is what is there."""
        return state_of(self.path, self.voxels_sha256, self.affine, self.words)

    @property
    def scan(self) -> tuple[str, str]:
        """The session's folder and the scan of it."""
        return self.path.rsplit("/", 2)[0], self.acquisition_id


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the automatic checks and metrics say of one image: its ``_qc.json``."""

    verdict: str
    checks: tuple[tuple[str, str, str], ...] = ()
    metrics: tuple[tuple[str, float], ...] = ()


def state_of(path: str, voxels_sha256: str, affine: Sequence[float], words: Mapping[str, str]) -> str:
    """The state of an image as sixteen hexadecimal digits."""
    return _digest((path, voxels_sha256, _rounded(affine), tuple(words.get(name, "") for name in vocabulary())))


def basis_of(aspect: str, voxels_sha256: str, affine: Sequence[float], words: Mapping[str, str]) -> str:
    """What a verdict on one aspect rests on: the voxels; for orientation the affine too, for the label the record."""
    parts: tuple[Any, ...] = (aspect, voxels_sha256)
    if aspect == "orientation":
        parts = (*parts, _rounded(affine))
    if aspect == "label":
        parts = (*parts, tuple(words.get(name, "") for name in vocabulary()))
    return _digest(parts)


def read_population(root: Path) -> tuple[Released, ...]:
    """The images of a tree in the order of their paths.

    Raises ``UsageError`` where it has no manifest or the manifest is none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = root / MANIFEST
    columns = [*OWN, *vocabulary()]
    try:
        rows = pq.read_table(path, columns=columns).to_pylist()
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file; run trialbids export first") from error
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{path}: is no manifest of a released tree; export the trial again") from error
    missing = next((name for name in columns if rows and name not in rows[0]), None)
    if missing is not None:
        raise UsageError(f"{path}: has no column {missing}; export the trial again")
    images = [_released(path, n, row) for n, row in enumerate(rows, start=1)]
    twice = next((name for name, count in Counter(image.path for image in images).items() if count > 1), None)
    if twice is not None:
        raise UsageError(f"{path}: names {twice} twice; export the trial again")
    return tuple(sorted(images, key=lambda image: image.path))


def _released(path: Path, number: int, row: Mapping[str, Any]) -> Released:
    """One row as an image. Raises ``UsageError`` where a cell is not what an export writes."""
    texts = {name: "" if row[name] is None else row[name] for name in (*OWN, *vocabulary()) if name != "affine"}
    wrong = next((name for name, text in texts.items() if not isinstance(text, str)), "")
    affine = row["affine"] or ()
    if not wrong and not IMAGE_PATH.fullmatch(texts["path"]):
        wrong = "path"
    if not wrong and not (len(affine) == AFFINE_NUMBERS and all(isinstance(a, float) and isfinite(a) for a in affine)):
        wrong = "affine"
    words = {name: texts[name] for name in vocabulary()}
    try:
        Record.from_row(words)
    except ValueError as error:
        wrong = wrong or str(error).partition(":")[0]
    if wrong:
        raise UsageError(f"{path}: row {number}: {wrong}: holds what no export writes; export the trial again")
    return Released(**{name: texts[name] for name in OWN if name != "affine"}, affine=tuple(affine), words=words)


def scans_of(images: Iterable[Released]) -> dict[tuple[str, str], list[Released]]:
    """The images of every scan in the order of their phases, echoes and flip angles."""
    scans: dict[tuple[str, str], list[Released]] = {}
    for image in images:
        scans.setdefault(image.scan, []).append(image)
    for members in scans.values():
        members.sort(
            key=lambda i: (*(int(i.words[k] or 0) for k in ("phase_index", "echo_index", "flip_index")), i.path)
        )
    return scans


def read_judgement(root: Path, image: Released) -> Judgement:
    """The checks and metrics of one image; the manifest's verdict alone where it has no such file.

    Raises ``UsageError`` where the file is not what the release wrote.
    """
    path = root / (image.path.removesuffix(".nii.gz") + "_qc.json")
    if not path.exists():
        return Judgement(image.qc_verdict)
    said, _ = read_json(path, _Quality, "export the trial again")
    checks = tuple((c.check, c.severity, c.message) for c in said.checks)
    return Judgement(image.qc_verdict, checks, tuple(_numbers(said.metrics)))


class _Said(Strict):
    check: str
    severity: str
    message: str


class _Quality(Strict):
    """What of a ``_qc.json`` is shown."""

    checks: list[_Said]
    metrics: dict[str, Any]


def _numbers(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The metrics that are plain numbers."""
    for name, value in metrics.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
            yield str(name), float(value)


def _rounded(affine: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(float(a), 4) + 0.0 for a in affine)


def _digest(parts: tuple[Any, ...]) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
