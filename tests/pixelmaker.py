"""Images in memory for tests of voxels: a body with organs in noise, as a scanner would measure it, and its stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from nibabel.nifti1 import Nifti1Image
from seriesmaker import series

from trialbids.exporter.convert.volume import Volume
from trialbids.exporter.qc.check import Finding
from trialbids.exporter.qc.pixels.checks import check_pixels
from trialbids.exporter.qc.pixels.picture import Picture
from trialbids.exporter.qc.pixels.view import Pixels
from trialbids.exporter.stacks.stack import Stack
from trialbids.mappings.record import Record

SIZE, SLICES = 96, 14
PIXEL_MM, STEP_MM = 2.0, 5.0
T2W = Record(sequence="T2w")


def body(seed: int = 0, n_slices: int = SLICES, noise: float = 12.0) -> np.ndarray:
    """(x, y, slices) float: an ellipse with organs that change from slice to slice, in Rician noise."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE), indexing="ij")
    volume = np.zeros((SIZE, SIZE, n_slices))
    centres, sizes = rng.uniform(-0.5, 0.5, (9, 3)), rng.uniform(0.15, 0.4, 9)
    for k in range(n_slices):
        z = 2 * k / (n_slices - 1) - 1
        tissue = 600 + 80 * x + 60 * np.sin(5 * y + z)
        for n, ((a, b, c), size) in enumerate(zip(centres, sizes, strict=True)):
            tissue += (-1) ** n * 260 * np.exp(-(((x - a) ** 2 + (y - b) ** 2 + (z - 2 * c) ** 2) / size**2))
        volume[:, :, k] = np.where((x / 0.8) ** 2 + (y / 0.65) ** 2 < 1, tissue, 0)
    return np.hypot(volume + rng.normal(0, noise, volume.shape), rng.normal(0, noise, volume.shape))


def stack_of(voxels: np.ndarray, bvalues: Sequence[float] = (), number: int = 1, **header: object) -> Stack:
    """The axial stack that an image (x, y, slices[, volumes]) was made of; ``header`` holds DICOM keywords."""
    n_slices, n_volumes = voxels.shape[2], voxels.shape[3] if voxels.ndim > 3 else 1
    values = {
        "Rows": voxels.shape[1], "Columns": voxels.shape[0], "PixelSpacing": (PIXEL_MM, PIXEL_MM),
        "BitsAllocated": 16, "BitsStored": 12, "PixelRepresentation": 0,
    }  # fmt: skip
    rows = [
        replace(i, ImagePositionPatient=(0.0, 0.0, STEP_MM * k))
        for n in range(n_volumes)
        for k, i in enumerate(series(number, n_slices, piece=n, **(values | header)))
    ]
    return Stack(
        stack_id=f"s{number}", acquisition_id="a1", instances=tuple(rows),
        volume=tuple(n for n in range(n_volumes) for _ in range(n_slices)),
        n_slices=n_slices, n_volumes=n_volumes, bvalues=tuple(bvalues),
    )  # fmt: skip


def volume_of(voxels: np.ndarray, slope: float = 1.0, dtype: type = np.int16) -> Volume:
    """The converted image, on the grid of :func:`stack_of`."""
    stored = np.asfortranarray(voxels.astype(dtype))
    affine = np.diag([-PIXEL_MM, PIXEL_MM, STEP_MM, 1.0])
    affine[:3, 3] = 0.0, -(voxels.shape[1] - 1) * PIXEL_MM, 0.0
    return Volume(
        header=Nifti1Image(np.zeros((1, 1, 1), np.int16), affine).header, voxels=stored, affine=affine, slope=slope,
        inter=0.0, sidecar={}, bval=None, bvec=None, converter="test",
    )  # fmt: skip


def pixels_of(voxels: np.ndarray, record: Record = T2W, dtype: type = np.int16, **header: object) -> Pixels:
    """The image as checks see it."""
    return Pixels(Picture(volume_of(voxels, dtype=dtype)), stack_of(voxels, **header), record)


def found_in(voxels: np.ndarray, record: Record = T2W, dtype: type = np.int16, **header: object) -> tuple[Finding, ...]:
    """What the checks of voxels say."""
    return check_pixels(pixels_of(voxels, record, dtype, **header))


def codes(findings: Sequence[Finding]) -> list[str]:
    """Check and first letter of the severity of each finding: ``P01e``."""
    return [f.check + f.severity[0] for f in findings]
