"""Check R03: a scan whose parameters hardly any other of its kind has.

The idea of parameter groups is that of CuBIDS (Covitz et al., NeuroImage 2022, doi:10.1016/j.neuroimage.2022.119609):
scans that should be alike are grouped by what they were made with, and rare groups are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...plan.build import Planned
from ..check import WARNING, Check, Evidence
from .measure import Scan

LEAST_MEMBERS = 8
"""Fewer scans of a kind tell no habit."""

LEAST_HABIT = 0.6
"""The share that must agree before a value counts as the protocol of a site or vendor."""

ALIKE: Mapping[str, tuple[float, float]] = {
    "te": (0.05, 0.3), "tr": (0.30, 1.0), "ti": (0.05, 5.0), "flip": (0.15, 2.0), "echo_train": (0.25, 1.0),
    "bandwidth": (0.20, 5.0), "pixel": (0.20, 0.02), "thickness": (0.10, 0.1), "spacing": (0.15, 0.1),
    "phases": (0.10, 1.0), "temporal_resolution": (0.20, 0.5), "b_max": (0.10, 10.0), "b_values": (0.0, 0.5),
}  # fmt: skip
"""How far two values may lie apart and be one, as a share and at least so much. The repetition time grows with the
number of slices and with breathing, the pixel with the patient; the echo time is set once."""

REFOCUSED = frozenset({"se", "tse", "propeller", "haste", "space", "epi", "rsepi"})
"""Scanners lower the refocusing flip angle to what a patient's body may take: no variant of the protocol."""

UNTOLD = frozenset({"without", "unknown"})
"""Whether no agent was given, or whether nobody says so, makes no other scan: other images of the session tell it."""


@dataclass(frozen=True, eq=False)
class Kind:
    """Scans that should be alike, of one vendor, field strength and kind of image, and of one site where it has
    enough. ``values`` holds by parameter those that the members tell, rising."""

    members: tuple[Scan, ...]
    values: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @cached_property
    def habits(self) -> Mapping[str, tuple[float, float]]:
        """The value that most members share, by parameter, and the share of members that have it."""
        return {name: _habit(name, values) for name, values in self.values.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One scan among those of its kind."""

    scan: Scan
    kind: Kind


def rare_variant(member: Member, share: float) -> Iterator[Evidence]:
    """A value that at most this ``share`` of at least eight scans of its kind has, while most have another."""
    odd: list[str] = []
    values: list[tuple[str, float | int | str]] = []
    for name, value in _figures(member.scan).items():
        known = member.kind.values.get(name)
        if known is None or len(known) < LEAST_MEMBERS:
            continue
        usual, agreed = member.kind.habits[name]
        alike = _count(name, known, value)
        if agreed >= LEAST_HABIT and abs(value - usual) > _apart(name, usual) and alike <= max(1, share * len(known)):
            odd.append(f"{NAMES.get(name, name)} {value:.4g} where {agreed:.0%} of {len(known)} have {usual:.4g}")
            values += [(name, value), (f"{name}_usual", usual)]
    if odd:
        yield Evidence("a rare variant among scans of its kind: " + "; ".join(odd), "", tuple(values))


NAMES = {"b_max": "highest b", "b_values": "number of b-values"}


def members_of(planned: Iterable[Planned]) -> tuple[Member, ...]:
    """Every kept scan among those of its kind: of its site where that has eight, else of all sites."""
    scans = _scans(planned)
    at_site: dict[tuple[object, ...], list[Scan]] = {}
    anywhere: dict[tuple[object, ...], list[Scan]] = {}
    for site, kind, scan in scans:
        at_site.setdefault((site, kind), []).append(scan)
        anywhere.setdefault((kind,), []).append(scan)
    kinds: dict[tuple[object, ...], Kind] = {}
    found = []
    for site, kind, scan in scans:
        key = (site, kind) if len(at_site[site, kind]) >= LEAST_MEMBERS else (kind,)
        members = at_site[key] if len(key) == 2 else anywhere[key]
        if len(members) >= LEAST_MEMBERS:
            if key not in kinds:
                kinds[key] = _kind(members)
            found.append(Member(scan, kinds[key]))
    return tuple(found)


def _scans(planned: Iterable[Planned]) -> list[tuple[str, tuple[object, ...], Scan]]:
    """Site, kind and stacks of every scan that is kept."""
    groups: dict[tuple[object, ...], list[Planned]] = {}
    for p in planned:
        if p.row.decision == "keep" and p.harmonised.stack.is_image:
            r = p.harmonised.record
            kind = (r.sequence, r.plane, r.dim, r.technique, r.fatsat, r.dixon, r.derived, r.part, r.echo_index)
            agent = r.agent if r.sequence != "DCE" and r.agent not in UNTOLD else ""
            groups.setdefault((p.row.acquisition_id, *kind, r.flip_index, agent), []).append(p)
    found = []
    for key, members in groups.items():
        scan = Scan(tuple(members))
        tesla = scan.measured.get("field", (0.0, 0.0))[1]
        found.append((members[0].visit.site, (scan.vendor, tesla, *key[1:]), scan))
    return found


def _kind(members: list[Scan]) -> Kind:
    values: dict[str, list[float]] = {}
    for scan in members:
        for name, value in _figures(scan).items():
            values.setdefault(name, []).append(value)
    return Kind(tuple(members), {name: np.sort(np.array(v)) for name, v in values.items()})


def _figures(scan: Scan) -> dict[str, float]:
    """The parameters by which scans are compared."""
    is_refocused = scan.first.harmonised.record.technique in REFOCUSED
    found = {n: s[1] for n, s in scan.measured.items() if n in ALIKE and not (n == "flip" and is_refocused)}
    if scan.bvalues:
        found |= {"b_max": scan.bvalues[-1], "b_values": float(len(scan.bvalues))}
    return found


def _apart(name: str, value: float) -> float:
    share, least = ALIKE[name]
    return max(share * abs(value), least)


def _count(name: str, rising: NDArray[np.float64], value: float) -> int:
    reach = _apart(name, value)
    return int(np.searchsorted(rising, value + reach, "right") - np.searchsorted(rising, value - reach, "left"))


def _habit(name: str, rising: NDArray[np.float64]) -> tuple[float, float]:
    """The value with most members around it, and their share."""
    share, least = ALIKE[name]
    reach = np.maximum(share * np.abs(rising), least)
    around = np.searchsorted(rising, rising + reach, "right") - np.searchsorted(rising, rising - reach, "left")
    best = int(around.max())
    fullest = rising[around == best]
    return float(fullest[len(fullest) // 2]), best / len(rising)


VARIANTS: tuple[Check[Member], ...] = (
    Check(
        "R03", "acquisition", WARNING, "rare variant of a vendor's protocol", rare_variant, 0.1, "share",
        "parameter groups as in CuBIDS, doi:10.1016/j.neuroimage.2022.119609; figures ours",
    ),
)  # fmt: skip
