"""Faults of geometry: G01 to G12."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fault import PLAIN, Inject, Item, fault, grade, some
from .faults_identity import other_uid
from .scans import Slice, ds_text, pixels_of, volumes

Slices = list[Slice]
Rng = np.random.Generator
ANY = (*PLAIN, "ct")
WIDE = (*PLAIN, "ct", "dixon", "echoes")
COUNTED = ("ge", "philips", "canon", "fujifilm")


def vector(ds: Slice, keyword: str) -> NDArray[np.float64]:
    """The numbers of a multi-valued element."""
    return np.array([float(v) for v in ds[keyword].value])


def put(ds: Slice, keyword: str, values: NDArray[np.float64]) -> None:
    """Store numbers as decimal strings."""
    setattr(ds, keyword, [ds_text(float(v)) for v in values])


def normal(ds: Slice) -> NDArray[np.float64]:
    """The unit vector along which the slices follow each other."""
    cosines = vector(ds, "ImageOrientationPatient")
    return np.cross(cosines[:3], cosines[3:])


def spacing(series: Slices) -> float:
    """The distance of the slices as they were drawn."""
    by_index = {ds.drawn.index: ds for ds in series if ds.drawn.part == series[0].drawn.part}
    first, second = by_index[min(by_index)], by_index[min(by_index) + 1]
    along = vector(second, "ImagePositionPatient") - vector(first, "ImagePositionPatient")
    return abs(float(along @ normal(first)))


def moved(ds: Slice, by: NDArray[np.float64]) -> None:
    """Shift a slice."""
    put(ds, "ImagePositionPatient", vector(ds, "ImagePositionPatient") + by)


def kept(series: Slices, lost: Slices) -> list[Item]:
    """The series without some data sets."""
    gone = {id(ds) for ds in lost}
    return [ds for ds in series if id(ds) not in gone]


def a_volume(series: Slices, rng: Rng) -> Slices:
    """The slices of one part of the scan, by chance."""
    found = list(volumes(series).values())
    return found[int(rng.integers(len(found)))]


def _gone(keyword: str, empty: bool) -> Inject:
    def inject(series: Slices, strength: float, rng: Rng) -> list[Item]:
        for ds in series if strength >= 1 else some(series, strength, rng):
            if empty:
                setattr(ds, keyword, None)
            else:
                delattr(ds, keyword)
        return list(series)

    return inject


for _keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
    for _empty in (False, True):
        _what = "empty" if _empty else "missing"
        fault("G01", "error", f"{_keyword} {_what}", kinds=(*ANY, "dce"), packed=not _empty)(_gone(_keyword, _empty))


def _turned(ds: Slice, kind: str, by: float) -> None:
    cosines = vector(ds, "ImageOrientationPatient")
    if kind == "not unit":
        cosines[:3] *= 1 + by
    else:
        cosines[3:] = np.cos(by) * cosines[3:] + np.sin(by) * cosines[:3]
    put(ds, "ImageOrientationPatient", cosines)


def _crooked(kind: str, everywhere: bool, mild: float, gross: float) -> Inject:
    def inject(series: Slices, strength: float, rng: Rng) -> list[Item]:
        for ds in series if everywhere else some(series, strength, rng):
            _turned(ds, kind, grade(strength, mild, gross))
        return list(series)

    return inject


for _kind in ("not unit", "not orthogonal"):
    for _everywhere, _where in ((True, "all slices"), (False, "some slices")):
        fault("G02", "error", f"{_kind}, {_where}", kinds=WIDE, packed=True)(_crooked(_kind, _everywhere, 1.3e-3, 0.1))
        fault("G02", "warning", f"{_kind}, {_where}", kinds=WIDE)(_crooked(_kind, _everywhere, 1.5e-4, 8e-4))


@fault("G04", "error", "slices lost inside", kinds=(*WIDE, "dwi", "dce"), packed=True)
def slices_lost(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """One to five neighbouring slices never arrived, of every volume."""
    count = int(grade(strength, 1, 5))
    slices = 1 + max(ds.drawn.index for ds in series)
    start = int(rng.integers(2, slices - count - 2))
    return kept(series, [ds for ds in series if start <= ds.drawn.index < start + count])


@fault("G04", "error", "slices lost at several places", kinds=WIDE)
def slices_lost_here_and_there(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Single slices never arrived."""
    inner = range(2, max(ds.drawn.index for ds in series) - 1)
    lost = set(rng.choice(list(inner)[::2], size=int(grade(strength, 1, 4)), replace=False))
    return kept(series, [ds for ds in series if ds.drawn.index in lost])


@fault("G04", "error", "a gap", kinds=WIDE, packed=True)
def gap(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """From one slice on all lie further off: a gap of 1.6 to 6 times the spacing."""
    start = int(rng.integers(3, max(ds.drawn.index for ds in series) - 2))
    by = normal(series[0]) * spacing(series) * (grade(strength, 1.6, 6.0) - 1)
    for ds in series:
        if ds.drawn.index >= start:
            moved(ds, by)
    return list(series)


@fault("G05", "warning", "one slice off its place", kinds=(*WIDE, "dce"), packed=True)
def slice_moved(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A slice lies too near to one neighbour and too far from the other."""
    step = spacing(series)
    by = normal(series[0]) * grade(strength, 1.4 * max(0.1, 0.05 * step), 0.4 * step)
    index = int(rng.integers(2, max(ds.drawn.index for ds in series) - 1))
    for ds in series:
        if ds.drawn.index == index:
            moved(ds, by)
    return list(series)


@fault("G05", "warning", "growing spacing", kinds=WIDE)
def spacing_grows(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The spacing changes from slice to slice, in the end by 1.5 times the tolerance to 40 % in all."""
    step, last = spacing(series), max(ds.drawn.index for ds in series)
    most = grade(strength, 3.0 * max(0.1, 0.05 * step), 0.4 * step)
    for ds in series:
        moved(ds, normal(ds) * most * ds.drawn.index**2 / (2 * last))
    return list(series)


@fault("G06", "warning", "SpacingBetweenSlices contradicts", kinds=(*PLAIN, "dixon", "echoes"))
def spacing_contradicts(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The header's spacing is 15 % to 150 % larger, or smaller, than that of the positions."""
    factor = 1 + grade(strength, 0.15, 1.5)
    step = spacing(series) * (factor if rng.random() < 0.6 else 1 / factor)
    for ds in series:
        ds.SpacingBetweenSlices = ds_text(step)
    return list(series)


@fault("G06", "warning", "slices overlap", kinds=PLAIN)
def slices_overlap(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """2D slices 1.4 to 4 times as thick as they lie apart, and no word of their spacing."""
    return _thickness(series, spacing(series) * grade(strength, 1.4, 4.0))


@fault("G06", "warning", "gaps between slices", kinds=PLAIN)
def slices_apart(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Slices two to six times as far apart as they are thick, and no word of their spacing."""
    return _thickness(series, spacing(series) / grade(strength, 2.2, 6.0))


def _thickness(series: Slices, thickness: float) -> list[Item]:
    for ds in series:
        ds.SliceThickness = ds_text(thickness)
        del ds.SpacingBetweenSlices
    return list(series)


@fault("G07", "error", "pixel spacing varies", kinds=(*WIDE, "dce"))
def pixel_spacing_varies(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Some slices of a volume have another pixel size: 0.5 % to 30 %."""
    factor = 1 + grade(strength, 0.005, 0.3)
    for ds in some(a_volume(series, rng), strength, rng):
        put(ds, "PixelSpacing", vector(ds, "PixelSpacing") * factor)
    return list(series)


@fault("G07", "error", "matrix varies", kinds=(*WIDE, "dce"))
def matrix_varies(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Some slices of a volume have fewer rows or columns: two to half."""
    across = rng.random() < 0.5
    for ds in some(a_volume(series, rng), strength, rng):
        pixels = pixels_of(ds)
        lost = 2 * int(grade(strength, 1, min(pixels.shape) / 4))
        pixels = pixels[:, :-lost] if across else pixels[:-lost]
        ds.Rows, ds.Columns = pixels.shape
        ds.PixelData = np.ascontiguousarray(pixels).astype("<i2" if ds.PixelRepresentation else "<u2").tobytes()
    return list(series)


@fault("G08", "warning", "a slice shifted in plane", kinds=(*WIDE, "dce"), packed=True)
def slice_shifted(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Slices lie beside the others: 0.15 to 15 mm."""
    for ds in some(a_volume(series, rng), strength, rng, most=0.3):
        cosines, angle = vector(ds, "ImageOrientationPatient"), rng.uniform(0, 2 * np.pi)
        moved(ds, grade(strength, 0.15, 15.0) * (np.cos(angle) * cosines[:3] + np.sin(angle) * cosines[3:]))
    return list(series)


@fault("G08", "warning", "tilt", kinds=WIDE, packed=True)
def tilted(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Every slice a little further down: 0.15 mm a slice to a gantry tilt of some 45 degrees."""
    by = grade(strength, 0.15, spacing(series))
    for ds in series:
        moved(ds, vector(ds, "ImageOrientationPatient")[3:] * by * ds.drawn.index)
    return list(series)


def _another_frame(of: str) -> Inject:
    def inject(series: Slices, strength: float, rng: Rng) -> list[Item]:
        parts = [v for (kind, part), v in volumes(series).items() if of in (kind, part) or (not of and part != "image")]
        uid = other_uid(rng)
        chosen = parts[-1:] if strength < 1 else parts[len(parts) // 2 :]
        for ds in (ds for part in chosen for ds in part):
            ds.FrameOfReferenceUID = uid
        return list(series)

    return inject


fault("G10", "warning", "ADC against its diffusion", kinds=("dwi",), graded=False)(_another_frame("adc"))
fault("G10", "warning", "phases", kinds=("dce",), vendors=("siemens", "uih"))(_another_frame(""))
fault("G10", "warning", "Dixon products", kinds=("dixon",), vendors=("siemens", "canon", "hitachi", "uih", "fujifilm"))(
    _another_frame("")
)


@fault("G12", "warning", "counted, an end lost", kinds=PLAIN, vendors=COUNTED)
def end_lost(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The first or last slices of a volume never arrived, and the maker's count says so."""
    return _cut(series, volumes(series), strength, rng)


@fault("G12", "warning", "one Dixon product shorter", kinds=("dixon",))
def product_shorter(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """One product of a Dixon scan lacks its first or last slices."""
    return _cut(series, _one(series, rng), strength, rng)


@fault("G12", "warning", "ADC shorter than its diffusion", kinds=("dwi",))
def adc_shorter(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The ADC map lacks its first or last slices."""
    return _cut(series, {k: v for k, v in volumes(series).items() if k[0] == "adc"}, strength, rng)


@fault("G12", "warning", "one echo shorter", kinds=("echoes",))
def echo_shorter(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """One echo lacks its first or last slices."""
    return _cut(series, _one(series, rng), strength, rng)


def _one(series: Slices, rng: Rng) -> dict[tuple[str, str], Slices]:
    found = volumes(series)
    key = list(found)[int(rng.integers(len(found)))]
    return {key: found[key]}


def _cut(series: Slices, parts: dict[tuple[str, str], Slices], strength: float, rng: Rng) -> list[Item]:
    count, top = int(grade(strength, 1, 4)), rng.random() < 0.5
    lost = [ds for slices in parts.values() for ds in (slices[:count] if top else slices[-count:])]
    return kept(series, lost)
