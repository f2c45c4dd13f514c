"""How fast a tree is indexed and refreshed, against pybids, and how time and memory grow.

Trees are written for the purpose, in the form of an export (sidecars, ``scans.tsv``, manifest) or of a foreign tree
without them; the images have a header and hardly a voxel, which no index reads. Figures are ratios within one run.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trialbids.datasets import Database
from trialbids.mappings.record import Record

PHASES = 5
"""Phases of the DCE; with a T2 and an ADC a session has two images more."""
REPEATS = 5
AFFINE = np.diag([1.0, 1, 3, 1])
_CHILD = """
import sys, time
from trialbids.datasets import Database
start = time.process_time()
database = Database(sys.argv[1], index=sys.argv[2])
images = len(database.images)
seconds = time.process_time() - start
with open("/proc/self/status") as file:  # ru_maxrss would be that of the process this one was forked from
    peak = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
print(images, seconds, peak, "torch" in sys.modules)
"""


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds to index a tree of ``images`` anew, and to find it unchanged: medians of :data:`REPEATS`.

    ``opened`` is a new ``Database`` with a good index, ``used`` the same with its images asked for, ``refreshed`` is
    ``db.refresh()``; ``pybids`` is one ``BIDSLayout`` of the same tree (NaN where it was not measured). ``spread`` is
    the range of the times to index, as a part of their median.
    """

    images: int
    index: float
    opened: float
    used: float
    refreshed: float
    pybids: float
    spread: float

    @property
    def ratio(self) -> float:
        """How many times faster than pybids the first index is."""
        return self.pybids / self.index


@dataclass(frozen=True, slots=True)
class Growth:
    """One tree indexed in a process of its own, which imports no torch: processor seconds and peak memory."""

    images: int
    seconds: float
    peak_bytes: int


def write_tree(root: Path, images: int, *, foreign: bool = False) -> int:
    """Write a tree of about ``images`` images, one session a participant; returns how many there are."""
    root.mkdir(parents=True)
    description = {"Name": "benchmark", "BIDSVersion": "1.11.1", "DatasetType": "raw"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    content = gzip.compress(nib.Nifti1Image(np.zeros((4, 4, 2), np.int16), AFFINE).to_bytes())
    subjects = max(1, images // (PHASES + 2))
    rows: list[dict[str, Any]] = []
    people = ["participant_id\tsite\tage"]
    for number in range(subjects):
        people.append(f"sub-{number:05d}\tS{number % 5:02d}\t{30 + number % 40}")
        rows += _write_session(root, f"sub-{number:05d}", content, foreign=foreign)
    (root / "participants.tsv").write_text("\n".join(people) + "\n")
    if foreign:
        for suffix in ("T1w", "T2w", "ADC"):
            (root / f"{suffix}.json").write_text(json.dumps({"MagneticFieldStrength": 3, "RepetitionTime": 2.5}))
    else:
        (root / "curation").mkdir()
        pq.write_table(pa.Table.from_pylist(rows), root / "curation" / "manifest.parquet")
    return subjects * (PHASES + 2)


def _write_session(root: Path, subject: str, content: bytes, *, foreign: bool) -> list[dict[str, Any]]:
    """One visit; returns its rows of the manifest."""
    session = "ses-01"
    scans: list[dict[str, str]] = []
    listed: list[dict[str, Any]] = []
    for datatype, tail, record in _images():
        path = f"{subject}/{session}/{datatype}/{subject}_{session}_{tail}.nii.gz"
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        if foreign:
            continue
        file.with_name(file.name.replace(".nii.gz", ".json")).write_text(
            json.dumps(_sidecar(subject, record), indent=2)
        )
        cells = {name: value or "n/a" for name, value in record.to_row().items()}
        scans.append({"filename": path.partition(f"{session}/")[2], **cells, "qc_verdict": "pass"})
        facts = {
            "path": path,
            "shape": [4, 4, 2],
            "zooms": [1.0, 1.0, 3.0],
            "dtype": "int16",
            "slope": 1.0,
            "inter": 0.0,
        }
        digest = hashlib.sha256(path.encode()).hexdigest()
        affine = AFFINE.ravel().tolist()
        listed.append({**facts, "affine": affine, "voxels_sha256": digest, "file_bytes": len(content)})
    if scans:
        lines = ["\t".join(scans[0]), *("\t".join(row.values()) for row in scans)]
        (root / subject / session / f"{subject}_{session}_scans.tsv").write_text("\n".join(lines) + "\n")
    (root / subject / f"{subject}_sessions.tsv").write_text(f"session_id\tscore\n{session}\t3\n")
    return listed


def _sidecar(subject: str, record: Record) -> dict[str, Any]:
    return {
        "Modality": "MR", "Manufacturer": "Maker", "ManufacturersModelName": "Model", "MagneticFieldStrength": 3,
        "RepetitionTime": 2.5, "EchoTime": 0.08, "FlipAngle": 90, "SliceThickness": 3.0, "SeriesNumber": 3,
        "ImageOrientationPatientDICOM": [1, 0, 0, 0, 1, 0], "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "StudyInstanceUID": f"2.25.{int(subject[4:]) + 1}", "AcquisitionID": "a01", "Harmonised": record.to_json(),
    }  # fmt: skip


def _images() -> list[tuple[str, str, Record]]:
    """Datatype, end of the name and record of the images of a visit."""
    dynamic = Record(sequence="DCE", plane="ax", confidence=0.9)
    return [
        ("anat", "acq-tseSag_T2w", Record(sequence="T2w", plane="sag", technique="tse", confidence=0.9)),
        ("dwi", "ADC", Record(sequence="ADC", plane="ax", confidence=0.9)),
        *(
            ("anat", f"acq-dceAx_run-{n:02d}_T1w", dynamic.but(phase_index=n, phase_time_s=30.0 * n))
            for n in range(1, PHASES + 1)
        ),
    ]


def speed(images: int = 10_000, *, foreign: bool = False, pybids: bool = True) -> Speed:
    """Measure one tree; pybids opens the same tree, once."""
    with tempfile.TemporaryDirectory() as folder:
        root, file = Path(folder) / "bids", Path(folder) / "index.sqlite"
        count = write_tree(root, images, foreign=foreign)
        time.sleep(0.1)  # a file younger than the tick of the clock is read again
        index = [_seconds(lambda: Database(root, index=None).images) for _ in range(REPEATS)]
        database = Database(root, index=file)
        opened = [_seconds(lambda: Database(root, index=file)) for _ in range(REPEATS)]
        used = [_seconds(lambda: Database(root, index=file).images) for _ in range(REPEATS)]
        refreshed = [_seconds(database.refresh) for _ in range(REPEATS)]
        layout = _seconds(database.layout) if pybids else float("nan")
    middle = statistics.median(index)
    return Speed(
        images=count,
        index=middle,
        opened=statistics.median(opened),
        used=statistics.median(used),
        refreshed=statistics.median(refreshed),
        pybids=layout,
        spread=(max(index) - min(index)) / middle,
    )


def growth(sizes: tuple[int, ...] = (1_000, 10_000, 100_000)) -> list[Growth]:
    """Index trees of several sizes, each in a process of its own."""
    found: list[Growth] = []
    for images in sizes:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "bids"
            write_tree(root, images)
            command = [sys.executable, "-P", "-c", _CHILD, str(root), str(Path(folder) / "index.sqlite")]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            if said[3] != "False":
                raise RuntimeError("opening a tree imported torch")
            found.append(Growth(int(said[0]), float(said[1]), int(said[2])))
    return found


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def lines(images: int = 10_000) -> list[str]:
    """All figures in words."""
    out: list[str] = []
    for kind, foreign in (("export", False), ("foreign tree", True)):
        one = speed(images, foreign=foreign)
        out += [
            f"index of {one.images} images, {kind}: {one.index:.2f} s (spread {one.spread:.0%}); "
            f"pybids {one.pybids:.1f} s: {one.ratio:.0f} x",
            f"  unchanged: Database(root) {one.opened:.3f} s, with its images {one.used:.3f} s, "
            f"refresh() {one.refreshed:.3f} s",
        ]
    for each in growth((images // 10, images, images * 10)):
        out.append(
            f"growth: {each.images} images in {each.seconds:.2f} s ({each.seconds / each.images * 1e6:.0f} µs each), "
            f"peak {each.peak_bytes / 1e6:.0f} MB"
        )
    return out
