"""Faults of voxels: P01 to P10 (P09 needs another converter: see ``converter``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fault import PLAIN, Item, fault, grade, some
from .scans import Slice, pixels_of, set_pixels, volumes

Slices = list[Slice]
Rng = np.random.Generator
ANY = (*PLAIN, "ct", "dce", "dixon")
MR = (*PLAIN, "dce")


def _a_volume(series: Slices, rng: Rng) -> Slices:
    found = [v for (kind, part), v in volumes(series).items() if kind != "adc" and part not in ("water", "fat")]
    return found[int(rng.integers(len(found)))]


def _stack(slices: Slices) -> NDArray[np.float64]:
    return np.stack([pixels_of(ds) for ds in slices]).astype(np.float64)


def _store(slices: Slices, stack: NDArray[np.float64]) -> None:
    for ds, pixels in zip(slices, stack, strict=True):
        low, high = (-32768, 32767) if ds.PixelRepresentation else (0, 2 ** int(ds.BitsStored) - 1)
        set_pixels(ds, np.clip(np.rint(pixels), low, high))


def _flatten(ds: Slice, strength: float, rng: Rng) -> None:
    value = 0 if strength >= 1 else int(rng.integers(1, 900))
    set_pixels(ds, np.full((ds.Rows, ds.Columns), value))


@fault("P01", "error", "constant slice inside", kinds=(*ANY, "dwi"), trial="pixel")
def constant_inside(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Slices inside a volume hold one value (nought, where it is gross): one, up to a third."""
    for ds in some(_a_volume(series, rng), strength, rng, most=0.33):
        _flatten(ds, strength, rng)
    return list(series)


@fault("P01", "warning", "constant slice at an end", kinds=PLAIN, trial="pixel")
def constant_end(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The first or last slice holds one value; both, where it is gross."""
    volume = _a_volume(series, rng)
    ends = [volume[0], volume[-1]]
    for ds in ends if strength >= 1 else [ends[int(rng.integers(2))]]:
        _flatten(ds, strength, rng)
    return list(series)


@fault("P01", "warning", "constant slice in a derived image", kinds=("dwi",), trial="pixel")
def constant_derived(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Slices inside the ADC are empty."""
    for ds in some([ds for ds in series if ds.drawn.kind == "adc"], strength, rng):
        _flatten(ds, 1.0, rng)
    return list(series)


@fault("P02", "warning", "values above BitsStored", kinds=MR, trial="pixel")
def above_bits(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Voxels hold more than 12 bits can: three in one slice, up to many in half of them."""
    for ds in some(_a_volume(series, rng), strength, rng):
        pixels = pixels_of(ds).reshape(-1)
        chosen = rng.choice(pixels.size, int(grade(strength, 3, pixels.size / 10)), replace=False)
        pixels[chosen] = rng.integers(4096, 65535, chosen.size)
        set_pixels(ds, pixels.reshape(ds.Rows, ds.Columns))
    return list(series)


@fault("P03", "warning", "saturated", kinds=MR, trial="pixel")
def saturated(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A gain so high that 1 to 25 % of a volume's voxels stand at 4095."""
    return _clipped(series, strength, rng, 4095)


@fault("P03", "warning", "clipped below the ceiling", kinds=MR, trial="pixel")
def clipped(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """1 to 25 % of a volume's voxels stand at one highest value that is no power of two."""
    return _clipped(series, strength, rng, int(rng.integers(700, 3000)))


def _clipped(series: Slices, strength: float, rng: Rng, ceiling: int) -> list[Item]:
    volume = _a_volume(series, rng)
    stack = _stack(volume)
    level = np.percentile(stack, 100 - grade(strength, 1.0, 25.0))
    _store(volume, np.minimum(stack * ceiling / level, ceiling))
    return list(series)


@fault("P04", "warning", "rescale varies", kinds=(*MR, "ct"), trial="pixel")
def rescale_varies(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Slices of a volume say other slopes, and their stored values are not scaled to it: by 5 % up to threefold."""
    volume = _a_volume(series, rng)
    chosen = some(volume, strength, rng)
    for ds in series:
        ds.RescaleIntercept, ds.RescaleSlope = ds.get("RescaleIntercept", "0"), ds.get("RescaleSlope", "1")
    for ds in chosen:
        ds.RescaleSlope = f"{float(ds.RescaleSlope) * (1 + grade(strength, 0.05, 2.0)):.6f}"
    return list(series)


@fault("P05", "warning", "a slice brighter or darker", kinds=(*PLAIN, "dce"), trial="pixel")
def slice_jumps(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """One slice is brighter or darker than its neighbours: 9 to 60 median absolute deviations of the steps between."""
    volume = _a_volume(series, rng)
    stack = _stack(volume)
    body = stack > np.percentile(stack, 60)
    means = np.array([s[b].mean() for s, b in zip(stack, body, strict=True)])
    steps = np.diff(means)
    spread = 1.4826 * np.median(np.abs(steps - np.median(steps)))
    index = int(rng.integers(3, len(stack) - 3))
    jump = grade(strength, 9.0, 60.0) * max(spread, 0.01 * means[index])
    factor = 1 + jump / means[index]
    stack[index] *= factor if rng.random() < 0.5 else 1 / factor
    _store(volume, stack)
    return list(series)


@fault("P06", "warning", "a foreign slice", kinds=(*MR, "ct"), trial="pixel")
def foreign_slice(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A slice shows something else: its own content rolled by half the field and turned, or mixed with noise."""
    volume = _a_volume(series, rng)
    stack = _stack(volume)
    index = int(rng.integers(2, len(stack) - 2))
    rows, columns = stack.shape[1:]
    own = stack[index]
    if strength >= 1:
        stack[index] = np.roll(own[::-1, ::-1], (rows // 2, columns // 2), (0, 1))
    else:
        share = grade(strength, 0.12, 0.02)
        stack[index] = share * own + rng.permutation(own.reshape(-1)).reshape(own.shape)
    _store(volume, stack)
    return list(series)


@fault("P07", "error", "inverted grey scale", kinds=MR, trial="pixel")
def inverted(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """MONOCHROME1 in an MR image: one slice, up to all."""
    for ds in series if strength >= 1 else some(series, strength, rng):
        ds.PhotometricInterpretation = "MONOCHROME1"
    return list(series)


@fault("P07", "error", "colour", kinds=(*PLAIN, "ct"), trial="pixel")
def coloured(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """An original stored in colour: RGB of three samples of 8 bits."""
    for ds in series:
        pixels = pixels_of(ds).astype(np.float64)
        grey = np.clip(255 * (pixels - pixels.min()) / max(1.0, float(np.ptp(pixels))), 0, 255).astype(np.uint8)
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
        tint = np.array([1.0, grade(strength, 0.98, 0.5), 1.0])
        ds.PixelData = (grey[..., None] * tint).astype(np.uint8).tobytes()
    return list(series)


@fault("P07", "error", "palette", kinds=(*PLAIN, "ct"), trial="pixel", graded=False)
def palette(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """PALETTE COLOR without a word why."""
    for ds in series:
        ds.PhotometricInterpretation = "PALETTE COLOR"
    return list(series)


@fault("P08", "warning", "text in the pixels", kinds=(*PLAIN, "ct"), trial="pixel")
def burned_text(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Letters of the largest value: a short mark in one slice, up to lines of text in half of them."""
    import cv2

    for ds in some(series, strength, rng):
        pixels, drawn = pixels_of(ds), np.zeros((ds.Rows, ds.Columns), np.uint8)
        lines = ["HOSPITAL", "MEIER ANNA", "1950-02-11"] if strength >= 0.5 else ["MEIER A"]
        for k, line in enumerate(lines):
            place = (2, 10 + 12 * k)
            cv2.putText(drawn, line, place, cv2.FONT_HERSHEY_SIMPLEX, grade(strength, 0.36, 0.42), 255, 1)
        top = min(1.1 * float(pixels.max()), 4095.0)
        set_pixels(ds, np.where(drawn > 127, top, pixels))
    return list(series)


@fault("P10", "warning", "eight bits in sixteen", kinds=MR, trial="pixel")
def eight_bits(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A windowed export: some slices, up to all, hold no more than 256 values. Mild: in half of the slices only."""
    top = max(int(pixels_of(ds).max()) for ds in series)
    chosen = series if strength >= 0.5 else series[: len(series) // 2]
    for ds in chosen:
        set_pixels(ds, np.rint(pixels_of(ds) * (255.0 / top)))
        ds.BitsStored, ds.HighBit = 8, 7
    return list(series)


@fault("P10", "warning", "eight bits allocated", kinds=MR, trial="pixel")
def eight_allocated(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A windowed export as bytes."""
    top = max(int(pixels_of(ds).max()) for ds in series)
    for ds in series:
        pixels = np.rint(pixels_of(ds) * (255.0 / top)).astype(np.uint8)
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
        ds.PixelData = pixels.tobytes()
    return list(series)
