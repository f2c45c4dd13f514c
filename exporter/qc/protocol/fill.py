"""Which images of a session fill which slot of a protocol, and which of several is picked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from trialbids.mappings.parameters import PARAMETERS, slack_b
from trialbids.mappings.protocol import Limit, Protocol, Slot
from trialbids.mappings.record import Record

from ...plan.build import Planned
from ...plan.visits import Visit
from ..check import NO_TOLERANCES
from .measure import Scan, scans_among

SHARE = 0.05
"""The tolerance of a figure that states none: headers round, and vendors choose the nearest that they can do."""
OF_SLICES = "G09"
"""What a trial sets for this check is a number of slices, which counts where there is no protocol."""
LOW_B = 110.0
"""b-values up to here are shared by scans that else measured different ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """A slot with its candidates in the order of acquisition, of which ``picked`` is one by the rule ``by``.

    ``calculated`` are computed b-values of the session. ``by`` is "" where there is one candidate alone, or where no
    rule tells them apart.
    """

    slot: Slot
    candidates: tuple[Scan, ...]
    picked: Scan
    by: str = ""
    calculated: tuple[float, ...] = ()

    @property
    def bvalues(self) -> tuple[float, ...]:
        """The acquired b-values of all candidates, rising."""
        return tuple(sorted({b for scan in self.candidates for b in scan.bvalues}))


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """One session's kept images beside the protocol: the slots that are filled, by id, in the protocol's order."""

    visit: Visit
    protocol: Protocol
    stacks: tuple[Planned, ...]
    filled: Mapping[str, Filled] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the checks of sessions call it."""
        return f"{self.visit.subject} {self.visit.session}"

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its stacks."""
        return tuple(p.row.stack_id for p in self.stacks)

    def has(self, slot: Slot) -> bool:
        """Whether images fill the slot, or one of those that it names."""
        return any(name in self.filled for name in slot.any_of) if slot.any_of else slot.slot in self.filled


Tolerances = Callable[[str], Mapping[str, float]]
"""What a site wants instead of a table's own tolerances, by the site's label."""


def examinations(
    planned: Iterable[Planned], protocol: Protocol, tolerances: Tolerances = lambda site: NO_TOLERANCES
) -> tuple[Examination, ...]:
    """Every session with an image that is kept, with the slots that its images fill."""
    sessions: dict[Visit, list[Planned]] = {}
    for p in planned:
        if p.row.decision == "keep" and p.harmonised.stack.is_image:
            sessions.setdefault(p.visit, []).append(p)
    match = _matcher(protocol)
    return tuple(
        Examination(visit, protocol, tuple(stacks), _fill(protocol, stacks, match, tolerances(visit.site)))
        for visit, stacks in sessions.items()
    )


Matches = Callable[[Record], Mapping[str, bool]]


def _matcher(protocol: Protocol) -> Matches:
    """The slots that mean a record: True for certain, False where an attribute that decides is unknown.

    What one slot means for certain fills no other by not being known. Records that are alike are asked once.
    """
    known: dict[tuple[object, ...], Mapping[str, bool]] = {}
    slots = [s for s in protocol.slots if s.match]

    def matches(record: Record) -> Mapping[str, bool]:
        key = tuple(getattr(record, name) for name in record.__dataclass_fields__ if name not in UNASKED)
        if key not in known:
            answers = {s.slot: s.matches(record) for s in slots}
            sure = {name: True for name, answer in answers.items() if answer}
            known[key] = sure or {name: False for name, answer in answers.items() if answer is None}
        return known[key]

    return matches


UNASKED = frozenset({"evidence", "confidence", "phase_time_s", "phase_time_source"})


def _fill(
    protocol: Protocol, stacks: Sequence[Planned], matches: Matches, tolerances: Mapping[str, float]
) -> dict[str, Filled]:
    sure: dict[str, list[Planned]] = {}
    maybe: dict[str, list[Planned]] = {}
    for p in stacks:
        for name, certain in matches(p.harmonised.record).items():
            (sure if certain else maybe).setdefault(name, []).append(p)
    computed = [p for p in stacks if "calc" in p.harmonised.record.derived]
    calculated = tuple(sorted({b for p in computed for b in p.harmonised.record.bvalues}))
    return {
        slot.slot: _pick(slot, scans_among(members), calculated, tolerances)
        for slot in protocol.slots
        if (members := sure.get(slot.slot) or maybe.get(slot.slot))
    }


def _pick(
    slot: Slot, candidates: tuple[Scan, ...], calculated: tuple[float, ...], tolerances: Mapping[str, float]
) -> Filled:
    """The candidate that the slot's rules prefer, and the first rule that sets it apart from all others."""
    left, by = list(zip(count(), candidates)), ""
    for rule in slot.pick:
        scored = [(RULES[rule](Candidate(slot, scan, n, tolerances)), (n, scan)) for n, scan in left]
        best = min(score for score, _ in scored)
        fewer = [item for score, item in scored if score == best]
        if len(fewer) < len(left):
            left, by = fewer, rule
        if len(left) == 1:
            break
    return Filled(slot, candidates, left[0][1], by if len(left) == 1 else "", calculated)


def outside(slot: Slot, scan: Scan, tolerances: Mapping[str, float] = NO_TOLERANCES) -> tuple[str, ...]:
    """The parameters of a scan that lie outside the limits of the slot, beyond the tolerance: the limit's own, else
    that of the parameter's check."""
    found = []
    for name, limit in slot.limits.items():
        span = scan.measured.get(name)
        if span is None:
            continue
        slack = slack_of(name, limit, tolerances)
        if not limit.range_for(scan.vendor).holds(*span, slack, PARAMETERS[name].rounding):
            found.append(name)
    return tuple(found)


def slack_of(name: str, limit: Limit, tolerances: Mapping[str, float]) -> float:
    """The share of its bounds by which a parameter may lie outside: the limit's own, else that of its check."""
    parameter = PARAMETERS[name]
    wanted = SHARE if parameter.check == OF_SLICES else tolerances.get(parameter.check, SHARE)
    return limit.tolerance if limit.tolerance is not None else 0.0 if parameter.counted else wanted


def competing(filled: Filled) -> tuple[Scan, ...]:
    """The candidates that are several for one purpose: scans of other b-values complete each other."""
    if filled.slot.bvalues is None or len(filled.candidates) < 2:
        return filled.candidates
    high = {scan.id: [b for b in scan.bvalues if b > LOW_B] for scan in filled.candidates}

    def shares(scan: Scan, other: Scan) -> bool:
        mine, theirs = high[scan.id], high[other.id]
        return not mine or not theirs or any(abs(a - b) <= slack_b(b) for a in mine for b in theirs)

    return tuple(s for s in filled.candidates if any(s is not o and shares(s, o) for o in filled.candidates))


def _most(name: str, scan: Scan) -> float:
    span = scan.measured.get(name)
    return span[1] if span else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A scan that may fill a slot: the ``n``-th in the order of acquisition, judged by the tolerances of its site."""

    slot: Slot
    scan: Scan
    n: int
    tolerances: Mapping[str, float]


def _finest(scan: Scan) -> float:
    span = scan.measured.get("pixel")
    return span[1] if span else float("inf")


RULES: Mapping[str, Callable[[Candidate], float]] = {
    "conforming": lambda c: len(outside(c.slot, c.scan, c.tolerances)),
    "slices": lambda c: -_most("slices", c.scan),
    "resolution": lambda c: _finest(c.scan),
    "phases": lambda c: -max(_most("phases", c.scan), float(len(c.scan.bvalues))),
    "last": lambda c: -c.n,
    "first": lambda c: c.n,
}
"""What each rule that picks counts; the least is preferred."""
