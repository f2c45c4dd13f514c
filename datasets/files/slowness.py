"""What makes reading slow without a word."""

from __future__ import annotations

import warnings
from functools import cache
from importlib.util import find_spec


@cache
def warn_of_indexed_gzip() -> None:
    """Warn, once a process, where ``indexed_gzip`` is installed: nibabel then takes it for every ``.nii.gz``, also to
    read it whole, which is about three times slower. Our own reading does not use it."""
    if find_spec("indexed_gzip") is not None:
        warnings.warn(
            "indexed_gzip is installed, and nibabel (MONAI's LoadImaged, TorchIO) reads whole .nii.gz files about "
            "three times slower with it; read with CohortDataset, LoadSequencesd or NiftiReader, or uninstall it.",
            stacklevel=3,
        )
