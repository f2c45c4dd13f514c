"""A protocol as a schema of dicompare (:mod:`.dicompare` says which format that is)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trialbids.mappings.protocol import Protocol, Range, Slot

from .dicompare import B_FIELD, B_TAG, FIELDS, MARK

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "siemens": ("SIEMENS", "Siemens", "Siemens Healthineers"), "ge": ("GE", "GE MEDICAL SYSTEMS"),
    "philips": ("Philips", "Philips Medical Systems", "Philips Healthcare"), "canon": ("CANON_MEC", "TOSHIBA", "Canon"),
    "uih": ("UIH",), "hitachi": ("Hitachi", "FUJIFILM"), "hyperfine": ("Hyperfine",), "bruker": ("Bruker",),
    "other": ("other",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exported:
    """A schema made from a protocol, and what of the protocol it does not say, each in a sentence."""

    schema: dict[str, Any]
    unexpressed: tuple[str, ...]


def export_schema(protocol: Protocol) -> Exported:
    """The protocol as a schema of dicompare."""
    listed: list[str] = []
    acquisitions = {}
    for slot in protocol.slots:
        if slot.any_of:
            listed.append(f"{slot.slot}: that one of {', '.join(slot.any_of)} will do")
        else:
            acquisitions[slot.slot] = _acquisition(slot, protocol, listed)
    if protocol.bodyparts:
        listed.append("the body parts of the whole protocol")
    if acquisitions:
        listed.append("which images a slot means, whether it is required and how one is picked: only as tags")
    schema = {
        "name": protocol.protocol, "description": protocol.meaning, "version": protocol.version,
        "acquisitions": acquisitions,
    }  # fmt: skip
    return Exported(schema, tuple(listed))


def _acquisition(slot: Slot, protocol: Protocol, listed: list[str]) -> dict[str, Any]:
    fields = []
    vendors: dict[str, list[dict[str, Any]]] = {}
    for name, limit in slot.limits.items():
        if name not in FIELDS:
            listed.append(f"{slot.slot}: the limit of {name}, for which there is no DICOM field to compare")
            continue
        if limit.min is not None or limit.max is not None:
            fields.append(_field(name, limit, limit.tolerance) | _notes(limit.source, protocol))
        for by, own in limit.vendors.items():
            vendors.setdefault(by, []).append(_field(name, own, limit.tolerance))
            if own.source:
                listed.append(f"{slot.slot}: the source of the range of {name} for {by}")
    fields += _b_field(slot, protocol, listed)
    series = [
        {"name": by, "fields": [{"field": "Manufacturer", "tag": "0008,0070", "contains_any": [*SPELLINGS[by]]}, *own]}
        for by, own in vendors.items()
    ]
    if series:
        listed.append(f"{slot.slot}: that the ranges of a vendor are for its scanners alone; they stand as series")
    return {"description": slot.meaning, "fields": fields, "series": series, "tags": list(_tags(slot))}


def _field(name: str, given: Range, tolerance: float | None) -> dict[str, Any]:
    keyword, tag, vr = FIELDS[name]
    found: dict[str, Any] = {"field": keyword, "tag": tag, "vr": vr, "dataType": "number"}
    for bound, edge, sign in (("min", "errorMin", -1), ("max", "errorMax", 1)):
        figure = getattr(given, bound)
        if figure is not None:
            found[bound] = figure
            if tolerance is not None:
                found[edge] = figure + sign * tolerance * abs(figure)
    return found


def _b_field(slot: Slot, protocol: Protocol, listed: list[str]) -> list[dict[str, Any]]:
    """Exact b-values that are required; windows are listed."""
    if slot.bvalues is None:
        return []
    exact = [w.min for w in slot.bvalues.windows if w.required and w.max == w.min and not w.calculated]
    if len(exact) < len(slot.bvalues.windows):
        listed.append(f"{slot.slot}: windows of b-values, and those that may be calculated or absent")
    if not exact:
        return []
    found = {"field": B_FIELD, "tag": B_TAG, "vr": "FD", "dataType": "list_number", "contains_all": exact}
    return [found | _notes(slot.bvalues.source, protocol)]


def _notes(source: str, protocol: Protocol) -> dict[str, str]:
    if not source:
        return {}
    text = protocol.sources.get(source, "")
    return {"notes": f"source {source}: {text}" if text else f"source {source}"}


def _tags(slot: Slot) -> Iterator[str]:
    """What only we can say of a slot."""
    yield MARK + ("required" if slot.is_required else "optional")
    if isinstance(slot.match, str):
        yield f"{MARK}match={slot.match}"
    else:
        yield from (f"{MARK}match.{name}={' '.join(words)}" for name, words in slot.match.items())
    yield f"{MARK}pick={' '.join(slot.pick)}"
    if slot.source:
        yield f"{MARK}source={slot.source}"
