"""``qc`` of ``trial.yaml``: the tolerances of checks that this trial, or one of its sites, wants otherwise."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from ..errors import UsageError
from .parts import LegalPath, Model

KEY = re.compile(r"[A-Z]\d{2}(:(error|warning|info))?")
WRITTEN = re.compile(r"\s*([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([^\s0-9].*?)?\s*")
EXPECTED = "expected a number, or a number and its unit such as 0.2 mm"
LARGEST = 1e9
"""No figure of a check is larger."""
LONGEST_SAID = 40

SHARES = frozenset({"share", "correlation", "fraction"})
"""Units of figures that lie between 0 and 1."""


class Limit(Model):
    """A tolerance: a number, with its ``unit`` where the trial writes one (``0.2 mm``)."""

    number: float
    unit: str = ""

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, data: Any) -> dict[str, Any]:
        found = WRITTEN.fullmatch(data) if isinstance(data, str) else None
        unit = ""
        if found is not None:
            data, unit = found[1], found[2] or ""
        elif isinstance(data, bool) or not isinstance(data, (int, float)):
            raise ValueError(f"is {_short(data)}; {EXPECTED}")
        return {"number": _number(data), "unit": unit}


def _number(written: str | float) -> float:
    """A number as it is written. Raises ``ValueError`` for what is none, or none that a figure can have."""
    try:
        number = float(str(written))  # as text a number too large is infinite, and no error
    except ValueError as error:
        raise ValueError(f"is {_short(written)}; {EXPECTED}") from error
    if math.isnan(number) or number < 0:
        raise ValueError(f"is {number:g}; a tolerance is 0 or more")
    if number > LARGEST:
        raise ValueError(f"is larger than any figure; a tolerance is {LARGEST:g} at most")
    return number


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SAID else f"{text[:LONGEST_SAID]}…"


def _legal_codes(limits: dict[str, Limit]) -> dict[str, Limit]:
    for key in limits:
        if not KEY.fullmatch(key):
            raise ValueError(f"'{key}' is no code of a check; expected one such as G05, or G02:error")
    return limits


Limits = Annotated[dict[str, Limit], AfterValidator(_legal_codes)]


class QualityControl(Model):
    """What a trial wants of the checks.

    ``tolerances`` are by the code of a check (``G05``; ``G02:error`` where it has several severities), ``sites`` the
    same for single sites, by their labels, which go before. ``splits`` is a table of participants and the parts of the
    data that they are used in.
    """

    tolerances: Limits = Field(default_factory=dict)
    sites: dict[str, Limits] = Field(default_factory=dict)
    splits: LegalPath | None = None
    _lines: dict[tuple[str, ...], str] = PrivateAttr(default_factory=dict)

    @property
    def is_set(self) -> bool:
        """Whether the trial wants any tolerance otherwise."""
        return any(True for _ in self._limits())

    def of_site(self, site: str) -> Mapping[str, float]:
        """The tolerances at one site, by the key of a check."""
        return {key: limit.number for key, limit in (self.tolerances | self.sites.get(site, {})).items()}

    def placed(self, path: Path, line: Callable[[tuple[str, ...]], int]) -> QualityControl:
        """The same, which knows the line of each of its keys below ``qc``."""
        splits = self.splits and path.resolve().parent / self.splits
        copy = self.model_copy(update={"splits": splits})
        copy._lines = {way: f"{path}: line {line(way)}: qc.{'.'.join(way)}" for way, _ in self._limits()}
        return copy

    def check_against(self, units: Mapping[str, str]) -> None:
        """Look whether there is such a check for every tolerance, and whether its unit is that of the check.

        ``units`` are those of all checks that have a tolerance, by key. Raises ``UsageError`` with one sentence.
        """
        for way, limit in self._limits():
            place = self._lines.get(way, f"qc.{'.'.join(way)}")
            unit = units.get(way[-1])
            if unit is None:
                raise UsageError(f"{place}: {_unknown(way[-1], units)}")
            what = f"the tolerance of {way[-1]} is {_in(unit)}"
            if limit.unit and limit.unit != unit:
                raise UsageError(f"{place}: is in {limit.unit}; {what}")
            if unit in SHARES and limit.number > 1:
                raise UsageError(f"{place}: is {limit.number:g}; {what}, from 0 to 1")

    def strange_sites(self, known: Collection[str]) -> Iterator[str]:
        """A sentence for every site with tolerances that is no site of the trial."""
        for site in self.sites:
            if site not in known:
                there = ", ".join(sorted(known)) or "none"
                yield f"qc.sites: no image is of a site {site}, so its tolerances change nothing; the sites are {there}"

    def _limits(self) -> Iterator[tuple[tuple[str, ...], Limit]]:
        """Every tolerance with the way to it."""
        for key, limit in self.tolerances.items():
            yield ("tolerances", key), limit
        for site, limits in self.sites.items():
            for key, limit in limits.items():
                yield ("sites", site, key), limit


def _unknown(key: str, units: Mapping[str, str]) -> str:
    several = sorted(name for name in units if name.startswith(f"{key}:"))
    if several:
        return f"{key} has one tolerance for each severity; expected {' or '.join(several)}"
    code = key.partition(":")[0]
    if code in units:
        return f"{code} has one severity; write {code} alone"
    near = get_close_matches(key, units, n=1)
    return f"there is no check {key} with a tolerance{f'; did you mean {near[0]}?' if near else ''}"


def _in(unit: str) -> str:
    return f"in {unit}" if unit and unit not in SHARES else f"a {unit}" if unit else "a plain number"
