"""How long image metrics and checks of voxels take, by metric and altogether, beside bare reading and writing.

    python benchmarks/qc_speed.py [--runs 15]

One core; the least and the median of several runs, in ms, of 4 MiB of 16 bits. The time is that of the process, not of
the clock: other work on the machine counts less. OpenBLAS and OpenCV have one thread, as in a worker of the program.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported, which starts them

import cv2
import nibabel as nib
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from pixelmaker import stack_of  # pyright: ignore[reportMissingImports]

from trialbids.exporter.convert.nifti import encode
from trialbids.exporter.convert.volume import Volume
from trialbids.exporter.qc.check import run_checks
from trialbids.exporter.qc.metrics import measure
from trialbids.exporter.qc.metrics.regions import Regions
from trialbids.exporter.qc.metrics.table import IMAGE
from trialbids.exporter.qc.pixels.checks import PIXELS, check_pixels
from trialbids.exporter.qc.pixels.digests import slice_digests
from trialbids.exporter.qc.pixels.picture import Picture
from trialbids.exporter.qc.pixels.sketch import sketch_of
from trialbids.exporter.qc.pixels.view import Pixels
from trialbids.mappings.record import Record

SHAPE = (256, 256, 32)
COVERS = (0.25, 0.6)
SHARED = ("raw", "stored", "levels", "threshold", "inside", "inside_counts", "hull", "air_levels", "words", "sampled")
HEADER_BYTES = 352
DYNAMIC = Record(sequence="DCE", part="mag")
"""A record whose images are sketched too."""
Spent = tuple[float, float]


def phantom(cover: float) -> Volume:
    """An ellipse with a texture in Rician noise."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.linspace(-1, 1, SHAPE[0]), np.linspace(-1, 1, SHAPE[1]), indexing="ij")
    body = np.where(x**2 + y**2 < cover * 4 / np.pi, 800.0, 0.0) * (1 + 0.3 * np.sin(30 * x) * (y > 0))
    noise = rng.normal(0, 20, (2, *SHAPE))
    voxels = np.asfortranarray(np.hypot(body[..., None] + noise[0], noise[1]).astype(np.int16))
    said = {"InPlanePhaseEncodingDirectionDICOM": "COL", "ImageOrientationPatientDICOM": [1, 0, 0, 0, 1, 0]}
    affine = np.diag([-2.0, 2.0, 5.0, 1.0])  # where stack_of has it
    affine[1, 3] = -2.0 * (SHAPE[1] - 1)
    return Volume(
        header=nib.Nifti1Image(voxels, affine).header, voxels=voxels, affine=affine, slope=1.0, inter=0.0,
        sidecar=said, bval=None, bvec=None, converter="phantom",
    )  # fmt: skip


def milliseconds(work: Callable[[], object]) -> float:
    """The time of the process that ``work`` takes."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def spent_on(work: Callable[[], object], runs: int) -> Spent:
    """The least and the median time of several runs, after one to warm up."""
    work()
    return summary([milliseconds(work) for _ in range(runs)])


def summary(times: Sequence[float]) -> Spent:
    """The least and the median."""
    return min(times), float(np.median(times))


def by_part(volume: Volume, runs: int) -> dict[str, Spent]:
    """What each shared array, metric and check takes, in order: who asks first pays for what later ones share."""
    spent: dict[str, list[float]] = {}
    stack = stack_of(volume.voxels)

    def add(name: str, work: Callable[[], object]) -> None:
        spent.setdefault(name, []).append(milliseconds(work))

    for _ in range(runs):
        picture = Picture(volume)
        regions = Regions(picture, phase_axis=1)
        for name in SHARED:
            add(f"shared: {name}", partial(getattr, picture, name))
        for metric in IMAGE:
            add(metric.name, partial(metric.function, regions))
        pixels = Pixels(picture, stack, DYNAMIC)
        for check in PIXELS:
            add(f"{check.code} {check.severity}", partial(run_checks, [check], pixels))
        add("sketch", partial(sketch_of, pixels))
        add("digests", partial(slice_digests, pixels))
    return {name: summary(times) for name, times in spent.items()}


def wholes(volume: Volume, runs: int) -> Iterator[tuple[str, Spent]]:
    """What all metrics, all checks of voxels and both take, and the bare reading and writing of the image."""
    stack = stack_of(volume.voxels)

    def checks(picture: Picture) -> None:
        pixels = Pixels(picture, stack, DYNAMIC)
        check_pixels(pixels)
        sketch_of(pixels)
        slice_digests(pixels)

    def both() -> None:
        picture = Picture(volume)
        measure(picture)
        checks(picture)

    packed = encode(volume)
    yield "all metrics (at most 35)", spent_on(partial(measure, volume), runs)
    yield "all checks, sketch, digests (25)", spent_on(lambda: checks(Picture(volume)), runs)
    yield "both (at most 60)", spent_on(both, runs)
    yield "bare: read .nii.gz", spent_on(partial(read, packed), runs)
    yield "bare: encode .nii.gz", spent_on(partial(encode, volume), min(runs, 5))


def read(packed: bytes) -> object:
    """Unpack the image and touch every voxel."""
    with gzip.open(io.BytesIO(packed)) as file:
        return np.frombuffer(file.read()[HEADER_BYTES:], np.int16).max()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    cv2.setNumThreads(1)
    for cover in COVERS:
        volume = phantom(cover)
        print(f"\n{volume.voxels.nbytes / 2**20:.0f} MiB, {SHAPE}, a body over {cover:.0%} of the plane")
        print(f"  {'':<34}{'least':>8}{'median':>8} ms")
        for name, (least, median) in (*by_part(volume, runs).items(), *wholes(volume, runs)):
            print(f"  {name:<34}{least:8.2f}{median:8.2f}")


if __name__ == "__main__":
    main()
