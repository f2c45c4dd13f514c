"""How far each site keeps the protocol: a table by site, slot and parameter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trialbids.mappings.parameters import PARAMETERS
from trialbids.mappings.protocol import Protocol

from ...plan.build import Planned
from ...tables import tsv_bytes
from ..check import NO_TOLERANCES
from ..names import PRESENT
from .fill import SHARE, Examination, Filled, Tolerances, examinations, outside, slack_of

COMPLIANCE_FILE = "compliance.tsv"
OR = " or "
"""Between the ranges of scanners of which different ones are wanted."""
COLUMNS = ("site", "slot", "parameter", "n", "n_within", "share", "observed", "wanted", "allowed", "unit")


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter of one slot at one site: ``n`` sessions that tell it, of which ``n_within`` keep the range.

    ``observed``, ``wanted`` and ``allowed`` are ranges in words, in the parameter's ``unit``; ``allowed`` is what is
    wanted with its tolerance, and what lies within it is within. Where the scanners of a site differ in what is wanted
    of them, each range stands there, in the same order in both, joined by ``or``.
    """

    site: str
    slot: str
    parameter: str
    n: int
    n_within: int
    observed: str = ""
    wanted: str = ""
    allowed: str = ""
    unit: str = ""

    @property
    def share(self) -> float:
        """The share of sessions within the range."""
        return self.n_within / self.n

    def to_row(self) -> dict[str, str]:
        """The row as cells."""
        return {
            "site": self.site, "slot": self.slot, "parameter": self.parameter, "n": str(self.n),
            "n_within": str(self.n_within), "share": f"{self.share:.3f}", "observed": self.observed,
            "wanted": self.wanted, "allowed": self.allowed, "unit": self.unit,
        }  # fmt: skip


def compliance(
    planned: Iterable[Planned], protocol: Protocol, tolerances: Tolerances = lambda site: NO_TOLERANCES
) -> tuple[Row, ...]:
    """How far each site keeps the protocol, by site, then slot and parameter in the order of the protocol; within the
    tolerances that the checks have there."""
    sites: dict[str, list[Examination]] = {}
    for examination in examinations(planned, protocol, tolerances):
        sites.setdefault(examination.visit.site, []).append(examination)
    return tuple(row for site in sorted(sites) for row in _of_site(site, sites[site], protocol, tolerances(site)))


def _of_site(
    site: str, members: Sequence[Examination], protocol: Protocol, tolerances: Mapping[str, float]
) -> Iterable[Row]:
    for slot in protocol.slots:
        there = sum(e.has(slot) for e in members)
        wanted = "required" if slot.is_required else "optional"
        yield Row(site, slot.slot, PRESENT, len(members), there, "", wanted, "", "sessions")
        filled = [e.filled[slot.slot] for e in members if slot.slot in e.filled]
        for name in slot.limits:
            yield from _of_parameter(site, filled, name, tolerances)
        if slot.bvalues is not None:
            yield from _of_bvalues(site, filled, tolerances.get("B04", SHARE))


def _of_parameter(site: str, filled: Sequence[Filled], name: str, tolerances: Mapping[str, float]) -> Iterable[Row]:
    told = [f for f in filled if name in f.picked.measured]
    if told:
        within = sum(name not in outside(f.slot, f.picked, tolerances) for f in told)
        spans = [f.picked.measured[name] for f in told]
        low, high = min(s[0] for s in spans), max(s[1] for s in spans)
        observed = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
        slot = told[0].slot
        limit, parameter = slot.limits[name], PARAMETERS[name]
        slack = slack_of(name, limit, tolerances)
        wanted_of = [limit.range_for(vendor) for vendor in sorted({f.picked.vendor for f in told})]
        ranges = {r.words(): r for r in wanted_of}
        wanted = OR.join(ranges)
        allowed = OR.join(r.allowed(slack, parameter.rounding).words() for r in ranges.values())
        yield Row(site, slot.slot, name, len(told), within, observed, wanted, allowed, parameter.unit)


def _of_bvalues(site: str, filled: Sequence[Filled], share: float) -> Iterable[Row]:
    told = [f for f in filled if f.bvalues and f.slot.bvalues is not None]
    windows = told[0].slot.bvalues.windows if told and told[0].slot.bvalues else ()
    for window in windows:
        if window.required:
            there = [(*f.bvalues, *(f.calculated if window.calculated else ())) for f in told]
            within = sum(any(window.holds(b, share) for b in bvalues) for bvalues in there)
            seen = sorted({b for f in told for b in f.bvalues})
            observed = f"{seen[0]:.0f} to {seen[-1]:.0f}"
            ranges = (window.words(), window.allowed(share).words())
            yield Row(site, told[0].slot.slot, "bvalues", len(told), within, observed, *ranges, "s/mm2")


def compliance_bytes(rows: Iterable[Row]) -> bytes:
    """The table as a file."""
    return tsv_bytes(COLUMNS, (row.to_row() for row in rows))
