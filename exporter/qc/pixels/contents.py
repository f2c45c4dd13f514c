"""Checks of the stored values of an image: constant slices, values that cannot be, saturation, 8-bit exports."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from ..check import Evidence, about
from .levels import Levels, levels_of
from .picture import Picture
from .stored import beyond_bits
from .view import Pixels

EMPTY_SHARE = 0.005
"""A slice that spans less of the volume's range than this is as good as constant: noise alone spans more."""
NEARLY, SHOWN = 0.998, 0.9
"""A slice is nearly constant where one value has more than the first share of it, which in the others has less than
the second."""
SAMPLED = 61
"""Every such voxel of a slice is looked at first."""
FEWEST_LEVELS, MOST_CLIPPED = 8, 0.7
"""A foreground of fewer different values, or with a larger part at one, is a drawing: it has no ceiling."""
DRAWN, MOST_CLIPPED_MEASURED = 0.5, 0.95
"""Where no value holds this share of all that is not clipped, there is noise: a measurement, of which more may be."""
CLIPPED_SLICE = 0.01
"""A slice with less of it at its own highest value is not looked at more closely."""
BELOW_CEILING = 0.1
"""The part of the range just below the highest value where a clipped image has values too, but fewer."""
EIGHT_BITS = 255
FEWEST_EIGHT_BIT_LEVELS = 64
"""An 8-bit image that was stretched still has at least so many different values."""
MEASURED = ("MR", "CT", "PT", "NM")
"""Modalities whose scanners store more than 8 bits."""


def constant_inside(pixels: Pixels, share: float) -> Iterator[Evidence]:
    """All voxels of a slice are equal, in an original image between slices that are not."""
    if pixels.is_signal:
        inside, _ = _constant(pixels, share)
        yield from _said_constant(pixels, inside, "inside the image", "inside")


def constant_elsewhere(pixels: Pixels, share: float) -> Iterator[Evidence]:
    """The same in the first or last slices of an original image, or anywhere in a derived one; and between slices that
    are not where no error is made of it."""
    inside, ends = _constant(pixels, share)
    if pixels.is_signal:
        yield from _said_constant(pixels, inside, "inside the image", "inside")
        yield from _said_constant(pixels, ends, "at the first or last slices", "ends")
    else:
        yield from _said_constant(pixels, inside | ends, "in a derived image", "derived")


def _constant(pixels: Pixels, share: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Constant slices that lie inside and those at the ends, each (volumes, slices); a constant volume is inside."""
    lows, highs = pixels.extremes
    span = np.where(np.isfinite(highs - lows), highs - lows, np.inf)
    typical = np.median(span, axis=1, keepdims=True)
    constant = span <= share * np.where(np.isfinite(typical), typical, 0.0)
    ends = np.logical_and.accumulate(constant, axis=1) | np.logical_and.accumulate(constant[:, ::-1], axis=1)[:, ::-1]
    ends &= ~constant.all(axis=1, keepdims=True)
    return (constant & ~ends) | _nearly_constant(pixels, constant), ends


def _nearly_constant(pixels: Pixels, constant: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(volumes, slices) Slices that hold one value but for specks (a mark in the corner, a hot pixel), among slices
    that do not. Towards the ends of a volume less and less may be seen of a masked body, which is no fault."""
    shares = np.array([_share_of_one_value(pixels, n) for n in range(pixels.n_volumes)])
    near = shares > NEARLY
    ends = np.logical_and.accumulate(near, axis=1) | np.logical_and.accumulate(near[:, ::-1], axis=1)[:, ::-1]
    return near & ~ends & ~constant & (np.median(shares, axis=1, keepdims=True) < SHOWN)


def _share_of_one_value(pixels: Pixels, n: int) -> NDArray[np.float64]:
    """(slices,) Share of the voxels that have the value met in the middle of the slice, or halfway from there to the
    first corner: of a slice that is nearly constant the one value. Of a sample, unless that is nearly constant."""
    slices = np.moveaxis(pixels.volume(n).raw, pixels.slice_axis, 0)
    flat = slices.reshape(len(slices), -1)
    rows, columns = slices.shape[1:]
    at = [(rows // n) * columns + columns // n for n in (2, 4)]
    sample = flat[:, ::SAMPLED]
    shares = np.max([np.count_nonzero(sample == flat[:, [k]], axis=1) / sample.shape[1] for k in at], axis=0)
    for k in np.flatnonzero(shares > SHOWN):
        shares[k] = max(np.count_nonzero(flat[k] == value) for value in flat[k, at]) / flat.shape[1]
    return shares[::-1] if pixels.backwards else shares


def _said_constant(pixels: Pixels, where: NDArray[np.bool_], words: str, key: str) -> Iterator[Evidence]:
    found = np.argwhere(where)
    if len(found):
        pairs = [(int(n), int(k)) for n, k in found]
        volume, k = pairs[0]
        message = f"{len(pairs)} of {where.size} slices are constant or empty {words}, the first is slice {k + 1}"
        if pixels.n_volumes > 1:
            message += f" of volume {volume + 1}"
        values = (("slices", len(pairs)), ("first", k + 1))
        yield Evidence(message, key, values, pixels.places(pairs), about=about(pairs))


def not_numbers(pixels: Pixels, _tolerance: float) -> Iterator[Evidence]:
    """Voxels that are no finite number."""
    voxels = pixels.picture.volume.voxels
    if voxels.dtype.kind not in "fc":
        return
    finite = np.isfinite(voxels)
    bad = int(voxels.size - np.count_nonzero(finite))
    if bad:
        where = about([sha256(np.packbits(finite).tobytes()).hexdigest()])
        yield Evidence(f"{bad} voxels are not finite numbers", "finite", (("voxels", bad),), about=where)


def too_wide(pixels: Pixels, _tolerance: float) -> Iterator[Evidence]:
    """Stored values that BitsStored cannot hold: in the files where these are at hand, and in the image, whose
    converter may have let them pass. In the image CT is left out, whose round field is padded with such."""
    wide = tuple(i.key for i in beyond_bits(pixels.stack, pixels.paths))
    if wide:
        message = f"{len(wide)} images hold values that BitsStored has no bits for; they come out changed"
        yield Evidence(message, "bits", (("images", len(wide)),), wide)
        return
    rows = pixels.stack.instances
    bits, allocated = (
        max((getattr(i, f"Bits{word}") or 0 for i in rows), default=0) for word in ("Stored", "Allocated")
    )
    if not 1 <= bits < allocated or pixels.picture.volume.voxels.dtype.kind not in "iu" or rows[0].Modality == "CT":
        return
    signed = any(i.PixelRepresentation == 1 for i in rows)
    lowest, highest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    lows, highs = pixels.extremes
    beyond = [(int(n), int(k)) for n, k in np.argwhere((lows < lowest) | (highs > highest))]
    if beyond:
        message = f"values in {len(beyond)} slices are outside of what {bits} bits can hold"
        values = (("slices", len(beyond)), ("bits", bits))
        yield Evidence(message, "image", values, pixels.places(beyond), about=about(beyond))


def impossible_values(pixels: Pixels, tolerance: float) -> Iterator[Evidence]:
    """Values that are no number, or more than BitsStored can hold."""
    yield from not_numbers(pixels, tolerance)
    yield from too_wide(pixels, tolerance)


def saturated(pixels: Pixels, share: float) -> Iterator[Evidence]:
    """Many voxels of the foreground have one and the same highest value, wherever the ceiling lies: values were
    clipped. Computed maps are left out, whose limits are drawn on purpose."""
    if pixels.is_map or pixels.in_colour:
        return
    worst, at = max(((pile_up(pixels, n), n) for n in range(pixels.n_volumes)), default=(0.0, 0))
    if worst > share:
        message = f"{100 * worst:.1f} % of the foreground have the highest value{_of_volume(pixels, at)}: it is clipped"
        yield Evidence(message, "", (("share", worst),))


def pile_up(pixels: Pixels, n: int) -> float:
    """Share of a volume's foreground that has the highest value, of the volume or of its own slice; 0 where that is no
    pile: an edge in the histogram where values come to an end, not one tissue of a drawing."""
    _, highs = pixels.extremes
    if not np.isfinite(top := float(highs[n].max())):
        return 0.0
    picture = pixels.volume(n)
    at_top = int(np.count_nonzero(picture.raw == top))
    # Of any foreground that is worth the name less is too little.
    if at_top >= 3e-4 * picture.raw.size and (share := ceiling_share(_levels(picture, n), picture.threshold, at_top)):
        return share
    return clipped_slices(pixels, n, top)


def clipped_slices(pixels: Pixels, n: int, top: float) -> float:
    """Share of a volume's foreground that has the highest value of its own slice, where this is a ceiling."""
    picture, highs = pixels.volume(n), pixels.extremes[1][n]
    slices = np.moveaxis(picture.raw, pixels.slice_axis, 0)
    planes = list(zip(slices[::-1] if pixels.backwards else slices, highs, strict=True))
    at_top = [int(np.count_nonzero(plane == high)) if high < top else 0 for plane, high in planes]
    chosen = [k for k, (plane, _) in enumerate(planes) if at_top[k] >= max(1, CLIPPED_SLICE * plane.size)]
    if not chosen:
        return 0.0
    shown = [k for k in chosen if highs[k] > picture.threshold]
    clipped = sum(
        at_top[k]
        for k in shown
        if ceiling_share(levels_of(np.ascontiguousarray(planes[k][0])), picture.threshold, at_top[k])
    )
    return clipped / max(1, picture.levels.of_at_least(picture.threshold).n)


def ceiling_share(levels: Levels, threshold: float, at_top: int) -> float:
    """Share of the values from ``threshold`` on that are the highest, 0 where this is no ceiling."""
    inside = levels.of_at_least(threshold) if threshold < levels.values[-1] else levels
    rest = levels.counts[:-1]
    most = MOST_CLIPPED if len(rest) and rest.max() > DRAWN * rest.sum() else MOST_CLIPPED_MEASURED
    return at_top / inside.n if is_ceiling(inside, at_top, most) else 0.0


def _levels(picture: Picture, n: int) -> Levels:
    return picture.levels if n == 0 else levels_of(picture.raw if picture.raw.dtype.kind in "iu" else picture.stored)


def is_ceiling(levels: Levels, at_top: int, most: float = MOST_CLIPPED) -> bool:
    """Whether the highest value is where others were cut off: just below it lie values too, none nearly so common. In
    a drawing, other values stick out of their neighbours in the same way, or hardly any other value is met: more than
    ``most`` of the foreground is at the highest."""
    values, counts = levels.values[:-1], levels.counts[:-1]
    if len(values) < FEWEST_LEVELS or at_top > most * levels.n:
        return False
    below = counts[values >= levels.values[-1] - BELOW_CEILING * (levels.values[-1] - values[0])]
    if not len(below) or at_top <= 2 * below.max():
        return False
    padded = np.pad(counts, 2)
    around = np.max([padded[d : d + len(counts)] for d in (0, 1, 3, 4)], axis=0)
    return not np.any((counts > 3 * around) & (counts > at_top / 2))


def _of_volume(pixels: Pixels, n: int) -> str:
    return f" of volume {n + 1}" if pixels.n_volumes > 1 else ""


def eight_bits(pixels: Pixels, _tolerance: float) -> Iterator[Evidence]:
    """An original image of a scanner that measures more has 256 grey levels, as screens and exports have."""
    rows = pixels.stack.instances
    if not pixels.is_original or pixels.in_colour or pixels.stack.first.Modality not in MEASURED:
        return
    narrow = tuple(i.key for i in rows if (i.BitsStored or 16) <= 8)
    if narrow:
        message = f"{len(narrow)} of {len(rows)} images of an original have 8 bits"
        yield Evidence(message, "bits", (("images", len(narrow)),), narrow)
    elif pixels.picture.raw.dtype.kind in "iu" and (words := requantised(pixels.picture.levels)):
        yield Evidence(f"the values of an original are those of an 8-bit export: {words}", "levels")


def requantised(levels: Levels) -> str:
    """What says that values were once 8 bits wide, "" where nothing does: they fill 0 to 255 to both ends, or lie on
    at most 256 steps of a wider range."""
    values = levels.values
    if len(values) < FEWEST_EIGHT_BIT_LEVELS or len(values) > EIGHT_BITS + 1:
        return ""
    if values[0] == 0 and values[-1] == EIGHT_BITS:
        return "they run from 0 to 255"
    steps = np.diff(values)
    # Steps of a stretched image differ by rounding; where levels are not met, a step is a multiple.
    least = float(steps.min())
    if least >= 2 and float(np.median(steps)) <= least + 1 and values[-1] - values[0] > 2 * EIGHT_BITS:
        return "they lie on at most 256 steps of a wider range"
    return ""
