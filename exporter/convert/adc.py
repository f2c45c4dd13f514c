"""The scale of an ADC map: the factor from rescaled stored values to mm²/s."""

from __future__ import annotations

import re

import numpy as np

from .foreground import first_volume, foreground
from .volume import Volume

FACTORS = (1e-6, 1e-3, 1e-9, 1.0)
# mm²/s: from cortical bone and fat to free water at body temperature, and a little beyond.
PLAUSIBLE = (0.2e-3, 4e-3)
UNIT = re.compile(
    r"^(?:(?:\*|x)?(?:10\^?|1(?:\.0)?e)(?P<power>[-+]?\d+))?\*?(?P<unit>mm|um|µm|μm)\^?2/s(?:ec)?$", re.IGNORECASE
)


def adc_scale(volume: Volume, unit: str = "") -> float | None:
    """The factor that makes ``stored x slope + inter`` mm²/s, None where it cannot be told.

    ``unit`` is what the header says (RescaleType, or the units of a real-world value map), for example
    ``10^-6 mm2/s``; it stands where it gives a plausible map. Otherwise the one factor of 1e-6, 1e-3, 1e-9 and 1 that
    puts the foreground's median between 0.2 and 4 ×10⁻³ mm²/s: the factors are so far apart that at most one does.
    """
    median = foreground_median(volume)
    stated = stated_factor(unit)
    for factor in (stated, *FACTORS) if stated else FACTORS:
        if PLAUSIBLE[0] <= median * factor <= PLAUSIBLE[1]:
            return factor
    return None


def stated_factor(unit: str) -> float | None:
    """The factor to mm²/s that a unit's text means, None where it is no diffusivity.

    >>> stated_factor("10^-6 mm2/s"), stated_factor("1E-3 mm^2/s"), stated_factor("um2/s"), stated_factor("US")
    (1e-06, 0.001, 1e-06, None)
    """
    match = UNIT.match(re.sub(r"[\s{}()]", "", unit))
    if match is None:
        return None
    base = 1.0 if match["unit"].lower() == "mm" else 1e-6
    return base * float(f"1e{int(match['power'] or 0)}")


def foreground_median(volume: Volume) -> float:
    """Median of the positive foreground in rescaled units, 0 where there is none."""
    values = first_volume(volume.voxels) * np.float32(volume.slope) + np.float32(volume.inter)
    shown = values[foreground(values)]
    shown = shown[shown > 0]
    return float(np.median(shown)) if shown.size else 0.0
