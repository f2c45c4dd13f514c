"""A protocol read from what was scanned: parameter groups by kind of image and by vendor, with counts and ranges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from trialbids.mappings.parameters import PARAMETERS
from trialbids.mappings.protocol import LEARNED, BValues, Limit, Protocol, Range, Slot, Window

from ...plan.build import Planned
from .fill import Examination, examinations
from .measure import Scan, scans_among

NOTHING = Protocol(protocol="none")

TELLING = ("sequence", "plane", "dim", "technique", "fatsat", "dixon", "agent", "phase_name")
"""The attributes of a record that make a slot; those that are not known are left out."""

IN_NAMES = ("sequence", "technique", "plane", "fatsat", "dixon", "agent", "phase_name", "dim")
SILENT = frozenset({"unknown", "none", ""})

PARAMETERS_LEARNED = tuple(name for name in PARAMETERS if name not in ("gap", "since_injection", "field"))
LEAST_SHARE = 0.05
"""A kind that fewer of the sessions hold is an exception, and no slot."""

REQUIRED_SHARE = 0.9
CORE = 0.05
"""The share at each end of the values that is left out of a range, where there are enough values for that."""

ENOUGH = 20
Kind = tuple[tuple[str, str], ...]


def learn(planned: Iterable[Planned], name: str = "learned") -> Protocol:
    """The protocol of the kept images: a slot for each kind that at least 5 % of the sessions hold.

    A slot is required where 90 % of the sessions hold it. Ranges hold the middle 90 % of what was measured (all of
    it below 20 scans), by vendor with counts, and over all vendors.
    """
    sessions = examinations(planned, NOTHING)
    scans: dict[Kind, list[Scan]] = {}
    holders: Counter[Kind] = Counter()
    for session in sessions:
        kinds = _kinds(session)
        holders.update(kinds.keys())
        for kind, members in kinds.items():
            scans.setdefault(kind, []).extend(scans_among(members))
    frequent = sorted((k for k in scans if holders[k] >= LEAST_SHARE * len(sessions)), key=lambda k: (-holders[k], k))
    names = _names(frequent)
    slots = (_slot(names[k], k, scans[k], holders[k], len(sessions)) for k in frequent)
    meaning = f"learned from {len(sessions)} sessions"
    return Protocol(protocol=name, meaning=meaning, bodyparts=_body_parts(sessions), slots=tuple(slots))


def _kinds(session: Examination) -> dict[Kind, list[Planned]]:
    found: dict[Kind, list[Planned]] = {}
    for p in session.stacks:
        r = p.harmonised.record
        if r.derived:
            continue
        telling = TELLING if r.sequence != "DCE" else tuple(n for n in TELLING if n not in ("agent", "phase_name"))
        kind = tuple((n, v) for n in telling if (v := getattr(r, n)) not in ("unknown", ""))
        found.setdefault(kind, []).append(p)
    return found


def _names(kinds: Sequence[Kind]) -> dict[Kind, str]:
    """A name for each kind, of as many words as tell it from the others."""
    names: dict[Kind, str] = {}
    for kind in kinds:
        told = dict(kind)
        words = [told[n] for n in IN_NAMES if told.get(n, "") not in SILENT]
        plain = re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-") or "image"
        taken, n, name = set(names.values()), 1, plain
        while name in taken:
            n += 1
            name = f"{plain}-{n}"
        names[kind] = name
    return names


def _slot(name: str, kind: Kind, scans: Sequence[Scan], held: int, n_sessions: int) -> Slot:
    limits = {n: limit for n in PARAMETERS_LEARNED if (limit := _limit(n, scans)) is not None}
    return Slot(
        slot=name, meaning=f"in {held} of {n_sessions} sessions", required=held >= REQUIRED_SHARE * n_sessions,
        match={n: (v,) for n, v in kind}, limits=limits, bvalues=_bvalues(scans), source=LEARNED,
    )  # fmt: skip


def _limit(name: str, scans: Sequence[Scan]) -> Limit | None:
    by_vendor: dict[str, list[float]] = {}
    for scan in scans:
        if name in scan.measured:
            by_vendor.setdefault(scan.vendor, []).extend(set(scan.measured[name]))
    if not by_vendor:
        return None
    everything = _core([v for values in by_vendor.values() for v in values])
    vendors = {}
    if len(by_vendor) > 1:
        counts = Counter(scan.vendor for scan in scans if name in scan.measured)
        for vendor, values in sorted(by_vendor.items()):
            low, high = _core(values)
            vendors[vendor] = Range(min=low, max=high, n=counts[vendor], source=LEARNED)
    n = sum(name in scan.measured for scan in scans)
    unit = PARAMETERS[name].unit
    return Limit(min=everything[0], max=everything[1], n=n, unit=unit, source=LEARNED, vendors=vendors)


def _core(values: Sequence[float]) -> tuple[float, float]:
    """The least and the most without the outermost 5 % at each end, to five digits."""
    rising = sorted(values)
    cut = int(CORE * len(rising)) if len(rising) >= ENOUGH else 0
    low, high = rising[cut], rising[len(rising) - 1 - cut]
    return float(f"{low:.5g}"), float(f"{high:.5g}")


def _bvalues(scans: Sequence[Scan]) -> BValues | None:
    """A window for each b-value that was measured, required where 90 % of the scans have it."""
    counts = Counter(round(b) for scan in scans for b in scan.bvalues)
    told = sum(bool(scan.bvalues) for scan in scans)
    if not counts:
        return None
    windows = tuple(
        Window(min=float(b), max=float(b), required=counts[b] >= REQUIRED_SHARE * told) for b in sorted(counts)
    )
    return BValues(unit="s/mm2", windows=windows, source=LEARNED)


def _body_parts(sessions: Sequence[Examination]) -> tuple[str, ...]:
    """The body parts of at least a tenth of the sessions, most frequent first."""
    counts = Counter(part for s in sessions for part in {p.harmonised.record.bodypart for p in s.stacks})
    return tuple(part for part, n in counts.most_common() if part != "unknown" and n >= 0.1 * len(sessions))


def counts_of(slot: Slot) -> Mapping[str, int]:
    """How many scans each vendor's ranges of a learned slot stand for, at most."""
    found: Counter[str] = Counter()
    for limit in slot.limits.values():
        for vendor, own in limit.vendors.items():
            found[vendor] = max(found[vendor], own.n or 0)
    return found
