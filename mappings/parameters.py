"""The numbers of an acquisition that a protocol may limit, each in one unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One number of an acquisition that a protocol may limit.

    ``least`` and ``most`` are what any scanner can do, in this ``unit``: a figure outside them is in another unit.
    ``rounding`` is allowed beside a figure whatever its tolerance, which is a share; what is ``counted`` has no
    tolerance. ``check`` is the code that it belongs to.
    """

    unit: str
    least: float
    most: float
    meaning: str
    rounding: float = 0.0
    counted: bool = False
    check: str = "R02"


def _parameter(unit: str, least: float, most: float, meaning: str, **more: Any) -> Parameter:
    return Parameter(unit=unit, least=least, most=most, meaning=meaning, **more)


PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        "te": _parameter("ms", 0.2, 2000, "echo time"),
        "tr": _parameter("ms", 1, 60_000, "repetition time"),
        "ti": _parameter("ms", 5, 20_000, "inversion time"),
        "flip": _parameter("deg", 0.5, 360, "flip angle", rounding=0.5),
        "field": _parameter("T", 0.01, 15, "nominal field strength"),
        "echo_train": _parameter("echoes", 1, 2000, "echo train length"),
        "averages": _parameter("averages", 0.1, 100, "number of averages"),
        "bandwidth": _parameter("Hz", 5, 20_000, "bandwidth of a pixel"),
        "pixel": _parameter("mm", 0.02, 30, "longer side of a pixel, as stored", rounding=0.005),
        "resolution_phase": _parameter("mm", 0.02, 30, "acquired resolution along the phase axis", rounding=0.01),
        "resolution_frequency": _parameter("mm", 0.02, 30, "acquired resolution along the readout", rounding=0.01),
        "thickness": _parameter("mm", 0.1, 150, "slice thickness", rounding=0.05),
        "gap": _parameter("mm", -100, 100, "distance from slice to slice beyond their thickness", rounding=0.1),
        "spacing": _parameter("mm", 0.05, 250, "distance of slice centres", rounding=0.05),
        "fov": _parameter("mm", 20, 3000, "longer side of the field of view"),
        "slices": _parameter("slices", 1, 5000, "slices", counted=True, check="G09"),
        "coverage": _parameter("mm", 5, 3000, "length that the slices cover", rounding=1.0, check="G09"),
        "phases": _parameter("phases", 1, 2000, "phases of a dynamic scan", counted=True, check="T04"),
        "temporal_resolution": _parameter(
            "s", 0.05, 900, "time from phase to phase (median)", rounding=0.1, check="T04"
        ),
        "duration": _parameter("s", 1, 10_000, "time from the first phase to the end of the last", check="T04"),
        "since_injection": _parameter("s", 0, 7200, "time from the injection to the acquisition", check="T04"),
    }
)
"""Every parameter that a limit may name."""

B_UNIT, MOST_B = "s/mm2", 50_000.0


def slack_b(b: float, share: float = 0.05) -> float:
    """How far a b-value may lie from what is wanted: 5 %, at least 10 s/mm².

    >>> slack_b(50), slack_b(1000)
    (10.0, 50.0)
    """
    return max(share * b, 10.0)
