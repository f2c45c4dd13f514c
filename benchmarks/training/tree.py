"""A tree of smooth int16 volumes with some noise, which compress about as images do."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (256, 256, 32)
SEQUENCES = {"T1w": "anat", "T2w": "anat", "PDw": "anat", "FLAIR": "anat"}


def write_tree(root: Path, subjects: int) -> None:
    """Four volumes for every subject."""
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
