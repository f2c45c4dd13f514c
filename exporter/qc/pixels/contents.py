"""Checks of the stored values of an image: constant slices, values that cannot be, saturation, 8-bit exports."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..check import Evidence
from .levels import Levels, levels_of
from .stored import beyond_bits
from .view import Pixels

EMPTY_SHARE = 0.005
"""A slice that spans less of the volume's range than this is as good as constant: noise alone spans more."""
FEWEST_LEVELS, MOST_CLIPPED = 8, 0.7
"""A foreground of fewer different values, or with a larger part at one, is a drawing: it has no ceiling."""
BELOW_CEILING = 0.1
"""The part of the range just below the highest value where a clipped image has values too, but fewer."""
EIGHT_BITS = 255
FEWEST_EIGHT_BIT_LEVELS = 64
"""An 8-bit image that was stretched still has at least so many different values."""
MEASURED = ("MR", "CT", "PT", "NM")
"""Modalities whose scanners store more than 8 bits."""


def constant_inside(pixels: Pixels, share: float) -> Iterator[Evidence]:
    """All voxels of a slice are equal, in an original image between slices that are not."""
    if pixels.is_original:
        inside, _ = _constant(pixels, share)
        yield from _said_constant(pixels, inside, "inside the image", "inside")


def constant_elsewhere(pixels: Pixels, share: float) -> Iterator[Evidence]:
    """The same in the first or last slices of an original image, or anywhere in a derived one; and between slices that
    are not where no error is made of it."""
    inside, ends = _constant(pixels, share)
    if pixels.is_original:
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
    return constant & ~ends, ends


def _said_constant(pixels: Pixels, where: NDArray[np.bool_], words: str, key: str) -> Iterator[Evidence]:
    found = np.argwhere(where)
    if len(found):
        pairs = [(int(n), int(k)) for n, k in found]
        volume, k = pairs[0]
        message = f"{len(pairs)} of {where.size} slices are constant or empty {words}, the first is slice {k + 1}"
        if pixels.n_volumes > 1:
            message += f" of volume {volume + 1}"
        yield Evidence(message, key, (("slices", len(pairs)), ("first", k + 1)), pixels.places(pairs))


def not_numbers(pixels: Pixels, _tolerance: float) -> Iterator[Evidence]:
    """Voxels that are no finite number."""
    voxels = pixels.picture.volume.voxels
    if voxels.dtype.kind not in "fc":
        return
    bad = int(voxels.size - np.count_nonzero(np.isfinite(voxels)))
    if bad:
        yield Evidence(f"{bad} voxels are not finite numbers", "finite", (("voxels", bad),))


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
        yield Evidence(message, "image", (("slices", len(beyond)), ("bits", bits)), pixels.places(beyond))


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
    """Share of a volume's foreground that has its highest value, 0 where that is no pile: an edge in the histogram
    where values come to an end, not one tissue of a drawing."""
    _, highs = pixels.extremes
    if not np.isfinite(top := float(highs[n].max())):
        return 0.0
    picture = pixels.volume(n)
    at_top = int(np.count_nonzero(picture.raw == top))
    if at_top < 3e-4 * picture.raw.size:
        return 0.0  # of any foreground that is worth the name this is too little
    levels = picture.levels if n == 0 else levels_of(picture.raw if picture.raw.dtype.kind in "iu" else picture.stored)
    inside = levels.above(np.nextafter(picture.threshold, -np.inf)) if picture.threshold < top else levels
    return at_top / inside.n if is_ceiling(inside, at_top) else 0.0


def is_ceiling(levels: Levels, at_top: int) -> bool:
    """Whether the highest value is where others were cut off: just below it lie values too, none nearly so common. In
    a drawing, other values stick out of their neighbours in the same way, or hardly any other value is met."""
    values, counts = levels.values[:-1], levels.counts[:-1]
    if len(values) < FEWEST_LEVELS or at_top > MOST_CLIPPED * levels.n:
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
