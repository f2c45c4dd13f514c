"""How fast full volumes reach a training loop: trialbids (L0, no cache) against plain MONAI, on the same tree.

    python benchmarks/loading.py [--subjects 10] [--workers 2] [--repeats 5]

Writes a tree into a temporary folder, reads it with each loader in turn, and prints samples a second and the ratio
to plain MONAI: the median of the repeats, with the smallest and the largest. Figures are ratios within one run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import DataLoader, Dataset
from monai.transforms import LoadImaged

from trialbids.datasets import Cohort, CohortDataset, Database, NiftiReader, Q, collate

SHAPE = (256, 256, 32)
SEQUENCES = {"T1w": "anat", "T2w": "anat", "PDw": "anat", "FLAIR": "anat"}


def write_tree(root: Path, subjects: int) -> None:
    """Smooth int16 volumes with some noise, which compress about as images do."""
    rng = np.random.default_rng(0)
    grid = np.linspace(0, 12, SHAPE[0])
    smooth = 400 + 300 * np.sin(grid)[:, None, None] * np.cos(grid)[None, :, None] * np.ones(SHAPE[2])
    for n in range(subjects):
        for sequence, datatype in SEQUENCES.items():
            stem = f"sub-{n:02d}_{sequence}"
            folder = root / f"sub-{n:02d}" / datatype
            folder.mkdir(parents=True, exist_ok=True)
            volume = (smooth + rng.normal(0, 8, SHAPE)).astype(np.int16)
            nib.save(nib.Nifti1Image(volume, np.diag([0.7, 0.7, 4, 1])), folder / f"{stem}.nii.gz")
            record = {"sequence": sequence, "derived": [], "confidence": 1.0}
            (folder / f"{stem}.json").write_text(json.dumps({"Harmonised": record}))


def loaders(cohort: Cohort, workers: int) -> dict[str, DataLoader]:
    """The ways to read the cohort; the first is what the others are compared with."""
    keys = cohort.keys
    rows = [{key: sample[key] for key in keys} for sample in cohort]

    def monai(**options: Any) -> DataLoader:
        transform = LoadImaged(keys, ensure_channel_first=True, **options)
        return DataLoader(Dataset(rows, transform), batch_size=2, num_workers=workers)

    def ours(dtype: torch.dtype | None) -> DataLoader:
        return DataLoader(CohortDataset(cohort, dtype=dtype), batch_size=2, num_workers=workers, collate_fn=collate)

    return {
        "plain MONAI, LoadImaged": monai(),
        "MONAI with NiftiReader": monai(reader=NiftiReader),
        "CohortDataset, float32": ours(torch.float32),
        "CohortDataset, type kept": ours(None),
    }


def seconds(loader: DataLoader) -> float:
    """One epoch, every batch looked at by the main process."""
    start = time.perf_counter()
    for batch in loader:
        for value in batch.values():
            if isinstance(value, torch.Tensor) and value.ndim > 3:
                value[0, 0, 0, 0, 0].item()
    return time.perf_counter() - start


def same_values(a: DataLoader, b: DataLoader, keys: tuple[str, ...]) -> bool:
    first, second = next(iter(a)), next(iter(b))
    return all(torch.equal(first[key].float(), second[key].float()) for key in keys)


def main(say: Callable[[str], object] = lambda line: sys.stdout.write(line + "\n")) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--subjects", type=int, default=10)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--repeats", type=int, default=5)
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_tree(root, args.subjects)
        cohort = Database(root).cohort(images={name.lower(): Q(name) for name in SEQUENCES}, qc=None)
        ways = loaders(cohort, args.workers)
        base = next(iter(ways))
        if not all(same_values(ways[base], loader, cohort.keys) for loader in ways.values()):
            raise SystemExit("the loaders do not give the same values")
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(args.repeats):
            for name, loader in ways.items():
                times[name].append(seconds(loader))
    say(f"{len(cohort)} samples of {len(SEQUENCES)} volumes {SHAPE}, {args.workers} workers, {args.repeats} repeats")
    say(f"{'':28}{'samples/s':>10}{'ratio':>8}{'min':>7}{'max':>7}")
    for name, taken in times.items():
        ratios = [reference / own for reference, own in zip(times[base], taken, strict=True)]
        rate = len(cohort) / statistics.median(taken)
        say(f"{name:28}{rate:10.1f}{statistics.median(ratios):8.2f}{min(ratios):7.2f}{max(ratios):7.2f}")


if __name__ == "__main__":
    main()
