"""Checks of diffusion images beside each other and beside the scanner's ADC map (codes B06 to B09)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ...convert.adc import PLAUSIBLE
from ..check import Evidence
from .siblings import Siblings, same_grid
from .sketch import Sketch

USUAL_FACTORS = (1e-6, 1e-3, 1.0)
"""From stored units to mm²/s, as vendors write ADC maps."""
HIGHEST_FITTED = 1000.0
"""s/mm²: beyond it the signal of tissue falls more slowly (kurtosis)."""
LEAST_SPAN = 150.0
"""s/mm² between the lowest and the highest b-value of a fit, and between two whose signals are compared."""
FEWEST_VOXELS = 100
AGREE = 0.1
"""Median relative difference below which two maps agree whatever their correlation: in one tissue it is all noise."""
DARK, ABOVE_NOISE = 5.0, 2.0
"""The percentile that is air, where there is any, and how far above it a signal must be to fall further."""
STILL = 1.03
"""A signal that grows by more than this does not fall."""

Values = NDArray[np.float32]


def other_grid(siblings: Siblings, _tolerance: float) -> Iterator[Evidence]:
    """An ADC map is not on the grid of any diffusion image that it was made of."""
    for measured, maps in siblings.diffusion():
        for adc in maps:
            if measured and not any(same_grid(adc, one) for one in measured):
                message = "the ADC map lies on another grid than its diffusion images"
                yield Evidence(message, adc.stack_id, stacks=(adc.stack_id, *(s.stack_id for s in measured)))


def odd_units(siblings: Siblings, _tolerance: float) -> Iterator[Evidence]:
    """The median of an ADC map's foreground is no diffusivity of tissue, in the unit that the header says or, where it
    says none, in any unit that vendors use."""
    for measured, maps in siblings.diffusion():
        for adc in maps:
            shown = tissue(adc, measured)
            median = float(np.median(adc.values[0][shown])) if shown.any() else 0.0
            factors = (adc.unit,) if adc.unit else USUAL_FACTORS
            if not any(PLAUSIBLE[0] <= median * factor <= PLAUSIBLE[1] for factor in factors):
                said = "in the unit that the header says" if adc.unit else "in any usual unit"
                message = f"the median of the ADC map is no diffusivity of tissue {said}"
                yield Evidence(message, adc.stack_id, (("median", median),), stacks=(adc.stack_id,))


def other_adc(siblings: Siblings, least: float) -> Iterator[Evidence]:
    """The ADC computed from the acquired b-values up to 1000 does not correlate with the scanner's map."""
    for measured, maps in siblings.diffusion():
        for adc in maps:
            # Which b-values the scanner took is not written anywhere.
            fits = [fitted(adc, measured, highest) for highest in (HIGHEST_FITTED, np.inf)]
            likeness = [found for ours in fits if ours is not None and (found := likeness_to(adc, ours, measured))]
            if not likeness:
                continue
            r, apart = max(likeness)
            if r < least and min(apart for _, apart in likeness) > AGREE:
                message = f"the scanner's ADC map correlates with that of the b-values by {r:.2f} only"
                stacks = (adc.stack_id, *(s.stack_id for s in measured))
                yield Evidence(message, adc.stack_id, (("r", r), ("apart", apart)), stacks=stacks)


def likeness_to(adc: Sketch, ours: Values, measured: Sequence[Sketch]) -> tuple[float, float] | None:
    """:func:`compared` over the tissue; None where too little is shown."""
    shown = tissue(adc, measured) & (ours > 0)
    return compared(ours[shown], adc.values[0][shown]) if shown.sum() >= FEWEST_VOXELS else None


def does_not_fall(siblings: Siblings, grows: float) -> Iterator[Evidence]:
    """The median signal of the foreground is not lower at a higher b-value, above the noise."""
    for measured, _ in siblings.diffusion():
        for sketch in measured:
            rises = [(low, high) for low, high, ratio in steps(sketch) if ratio > grows]
            if rises:
                low, high = rises[0]
                message = f"the signal at b = {high:.0f} is not below that at b = {low:.0f}"
                yield Evidence(message, sketch.stack_id, (("rises", len(rises)),), stacks=(sketch.stack_id,))


def steps(sketch: Sketch) -> Iterator[tuple[float, float, float]]:
    """Two b-values that follow on one another, well apart, and the ratio of the signals of tissue."""
    shown = sketch.foreground
    if shown.sum() < FEWEST_VOXELS:
        return
    signals = [float(np.median(volume[shown])) for volume in sketch.values]
    dark = [float(np.percentile(volume, DARK)) for volume in sketch.values]
    for n, low in enumerate(sketch.bvalues[:-1]):
        after = next((m for m in range(n + 1, len(signals)) if sketch.bvalues[m] - low >= LEAST_SPAN), None)
        if after is not None and signals[n] > max(0.0, ABOVE_NOISE * dark[n]):
            yield low, sketch.bvalues[after], signals[after] / signals[n]


def fitted(adc: Sketch, measured: Sequence[Sketch], highest: float = HIGHEST_FITTED) -> Values | None:
    """(x, y, z) The log-linear least-squares ADC in mm²/s of the measured images up to b = ``highest`` on the map's
    grid, 0 where a signal is missing; None where no two b-values are far enough apart (Stejskal and Tanner 1965,
    doi:10.1063/1.1695690)."""
    rows = [
        (b, volume)
        for sketch in measured
        if same_grid(adc, sketch)
        for b, volume in zip(sketch.bvalues, sketch.values, strict=True)
        if b <= highest
    ]
    if not rows:
        return None
    b = np.array([b for b, _ in rows])
    if np.ptp(b) < LEAST_SPAN:
        return None
    signals = np.stack([volume for _, volume in rows])
    seen = (signals > 0).all(axis=0)
    logs = np.log(np.where(seen, signals, 1.0))
    centred = b - b.mean()
    slope = np.tensordot(centred / (centred @ centred), logs, axes=1)
    return np.where(seen, -slope, 0.0).astype(np.float32)


def tissue(adc: Sketch, measured: Sequence[Sketch]) -> NDArray[np.bool_]:
    """The voxels of an ADC map that show tissue: positive, and foreground of the lowest b-value where that is known."""
    kin = [s for s in measured if same_grid(adc, s)]
    shown = min(kin, key=lambda s: s.bvalues[0]).foreground if kin else adc.foreground
    return shown & (adc.values[0] > 0)


def compared(a: Values, b: Values) -> tuple[float, float]:
    """Pearson's r of two maps, and the median of their relative difference once their medians are made equal."""
    middle = float(np.median(a)), float(np.median(b))
    r = float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0
    if min(middle) <= 0:
        return r, float("inf")
    return r, float(np.median(np.abs(a / middle[0] - b / middle[1])))
