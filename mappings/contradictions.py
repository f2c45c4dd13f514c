"""Where a protocol contradicts itself: a table of small looks at one slot, each with the place and a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .parameters import B_UNIT, MOST_B, PARAMETERS, Parameter
from .protocol import LEARNED, OURS, PICKS, VENDORS, BValues, Protocol, Range, Slot
from .vocabulary import vocabulary

Place = tuple[str | int, ...]
"""Where in a protocol something stands: number and id of a slot and the keys below it, or a key of the whole."""


def contradictions(protocol: Protocol) -> Iterator[tuple[Place, str]]:
    """Where a protocol contradicts itself, each with a sentence that says what was expected."""
    ids = [s.slot for s in protocol.slots]
    for part in protocol.bodyparts:
        if part not in vocabulary()["bodypart"].values:
            yield ("bodyparts",), f"{part!r} is no body part of the vocabulary"
    for n, slot in enumerate(protocol.slots):
        if slot.slot in ids[:n]:
            yield (n, slot.slot), f"the slot {slot.slot!r} stands twice; give each slot an id of its own"
            continue
        for place, sentence in (*_of_kind(slot, protocol), *_of_figures(slot)):
            yield (n, slot.slot, *place), sentence
        for place, source in _sources(slot):
            if source not in ("", OURS, LEARNED, *protocol.sources):
                known = ", ".join((*protocol.sources, OURS, LEARNED))
                yield (n, slot.slot, *place), f"the source {source!r} is not listed under sources; there are: {known}"


def _of_kind(slot: Slot, protocol: Protocol) -> Iterator[tuple[Place, str]]:
    """Whether it is wanted, and which images are meant."""
    if slot.required is not None and slot.optional is not None and slot.required == slot.optional:
        yield ("optional",), "is required and optional at once; say one of them"
    for word in slot.pick:
        if word not in PICKS:
            yield ("pick",), f"{word!r} is no rule that picks; expected some of {', '.join(PICKS)}"
    if not slot.any_of:
        yield from _of_match(slot)
        return
    if slot.match or slot.limits or slot.bvalues:
        yield ("any_of",), "has any_of and a match or limits of its own; expected one of the two"
    for name in slot.any_of:
        other = protocol.slot(name)
        if other is None or other is slot:
            others = ", ".join(s.slot for s in protocol.slots if s is not slot)
            yield ("any_of",), f"names the slot {name!r}, which there is not; there are: {others}"
        elif other.is_required:
            yield (
                ("any_of",),
                f"names {name!r} as one of several, but that slot is required by itself; make it optional",
            )
        elif other.any_of:
            yield ("any_of",), f"names {name!r}, which has any_of itself; expected slots that images fill"


def _of_match(slot: Slot) -> Iterator[tuple[Place, str]]:
    if not slot.match:
        yield (
            ("slot",),
            "says of no image that it is meant; expected match, such as {sequence: T2w, plane: sag}, or any_of",
        )
        return
    try:
        _ = slot.condition
    except ValueError as error:
        yield ("match",), str(error)


def _of_figures(slot: Slot) -> Iterator[tuple[Place, str]]:
    """Ranges upside down, in another unit, or of what is no parameter."""
    for name, limit in slot.limits.items():
        parameter = PARAMETERS.get(name)
        if parameter is None:
            yield ("limits", name), f"{name!r} is no parameter; expected one of {', '.join(PARAMETERS)}"
            continue
        if limit.unit != parameter.unit:
            yield ("limits", name, "unit"), f"{name} is stated in {parameter.unit}, not in {limit.unit!r}"
        if limit.min is None and limit.max is None and not limit.vendors:
            yield ("limits", name), f"{name} has no figure; expected min, max or vendors"
        yield from ((("limits", name, *p), s) for p, s in _of_range(name, limit, parameter))
        for vendor, own in limit.vendors.items():
            if vendor not in VENDORS:
                yield ("limits", name, "vendors"), f"{vendor!r} is no vendor; expected one of {', '.join(VENDORS)}"
            yield from ((("limits", name, "vendors", vendor, *p), s) for p, s in _of_range(name, own, parameter))
    if slot.bvalues is not None:
        yield from _of_bvalues(slot.bvalues)


def _of_range(name: str, given: Range, parameter: Parameter) -> Iterator[tuple[Place, str]]:
    for bound in ("min", "max"):
        figure = getattr(given, bound)
        if figure is not None and not parameter.least <= figure <= parameter.most:
            span = f"{parameter.least:g} to {parameter.most:g} {parameter.unit}"
            yield (
                (bound,),
                f"{name} of {figure:g} {parameter.unit} is none that a scanner has; expected {span}: another unit?",
            )
    if given.min is not None and given.max is not None and given.min > given.max:
        yield ("min",), f"{name} has min {given.min:g} above max {given.max:g}; expected min to be at most max"


def _of_bvalues(given: BValues) -> Iterator[tuple[Place, str]]:
    if given.unit != B_UNIT:
        yield ("bvalues", "unit"), f"bvalues are stated in {B_UNIT}, not in {given.unit!r}"
    for n, window in enumerate(given.windows):
        place: Place = ("bvalues", "windows", n)
        if window.max is not None and window.min > window.max:
            yield place, f"bvalues have min {window.min:g} above max {window.max:g}; expected min to be at most max"
        if window.min > MOST_B or (window.max or 0) > MOST_B or (0 < window.min < 1):
            yield place, f"{window.words()} is no b-value in {B_UNIT}; expected 0 to {MOST_B:g}: is it in another unit?"


def _sources(slot: Slot) -> Sequence[tuple[Place, str]]:
    found: list[tuple[Place, str]] = [(("source",), slot.source)]
    for name, limit in slot.limits.items():
        found.append((("limits", name, "source"), limit.source))
        found += [(("limits", name, "vendors", v, "source"), own.source) for v, own in limit.vendors.items()]
    return [*found, (("bvalues", "source"), slot.bvalues.source)] if slot.bvalues else found
