"""Checks of each slice beside its neighbours: intensities that jump, slices that are foreign or out of order.

All is measured on slices reduced to at most 48 x 48, where noise has mostly gone and the anatomy is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...convert.foreground import foreground
from ..check import Evidence, about
from .reduce import Images
from .view import Pixels

Floats = NDArray[np.float64]
FEWEST_SLICES = 6
"""Fewer slices tell no usual step."""
FEWEST_PIXELS = 30
LIT = 0.5
"""Of Otsu's threshold: what is brighter than this in two neighbours is compared. At the threshold itself, which
voxels are above it would depend on the brightness that is asked for."""
DARK_SHARE = 0.15
"""Of what either of two slices shows: if both show less, one of them is dark."""
DEEPEST = 0.02
"""Of Otsu's threshold: darker pixels count as this bright, so that ratios stay finite."""
SINGLE, STEP, BRIGHT_END = np.log(1.06), np.log(1.12), np.log(1.35)
"""Smaller jumps of the logarithm are no fault: of one slice, of all slices from one on, of the first or last slice."""
FEWEST_REPEATS, MOVING = 5, np.log(1.5)
"""A time series has so many volumes at least; the least jump within one of them."""
COHERENT = 0.3
"""Neighbouring pixels of a slice correlate at least so, or there is nothing to see in it but noise."""
ALIKE = 0.6
"""Nor is there where neighbouring slices correlate less than this: fine detail that goes on is no noise."""
SHARE_OF_SLICES = 0.2
"""Pixels that are foreground in so many slices are compared between all."""
FOREIGN, STRANGE = 0.05, 0.25
"""A slice is foreign where its two neighbours are more alike, by the first, than either is to it, and by more than is
usual in the volume; and in any case by the second, for slices that differ much tell nothing of what is usual."""
SWAPPED = 0.05
"""Two slices were exchanged where each suits the other's neighbours better than its own, by this."""
FEWEST_TO_ORDER, ORDERED = 8, 0.8
"""Of so many slices, the better neighbour of a slice is more alike to it than this share of all others, on average."""


def jumps(pixels: Pixels, factor: float) -> Iterator[Evidence]:
    """The brightness of the same tissue changes from one slice to the next by more than ``factor`` median absolute
    deviations of such changes, and by more than coils and slabs do."""
    if pixels.n_slices < FEWEST_SLICES or not _has_tissue(pixels) or pixels.record.sequence == "fieldmap":
        return
    found = [(n, k) for n, images, least in judged(pixels) for k in jumping(images, factor, least)]
    if found:
        volume, k = found[0]
        message = f"the intensity jumps at slice {k + 1}{_of_volume(pixels, volume)}"
        if len(found) > 1:
            message += f" and in {len(found) - 1} more places"
        values = (("jumps", len(found)), ("first", k + 1))
        yield Evidence(message, "", values, pixels.places(found), about=about(found))


def judged(pixels: Pixels) -> Iterator[tuple[int, Images, float]]:
    """Number, slices and least jump of every volume to judge; of time series first their mean, for the head moves and
    what moves in or out of a slice is brighter or darker: there a single volume has to jump by more."""
    volumes = zip(pixels.looked_at, pixels.coarse, strict=True)
    if is_time_series(pixels):
        yield 0, pixels.coarse.mean(axis=0), 0.0
        yield from ((n, images, MOVING) for n, images in volumes)
    else:
        yield from ((n, images, 0.0) for n, images in volumes)


def is_time_series(pixels: Pixels) -> bool:
    """Whether the volumes repeat one another."""
    return pixels.n_volumes >= FEWEST_REPEATS and not pixels.stack.bvalues


def jumping(images: Images, factor: float, least: float = 0.0) -> list[int]:
    """The slices of (slices, rows, columns) with which an intensity jump begins, rising; ``least`` is the logarithm of
    the least jump that counts."""
    steps = brightness_steps(images)
    if not len(steps):
        return []
    excess = steps - usual_steps(steps)
    scale = max(least, factor * float(np.median(np.abs(excess))))
    found = set()
    for k in range(1, len(steps)):
        before, after = steps[k - 1], steps[k]
        if before * after < 0 and min(abs(before), abs(after)) > max(scale, SINGLE):
            found.add(k)
    # One step that is not taken back. Slabs and heads fade at their ends, so there only a bright end is a fault.
    for k in range(2, len(steps) - 2):
        alone = not {k, k + 1} & found
        if alone and abs(excess[k]) > max(scale, STEP) and abs(excess[k]) > 2 * abs(steps[[k - 1, k + 1]]).max():
            found.add(k + 1)
    if -steps[0] > max(scale, BRIGHT_END) and 1 not in found:
        found.add(0)
    if steps[-1] > max(scale, BRIGHT_END) and len(steps) - 1 not in found:
        found.add(len(steps))
    return sorted(found)


def brightness_steps(images: Images) -> Floats:
    """(slices - 1,) The logarithm of how much brighter each slice is than the one before: the median over pixels that
    both show. Empty where there is nothing to see."""
    lowest = float(images.min())
    lit = images - np.float32(min(lowest, 0.0))
    mask = foreground(images)
    if not mask.any():
        return np.empty(0)
    threshold = float(lit[mask].min())
    rows = lit.reshape(len(lit), -1)
    shown = rows >= LIT * threshold
    logs = np.log(np.maximum(rows, max(DEEPEST * threshold, 1e-6)))
    either, both = shown[1:] | shown[:-1], shown[1:] & shown[:-1]
    # Where one of the two is nearly dark, what both show is what noise made bright.
    alike = both.sum(axis=1) > DARK_SHARE * either.sum(axis=1)
    return _medians(logs[1:] - logs[:-1], np.where(alike[:, np.newaxis], both, either))


def _medians(values: Images, where: NDArray[np.bool_]) -> Floats:
    """The median of each row where told, 0 where that is too little."""
    n = where.sum(axis=1)
    sorted_ = np.sort(np.where(where, values, np.float32(np.inf)), axis=1)
    rows, last = np.arange(len(values)), values.shape[1] - 1
    lower, upper = (sorted_[rows, np.clip(at, 0, last)] for at in ((n - 1) // 2, n // 2))
    enough = n > FEWEST_PIXELS
    return np.where(enough, (np.where(enough, lower, 0) + np.where(enough, upper, 0)) / 2.0, 0.0).astype(np.float64)


def usual_steps(steps: Floats) -> Floats:
    """For each step the median of the two before and the two after it."""
    padded = np.concatenate([[np.nan] * 2, steps, [np.nan] * 2])
    n = len(steps)
    around = np.stack([padded[d : d + n] for d in (0, 1, 3, 4)])
    return np.nanmedian(around, axis=0) if n > 1 else steps


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """How alike the slices of a volume are: Pearson's r of every two (slices, slices), over the pixels that show
    something (``inner``) and over all (``whole``). ``coherence`` is r of neighbouring pixels within a slice."""

    inner: Floats
    whole: Floats
    coherence: float


def unlike(pixels: Pixels, least: float) -> Iterator[Evidence]:
    """A slice that does not belong between its neighbours: it correlates with them below ``least``, or less than they
    do with one another; or two slices, or all, are out of order. Noise without anatomy is not judged."""
    if pixels.n_slices < FEWEST_SLICES - 1 or not _has_tissue(pixels):
        return
    for n, images, least_jump in judged(pixels):
        if least_jump:
            return  # within one repeat, motion alone makes slices unlike
        likeness = likeness_of(images)
        if likeness.coherence < COHERENT and np.median(np.diagonal(likeness.inner, 1)) < ALIKE:
            continue
        words, slices = misplaced(likeness, least)
        if slices:
            message = f"{words}, the first is slice {slices[0] + 1}{_of_volume(pixels, n)}"
            places = pixels.places((n, k) for k in slices)
            values = (("slices", len(slices)), ("first", slices[0] + 1))
            yield Evidence(message, f"v{n}", values, places, about=about(map(int, slices)))
            return  # a fault of the series is met in its other volumes again


def misplaced(likeness: Likeness, least: float) -> tuple[str, Sequence[int]]:
    """What is wrong with the order or the likeness of slices and with which, ("", ()) where nothing is."""
    inner, whole = likeness.inner, likeness.whole
    if shuffled := out_of_order(inner):
        return "slices are out of order", shuffled
    if foreign := foreigners(inner):
        return "slices are unlike both neighbours, which are alike", foreign
    if swapped := exchanged(inner):
        return "slices lie in each other's place", swapped
    told = np.diagonal(whole) > 0  # constant slices are another check's
    best = np.maximum(np.diagonal(whole, 1), np.diagonal(inner, 1))
    unalike = [int(k) + 1 for k in np.flatnonzero((best < least) & told[:-1] & told[1:])]
    return ("slices are unlike the one before", unalike) if unalike else ("", ())


def likeness_of(images: Images) -> Likeness:
    """The likeness of all slices of one volume, (slices, rows, columns)."""
    lit = foreground(images)
    seen = lit.mean(axis=0) >= SHARE_OF_SLICES
    pairs = seen[:, 1:] & seen[:, :-1]
    if pairs.sum() < FEWEST_PIXELS:
        nothing = np.zeros((len(images), len(images)))
        return Likeness(nothing, nothing, 0.0)
    within = _rowwise(images[:, :, 1:][:, pairs], images[:, :, :-1][:, pairs])
    return Likeness(
        _correlations(images[:, seen]), _correlations(images.reshape(len(images), -1)), float(np.median(within))
    )


def foreigners(r: Floats) -> list[int]:
    """Slices whose neighbours are alike, and unlike them, more than anywhere else in the volume."""
    n = len(r)
    margin = np.array([r[k - 1, k + 1] - max(r[k - 1, k], r[k, k + 1]) for k in range(1, n - 1)])
    spread = float(np.median(np.abs(margin - np.median(margin))))
    usual = float(np.median(margin))
    return [int(k) + 1 for k in np.flatnonzero(margin > max(FOREIGN, min(usual + 6 * spread, max(usual, 0) + STRANGE)))]


def exchanged(r: Floats) -> list[int]:
    """Two slices that were exchanged: each of them is more alike to the neighbours of the other."""
    n = len(r)
    gain_before, gain_after = np.full((n, n), np.nan), np.full((n, n), np.nan)
    # [here, other]: what the neighbour of one place would gain, were the slice of the other place there.
    for here in range(n):
        if here > 0:
            gain_before[here] = r[:, here - 1] - r[here, here - 1]
        if here < n - 1:
            gain_after[here] = r[:, here + 1] - r[here, here + 1]
    distance = np.subtract.outer(np.arange(n), np.arange(n)).T  # second - first
    between = distance < 3  # there a neighbour of one is the other, or a neighbour of both, and says nothing
    gains = np.stack(
        [gain_before, gain_after.T, np.where(between, np.nan, gain_after), np.where(between, np.nan, gain_before.T)]
    )
    told = (distance > 0) & (np.isfinite(gains).sum(axis=0) > 1)  # one gain alone, at an end, is too little
    least = np.where(told, np.where(np.isfinite(gains), gains, np.inf).min(axis=0), -np.inf)
    first, second = np.unravel_index(int(least.argmax()), least.shape)
    return [int(first), int(second)] if least[first, second] > SWAPPED else []


def out_of_order(r: Floats) -> list[int]:
    """All slices, where those next to a slice are hardly more alike to it than any others are.

    Measured as the share of the others that are less alike than the better neighbour. A body that is alike on its left
    and right keeps it high; slices in any order bring it to two thirds. Where all
    slices are alike, no order can be told.
    """
    n = len(r)
    if n < FEWEST_TO_ORDER:
        return []
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    near = np.where(distance == 1, r, -1).max(axis=1, keepdims=True)
    far = np.where(distance > 1, r, -1)
    shares = (far[distance > 1] < np.repeat(near, (distance > 1).sum(axis=1))).mean()
    better = np.median(far.max(axis=1) - near[:, 0])
    return list(range(n)) if shares < ORDERED and better > SWAPPED else []


def _correlations(rows: Images) -> Floats:
    """Pearson's r of every two rows, 0 with a constant one."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    norms = np.sqrt(np.einsum("ij,ij->i", centred, centred))
    scaled = centred / np.where(norms > 0, norms, 1)[:, np.newaxis]
    # Not "@": OpenBLAS would wake its threads for a product of half a millisecond, and wait for them.
    return np.einsum("ij,kj->ik", scaled, scaled).astype(np.float64)


def _rowwise(a: Images, b: Images) -> Images:
    """Pearson's r of each row with the same row of the other, 0 with a constant one."""
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    size = np.sqrt(np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b))
    return np.einsum("ij,ij->i", a, b) / np.where(size > 0, size, 1)


def _has_tissue(pixels: Pixels) -> bool:
    """Whether the voxels are magnitudes of a signal: a phase has no brightness, and drawn maps no noise."""
    return not pixels.in_colour and pixels.record.part in ("mag", "unknown") and pixels.record.sequence != "localizer"


def _of_volume(pixels: Pixels, n: int) -> str:
    return f" of volume {n + 1}" if pixels.n_volumes > 1 else ""
