"""How sure a record is of its ``sequence``: from what spoke for the winner to the probability that it is right.

The curves in ``calibration.yaml`` are fitted by ``benchmarks/calibrate.py`` and hold a few numbers each.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from .rules import Rule
from .text import read_yaml

SUPPORTS = ("agreed", "header", "text", "header-against-text", "text-against-header")
"""Who spoke for the winner: header and text, one of the two alone, or one while the other spoke for something else."""

ATTRIBUTE, TEXT_THEME = "sequence", "words"


class CalibrationError(ValueError):
    """The calibration file cannot be used."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """What spoke for the winning ``sequence``: the best value, its lead over the next in score, and who spoke."""

    value: str
    lead: float
    support: str


@dataclass(frozen=True, slots=True)
class Curve:
    """Probability of being right by lead: straight lines between the knots, level outside them, never falling."""

    leads: tuple[float, ...]
    right: tuple[float, ...]

    def __call__(self, lead: float) -> float:
        n = bisect_right(self.leads, lead)
        if n == 0:
            return self.right[0]
        if n == len(self.leads):
            return self.right[-1]
        x0, x1, y0, y1 = *self.leads[n - 1 : n + 1], *self.right[n - 1 : n + 1]
        return y0 + (y1 - y0) * (lead - x0) / (x1 - x0)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A curve for each kind of support.

    ``least`` is the confidence below which nothing is said.
    """

    curves: Mapping[str, Curve]
    least: float


@cache
def calibration() -> Calibration:
    """The calibration of the built-in rules."""
    return read_calibration(read_yaml("calibration.yaml"))


def grounds_of(fired: Iterable[Rule]) -> Grounds:
    """What the rules that fired say about ``sequence``.

    The score of a value is the sum over the themes of the strongest vote of each. A site's own rules count as header:
    who writes one knows. No vote at all gives ``unknown`` with no lead.
    """
    strongest: dict[tuple[str, str], float] = defaultdict(float)
    sides: dict[bool, dict[str, float]] = {True: defaultdict(float), False: defaultdict(float)}
    for rule in fired:
        for name, value in rule.votes:
            if name != ATTRIBUTE:
                continue
            strongest[value, rule.theme] = max(strongest[value, rule.theme], rule.weight)
            side = sides[rule.theme == TEXT_THEME]
            side[value] = max(side[value], rule.weight)
    scores: dict[str, float] = defaultdict(float)
    for (value, _), weight in strongest.items():
        scores[value] += weight
    if not scores:
        return Grounds("unknown", 0.0, "text")
    first, *others = ranked(scores)
    lead = scores[first] - (scores[others[0]] if others else 0.0)
    return Grounds(first, lead, support(first, sides[True], sides[False]))


def support(value: str, text: Mapping[str, float], header: Mapping[str, float]) -> str:
    """Who spoke for a value."""
    if not text or not header:
        return "text" if text else "header"
    by_text, by_header = ranked(text)[0] == value, ranked(header)[0] == value
    if by_text and by_header:
        return "agreed"
    return "text-against-header" if by_text else "header-against-text"


def ranked(scores: Mapping[str, float]) -> list[str]:
    """The values by falling score; the alphabet settles ties."""
    return sorted(scores, key=lambda value: (-scores[value], value))


def confidence(found: Grounds, by: Calibration | None = None) -> float:
    """The probability that the winner is right, from 0 to 1, to three digits; 0 for ``unknown``."""
    if found.value == "unknown":
        return 0.0
    return round((by or calibration()).curves[found.support](found.lead), 3)


def read_calibration(data: Any) -> Calibration:
    """The calibration from its mapping, checked. Raises :class:`CalibrationError` naming what is wrong."""
    if not isinstance(data, dict) or set(data) != {"version", "least", "curves"}:
        raise CalibrationError("calibration.yaml: it holds version, least and curves, and nothing else")
    if set(data["curves"]) != set(SUPPORTS):
        raise CalibrationError(f"calibration.yaml: curves: there is one each for {', '.join(SUPPORTS)}")
    curves = {name: read_curve(name, data["curves"][name]) for name in SUPPORTS}
    return Calibration(curves, probability("least", data["least"]))


def read_curve(name: str, data: Mapping[str, Any]) -> Curve:
    """One curve: ``leads`` rising, ``right`` as many probabilities and never falling."""
    leads = tuple(float(x) for x in data["leads"])
    right = tuple(probability(name, y) for y in data["right"])
    if not leads or len(leads) != len(right):
        raise CalibrationError(f"calibration.yaml: {name}: leads and right are lists of the same length, not empty")
    if any(a >= b for a, b in pairwise(leads)) or any(a > b for a, b in pairwise(right)):
        raise CalibrationError(f"calibration.yaml: {name}: leads must rise, and right must not fall")
    return Curve(leads, right)


def probability(name: str, value: Any) -> float:
    """A number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise CalibrationError(f"calibration.yaml: {name}: {value!r} is no probability from 0 to 1")
    return float(value)
