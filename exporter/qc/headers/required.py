"""Which attributes an image object must have (type 1, PS3.5 section 7.4.1) and has not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from operator import attrgetter

from ...inventory.instance import Instance
from ..check import Evidence

PIXEL_ATTRIBUTES = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
)
"""Without these the bytes of the pixel data are no image (PS3.3 table C.7-11c)."""

PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
NOT_OF_FLOATS = frozenset(("BitsStored", "PixelRepresentation"))
"""What a parametric map in floating-point numbers does not have (PS3.3 C.7.6.24)."""

OWN_OF_EACH = frozenset(("SOPInstanceUID", "InstanceNumber", "ContentTime"))
"""Attributes that differ from object to object: whether they are empty is not asked."""

_pixel_attributes = attrgetter("SOPClassUID", "pixel_length", *PIXEL_ATTRIBUTES)
_EMPTY = ("", None, ())


def missing_pixel_attributes(instances: Sequence[Instance]) -> Iterator[Evidence]:
    """One evidence an attribute that some object with pixel data lacks."""
    lacking: dict[str, list[tuple[str, str, int]]] = {}
    if not any(None in found or "" in found for found in set(map(_pixel_attributes, instances))):
        return
    for i in instances:
        if i.pixel_length is None:
            continue
        for name in PIXEL_ATTRIBUTES:
            is_map = i.SOPClassUID == PARAMETRIC_MAP and name in NOT_OF_FLOATS
            if getattr(i, name) in _EMPTY and not is_map:
                lacking.setdefault(name, []).append(i.key)
    for name, places in lacking.items():
        message = f"{name} is missing in {len(places)} of {len(instances)} images"
        yield Evidence(message, name, (("images", len(places)),), tuple(places))


def missing_beside(instances: Sequence[Instance], layouts: Mapping[str, frozenset[int]]) -> Iterator[Evidence]:
    """One evidence an attribute of type 1 of the IOD, other than those of the pixels, that some object lacks."""
    kinds = {(i.SOPClassUID, i.layout) for i in instances}
    absent = {kind: _absent(kind[0], layouts[kind[1]]) if kind[1] in layouts else () for kind in kinds}
    lacking: dict[str, list[tuple[str, str, int]]] = {}
    if any(absent.values()):
        for i in instances:
            for name in absent[i.SOPClassUID, i.layout]:
                lacking.setdefault(name, []).append(i.key)
    for sop_class in {kind[0] for kind in kinds}:
        for name in _kept(sop_class):
            empty = [i.key for i in _without(instances, name) if i.SOPClassUID == sop_class]
            if empty and name not in lacking and _are_known(instances, layouts):
                lacking[name] = empty
    for name in sorted(lacking):
        message = f"{name}, which is required, is missing in {len(lacking[name])} of {len(instances)} images"
        yield Evidence(message, name, (("images", len(lacking[name])),), tuple(lacking[name]))


def _are_known(instances: Iterable[Instance], layouts: Mapping[str, frozenset[int]]) -> bool:
    return any(i.layout in layouts for i in instances)


def _without(instances: Sequence[Instance], name: str) -> list[Instance]:
    """The objects in which an attribute that the inventory keeps is empty."""
    if not any(value in _EMPTY for value in set(map(attrgetter(name), instances))):
        return []
    return [i for i in instances if getattr(i, name) in _EMPTY]


@cache
def _required(sop_class: str) -> tuple[tuple[int, str], ...]:
    """Tag and keyword of every attribute of type 1 of an IOD, () where the class is none that is known."""
    from pydicom.datadict import keyword_for_tag

    from trialbids.mappings.iods import iods

    iod = iods().iods.get(sop_class)
    return tuple((tag, keyword_for_tag(tag)) for tag in sorted(iod.type1)) if iod else ()


@cache
def _kept(sop_class: str) -> tuple[str, ...]:
    """Those of them that the inventory keeps the value of."""
    names = (name for _, name in _required(sop_class) if name not in PIXEL_ATTRIBUTES)
    return tuple(name for name in names if name in Instance.__dataclass_fields__ and name not in OWN_OF_EACH)


@cache
def _absent(sop_class: str, tags: frozenset[int]) -> tuple[str, ...]:
    return tuple(name for tag, name in _required(sop_class) if tag not in tags and name not in PIXEL_ATTRIBUTES)
