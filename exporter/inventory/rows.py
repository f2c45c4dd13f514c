"""From a header to the rows of the inventory: one for an object, one a frame for enhanced images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .decode import decode
from .elements import Level
from .header import SOP_CLASS, Header
from .identities import identities
from .instance import Instance
from .layouts import layout_of
from .multiframe import ENHANCED_IMAGES, frame_levels
from .private import (
    Diffusion,
    PrivateElements,
    complex_part,
    disagreeing,
    mosaic_tiles,
    other_b_values,
    private_diffusion,
    slices_said,
    unit,
)
from .syntax import CHARSET, META_CLASS, META_INSTANCE, NO_VRS, read_value
from .tags import (
    ALIASES,
    B_DIRECTION,
    B_VALUE,
    CHARACTER_SET,
    CODE_MEANING,
    CODED,
    FIELDS,
    FRAME_GROUPS,
    GRADIENT_DIRECTION,
    MR_DIFFUSION,
    NUMBER_OF_SLICES,
    TAG_OF,
    Field,
)
from .unreadable import RefusalError

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an object comes from: the first fields of :class:`Instance`."""

    path: str
    member: str
    size: int
    mtime_ns: int


def instances(header: Header, origin: Origin) -> list[Instance]:
    """The rows of one object. Raises ``RefusalError`` and ``OddEncodingError`` for damaged functional groups."""
    level = header.level
    character_set = level.values.get(CHARACTER_SET, (b"", b""))[1]
    remarks: set[str] = set()
    values = _fields(level, character_set, remarks)
    values = _coded([level], character_set) | values
    named, is_legible = identities(level, character_set)
    if not is_legible:
        remarks.add(CHARSET)
    _check_media(header, values, remarks)
    values |= {
        "path": origin.path,
        "member": origin.member,
        "size": origin.size,
        "mtime_ns": origin.mtime_ns,
        "transfer_syntax": header.transfer_syntax,
        "pixel_length": header.pixels.length if header.pixels else None,
        "identities": named,
        "remarks": tuple(sorted(remarks)) if remarks else (),
        "slices_said": _slices_said(level),
    }
    if header.text(SOP_CLASS) in ENHANCED_IMAGES and (FRAME_GROUPS in level.values or FRAME_GROUPS in level.sequences):
        return _frames(header, values, character_set)
    private = PrivateElements(level.values, values.get("Manufacturer", ""), level.encoding.little)
    standard = _standard_diffusion([level])
    if (found := standard or private_diffusion(private)).b_value is not None:
        values |= _diffusion(found)
        values["b_values_said"] = disagreeing([found.b_value, *other_b_values(private, found)])
    if values["slices_said"] is None:
        values["slices_said"] = slices_said(private)
    values["complex_part"] = complex_part(private)
    values["mosaic_tiles"] = mosaic_tiles(private, values.get("ImageType", ()), _mosaic_grid(values))
    values["layout"] = layout_of([level])
    return [Instance(**values)]


def _frames(header: Header, values: Values, character_set: bytes) -> list[Instance]:
    """One row a frame; what the frame says outranks what all share, and that what the top level says."""
    try:
        shared, per_frame = frame_levels(header.level, values.get("NumberOfFrames"))
    except RefusalError as refusal:
        refusal.series_uid = values.get("SeriesInstanceUID", "")
        raise
    remarks = set(values["remarks"])
    common = _coded(shared, character_set) | values | _merged(shared, character_set, remarks)
    common |= _diffusion(_standard_diffusion(shared) or Diffusion())
    if common["slices_said"] is None:
        private = PrivateElements(header.level.values, common.get("Manufacturer", ""), header.level.encoding.little)
        common["slices_said"] = slices_said(private)
    common["layout"] = layout_of([header.level, *shared, *(per_frame[0] if per_frame else ())])  # all are built alike
    rows: list[Instance] = []
    for number, groups in enumerate(per_frame, start=1):
        row = _coded(groups, character_set) | common | _merged(groups, character_set, remarks)
        if diffusion := _standard_diffusion(groups):
            row |= _diffusion(diffusion)
        moment = row.get("AcquisitionDateTime", "").partition("+")[0].partition("-")[0]
        row.setdefault("AcquisitionDate", moment[:8])
        row.setdefault("AcquisitionTime", moment[8:])
        row["frame"] = number if len(per_frame) > 1 else 0
        rows.append(Instance(**row))
    if len(remarks) > len(values["remarks"]):
        found = tuple(sorted(remarks))
        return [replace(row, remarks=found) for row in rows]
    return rows


def _merged(levels: list[Level], character_set: bytes, remarks: set[str]) -> Values:
    values: Values = {}
    for level in levels:
        values |= _fields(level, character_set, remarks)
    return values


def _coded(levels: list[Level], character_set: bytes) -> Values:
    """The fields that are given as a code."""
    values: Values = {}
    for level in levels:
        for name, path in CODED.items():
            if path[0] in level.values or path[0] in level.sequences:
                values[name] = _code_meaning(level, name, character_set)
    return {name: meaning for name, meaning in values.items() if meaning}


def _fields(level: Level, character_set: bytes, remarks: set[str]) -> Values:
    """The fields that one level holds a readable value for; what is wrong with others goes into ``remarks``."""
    values: Values = {}
    little = level.encoding.little
    aliased: list[tuple[Field, bytes, bytes]] = []
    for tag, (vr, raw) in level.values.items():
        if not raw:
            continue
        if field := FIELDS.get(tag):
            value, remark = read_value(field, vr, raw, character_set, little)
            if value is not None:
                values[field.name] = value
            if remark:
                remarks.add(remark)
        elif field := ALIASES.get(tag):
            aliased.append((field, vr, raw))
    for field, vr, raw in aliased:
        if field.name not in values:
            value, remark = read_value(field, vr, raw, character_set, little)
            if value is not None:
                values[field.name] = value
            if remark:
                remarks.add(remark)
    return values


def _check_media(header: Header, values: Values, remarks: set[str]) -> None:
    """What the file meta information says must be what the data set says (PS3.10 section 7.1)."""
    sop_class, instance = header.media
    if instance and instance != values.get("SOPInstanceUID"):
        remarks.add(META_INSTANCE)
    if sop_class and sop_class != values.get("SOPClassUID"):
        remarks.add(META_CLASS)


def _slices_said(level: Level) -> int | None:
    """NumberOfSlices of the PET series module (PS3.3 C.8.9.1)."""
    if NUMBER_OF_SLICES not in level.values:
        return None
    vr, raw = level.values[NUMBER_OF_SLICES]
    found = decode("integer", vr if vr not in NO_VRS else b"US", raw, b"", level.encoding.little)
    return found if isinstance(found, int) and found > 0 else None


def _code_meaning(level: Level, name: str, character_set: bytes) -> str:
    """The meaning of the code that stands for a field, or the field itself where it stands within the sequence."""
    tag = TAG_OF[name]
    items = [level]
    for sequence in CODED[name]:
        items = items[0].items(sequence)[:1]
        if not items:
            return ""
        for wanted in (tag, CODE_MEANING):
            vr, raw = items[0].values.get(wanted, (b"", b""))
            if found := decode("text", vr if vr not in NO_VRS else b"LO", raw, character_set, level.encoding.little):
                return str(found)
    return ""


def _standard_diffusion(levels: list[Level]) -> Diffusion | None:
    """What the standard's own elements say, at a level or in its MR diffusion sequence (PS3.3 C.8.13.5.9)."""
    for outer in levels:
        for level in (outer, *outer.items(MR_DIFFUSION)[:1]):
            b_value = _first_number(level, B_VALUE)
            if b_value is None or b_value < 0:
                continue
            holders = (level, *level.items(GRADIENT_DIRECTION)[:1])
            directions = (unit(_numbers(holder, B_DIRECTION)) for holder in holders)
            return Diffusion(b_value, "DiffusionBValue", next(filter(None, directions), ()))
    return None


def _numbers(level: Level, tag: int) -> tuple[float, ...]:
    vr, raw = level.values.get(tag, (b"", b""))
    value = decode("numbers", vr if vr not in NO_VRS else b"FD", raw, b"", level.encoding.little)
    return value if isinstance(value, tuple) else ()  # pyright: ignore[reportReturnType]


def _first_number(level: Level, tag: int) -> float | None:
    found = _numbers(level, tag)
    return found[0] if found else None


def _diffusion(found: Diffusion) -> Values:
    if found.b_value is None:
        return {}
    return {"b_value": found.b_value, "b_value_source": found.source, "b_direction": found.direction}


def _mosaic_grid(values: Values) -> int:
    """How many acquired matrices fit into the stored image."""
    matrix = [n for n in values.get("AcquisitionMatrix", ()) if n]
    rows, columns = values.get("Rows"), values.get("Columns")
    if len(matrix) != 2 or not rows or not columns:
        return 0
    return (
        (rows // max(matrix)) * (columns // max(matrix))
        if rows == columns
        else (rows * columns) // (matrix[0] * matrix[1])
    )
