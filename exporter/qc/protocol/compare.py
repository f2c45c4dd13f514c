"""A learned protocol beside a reference: what a vendor or a trial does otherwise than the reference asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields

from trialbids.mappings.imageterms import ImageTerm
from trialbids.mappings.parameters import PARAMETERS, Parameter
from trialbids.mappings.protocol import Limit, Protocol, Range, Slot
from trialbids.mappings.record import Record
from trialbids.mappings.vocabulary import vocabulary

from ...tables import tsv_bytes
from .conformance import SHARE

WITHIN, PARTLY, OUTSIDE, MISSING, MORE = "within", "partly", "outside", "missing", "not asked for"
ANY_VENDOR = "all"


@dataclass(frozen=True, slots=True)
class Difference:
    """One slot or one parameter of it: what is wanted, what is done, by which vendor.

    ``verdict`` is ``within``, ``partly`` (the ranges overlap), ``outside``, ``missing`` (the reference wants it, nobody
    does it, or does not tell) or ``not asked for``.
    """

    slot: str
    learned: str
    vendor: str
    parameter: str
    wanted: str
    done: str
    unit: str
    verdict: str


def compare(learned: Protocol, reference: Protocol) -> tuple[Difference, ...]:
    """Every slot and limit of the reference with what the learned protocol has, then what it has beside."""
    pairs = {s.slot: [own for own in learned.slots if _means(s, own)] for s in reference.slots if s.match}
    found: list[Difference] = []
    for slot in reference.slots:
        members = [m for name in (slot.any_of or (slot.slot,)) for m in pairs.get(name, [])]
        done = ", ".join(m.meaning for m in members)
        wanted = "required" if slot.is_required else "optional"
        verdict = WITHIN if any(m.is_required for m in members) else PARTLY if members else MISSING
        names = " ".join(m.slot for m in members)
        found.append(Difference(slot.slot, names, ANY_VENDOR, "present", wanted, done, "", verdict))
        for own in pairs.get(slot.slot, ()):
            found.extend(_of_limits(slot, own))
            found.extend(_of_bvalues(slot, own))
    met = {own.slot for members in pairs.values() for own in members}
    rest = (s for s in learned.slots if s.slot not in met)
    found.extend(Difference("", s.slot, ANY_VENDOR, "present", "", s.meaning, "", MORE) for s in rest)
    return tuple(found)


def _means(slot: Slot, own: Slot) -> bool:
    """Whether images of a learned slot are meant by one of the reference."""
    if isinstance(own.match, str) or not isinstance(own.condition, ImageTerm):
        return False
    words = {n: vs[0] for n, vs in own.match.items() if len(vs) == 1 and vocabulary()[n].kind == "word"}
    return bool(slot.matches(Record.from_row(words)))


def _of_limits(slot: Slot, own: Slot) -> Iterator[Difference]:
    for name, limit in slot.limits.items():
        parameter, done = PARAMETERS[name], own.limits.get(name)
        if done is None:
            yield Difference(slot.slot, own.slot, ANY_VENDOR, name, limit.words(), "", parameter.unit, MISSING)
            continue
        for vendor, given in ({ANY_VENDOR: done} if not done.vendors else done.vendors).items():
            wanted = limit.range_for(vendor)
            verdict = _verdict(given, wanted, limit, parameter)
            yield Difference(slot.slot, own.slot, vendor, name, wanted.words(), given.words(), parameter.unit, verdict)


def _verdict(given: Range, wanted: Range, limit: Limit, parameter: Parameter) -> str:
    slack = limit.tolerance if limit.tolerance is not None else 0.0 if parameter.counted else SHARE
    ends = [x for x in (given.min, given.max) if x is not None]
    if not ends:
        return MISSING
    if all(wanted.holds(x, x, slack, parameter.rounding) for x in ends):
        return WITHIN
    above = wanted.max is not None and ends[0] > wanted.max * (1 + slack) + parameter.rounding
    below = wanted.min is not None and ends[-1] < wanted.min * (1 - slack) - parameter.rounding
    return OUTSIDE if above or below else PARTLY


def _of_bvalues(slot: Slot, own: Slot) -> Iterator[Difference]:
    if slot.bvalues is None:
        return
    done = own.bvalues.windows if own.bvalues else ()
    for window in (w for w in slot.bvalues.windows if w.required):
        inside = [w for w in done if window.holds(w.min)]
        verdict = WITHIN if any(w.required for w in inside) else PARTLY if inside else MISSING
        words = ", ".join(w.words() for w in done)
        yield Difference(slot.slot, own.slot, ANY_VENDOR, "bvalues", window.words(), words, "s/mm2", verdict)


def differences_bytes(rows: Iterable[Difference]) -> bytes:
    """The comparison as a table."""
    return tsv_bytes([f.name for f in fields(Difference)], (asdict(row) for row in rows))
