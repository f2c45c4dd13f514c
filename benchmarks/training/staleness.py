"""What is read after something changed: ours and MONAI's PersistentDataset through the same changes."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from monai.data import PersistentDataset
from monai.transforms import Compose, LoadImaged, ScaleIntensityRanged

from trialbids.datasets import CohortDataset, Database, Q
from trialbids.datasets.reading.cache import Cache

SHAPE = (32, 32, 16)
Read = Callable[[Path, float], torch.Tensor]


def write(path: Path, seed: int) -> None:
    """Voxels stored without compression, so that the size is always the same."""
    array = np.random.default_rng(seed).integers(0, 1000, SHAPE).astype(np.int16)
    path.write_bytes(gzip.compress(nib.Nifti1Image(array, np.eye(4)).to_bytes(), 0, mtime=0))


def restored(path: Path, seed: int) -> None:
    """The same with the old time."""
    before = path.stat()
    write(path, seed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def renamed(path: Path, seed: int) -> None:
    """Another file takes the place of this one."""
    write(path.with_name("other.nii.gz"), seed)
    path.with_name("other.nii.gz").replace(path)


def touched(path: Path, seed: int) -> None:
    """Only the time changes."""
    del seed
    path.touch()


CHANGES: dict[str, Callable[[Path, int], None]] = {
    "touched": touched, "rewritten, same size": write, "time restored": restored, "replaced by rename": renamed,
}  # fmt: skip


def run(folder: Path) -> list[str]:
    """A line for every change: whether each way reads what is there."""
    ways: dict[str, Callable[[Path], Read]] = {"ours, L1 and L2": _ours, "PersistentDataset": _persistent}
    out = ["", f"{'after this change':32}" + "".join(f"{name:>22}" for name in ways)]
    for change, apply in [*CHANGES.items(), ("another parameter", touched)]:
        words = [_judged(folder / name / change, way, apply, change) for name, way in ways.items()]
        out.append(f"{change:32}" + "".join(f"{word:>22}" for word in words))
    return out


def _judged(folder: Path, way: Callable[[Path], Read], apply: Callable[[Path, int], None], change: str) -> str:
    path = folder / "bids" / "sub-01" / "anat" / "sub-01_T2w.nii.gz"
    path.parent.mkdir(parents=True)
    write(path, 1)
    read, top = way(folder), 1000.0
    read(path, top), read(path, top)
    if change == "another parameter":
        top = 500.0
    else:
        apply(path, 2)
    expected = torch.from_numpy(np.asarray(nib.load(path).dataobj, dtype=np.float32) / np.float32(top))
    return "right" if torch.allclose(torch.as_tensor(read(path, top))[0].float(), expected, atol=1e-6) else "STALE"


def _steps(top: float) -> ScaleIntensityRanged:
    return ScaleIntensityRanged(["t2"], 0, top, 0, 1)


def _ours(folder: Path) -> Read:
    cohort = Database(folder / "bids").cohort(images={"t2": Q(suffix="T2w")}, qc=None)

    def read(path: Path, top: float) -> torch.Tensor:
        del path
        cache = Cache(folder / "cache")
        CohortDataset(cohort, cache=cache)[0]
        return CohortDataset(cohort, _steps(top), cache=cache)[0]["t2"].as_tensor()

    return read


def _persistent(folder: Path) -> Read:
    def read(path: Path, top: float) -> torch.Tensor:
        steps = Compose([LoadImaged("t2", ensure_channel_first=True), _steps(top)])
        return PersistentDataset([{"t2": str(path)}], steps, cache_dir=folder / "kept")[0]["t2"]

    return read
