"""Standardised uptake values: the factor from Bq/mL to SUV by body weight."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

BECQUEREL: Mapping[str, float] = MappingProxyType({"Bq": 1.0, "kBq": 1e3, "MBq": 1e6, "GBq": 1e9})
CONCENTRATION: Mapping[str, float] = MappingProxyType({"Bq/mL": 1.0, "Bq/ml": 1.0, "kBq/mL": 1e3, "kBq/ml": 1e3})
HALF_LIFE_S: Mapping[str, float] = MappingProxyType({
    "C11": 1221.84, "N13": 597.9, "O15": 122.24, "F18": 6586.2, "Cu64": 45723.6, "Ga68": 4062.6, "Zr89": 282240.0,
})  # fmt: skip
"""Half-lives in seconds (Decay Data Evaluation Project, http://www.lnhb.fr/ddep_wg)."""


class NoUptake(Exception):
    """The factor cannot be told; the message says what is missing."""


def suv_factor(sidecar: Mapping[str, Any], kilograms: float | None) -> float:
    """What turns the values of a PET image into SUV (g/mL): body weight over the dose that is left.

    ``SUV = concentration (Bq/mL) × weight (g) / dose (Bq)``, the dose decayed from ``InjectionStart`` to the time to
    which the image is decay-corrected, ``ImageDecayCorrectionTime`` (both in s from ``TimeZero``; BIDS, "PET"); Kinahan
    and Fletcher 2010, doi:10.1053/j.sult.2010.10.001. Raises :class:`NoUptake` for whatever is not given.

    >>> dose = {"InjectedRadioactivity": 200, "InjectedRadioactivityUnits": "MBq", "InjectionStart": 0}
    >>> image = {"Units": "Bq/mL", "ImageDecayCorrected": True, "ImageDecayCorrectionTime": 0}
    >>> round(suv_factor({**dose, **image, "TracerRadionuclide": "F18"}, 70.0) * 1e6)
    350
    """
    if kilograms is None or not kilograms > 0:
        raise NoUptake("the column `weight` (kg) has no value for it")
    concentration = _one_of(sidecar, "Units", CONCENTRATION)
    dose = _number(sidecar, "InjectedRadioactivity") * _one_of(sidecar, "InjectedRadioactivityUnits", BECQUEREL)
    if not dose > 0:
        raise NoUptake(f"InjectedRadioactivity is {dose:g} Bq, and a dose is more than nothing")
    if sidecar.get("ImageDecayCorrected") is not True:
        raise NoUptake("ImageDecayCorrected is not true in its sidecar")
    waited = _number(sidecar, "ImageDecayCorrectionTime") - _number(sidecar, "InjectionStart")
    if waited:
        dose *= 0.5 ** (waited / _one_of(sidecar, "TracerRadionuclide", HALF_LIFE_S))
    return concentration * kilograms * 1000.0 / dose


def _number(sidecar: Mapping[str, Any], key: str) -> float:
    value = sidecar.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoUptake(f"{key} is not given in its sidecar")
    return float(value)


def _one_of(sidecar: Mapping[str, Any], key: str, known: Mapping[str, float]) -> float:
    value = str(sidecar.get(key) or "")
    found = known.get(value) or known.get(value.replace("-", "")) or known.get(_turned(value))
    if found is None:
        raise NoUptake(f"{key} is {value or 'not given'} in its sidecar; known: {', '.join(known)}")
    return found


def _turned(word: str) -> str:
    """``18F`` or ``[18F]`` as ``F18``."""
    plain = word.strip("[]^-")
    digits = "".join(c for c in plain if c.isdigit())
    return "".join(c for c in plain if c.isalpha()).capitalize() + digits
