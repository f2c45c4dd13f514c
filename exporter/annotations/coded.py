"""What the readers of DICOM annotation objects share: opening an object, its codes, its references, its refusal."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Mapping, MutableSequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    ParametricMapStorage,
    RTStructureSetStorage,
    SegmentationStorage,
    SurfaceSegmentationStorage,
)

from ..convert.pixels import DECODING_ERRORS

LABEL_MAP_SEGMENTATION = UID("1.2.840.10008.5.1.4.1.1.66.7")  # newer than pydicom 3.0's list

SEG, RTSTRUCT, REPORT = "seg", "rtstruct", "report"
NAMES = {SEG: "segmentation", RTSTRUCT: "structure set", REPORT: "structured report"}

KINDS: Mapping[str, str] = {
    SegmentationStorage: SEG,
    LABEL_MAP_SEGMENTATION: SEG,
    RTStructureSetStorage: RTSTRUCT,
    EnhancedSRStorage: REPORT,
    ComprehensiveSRStorage: REPORT,
    Comprehensive3DSRStorage: REPORT,
}
"""What is read of which SOP class."""

OTHERS: Mapping[str, str] = {
    ParametricMapStorage: "a parametric map holds measured numbers, no segmentation",
    SurfaceSegmentationStorage: "a surface segmentation holds meshes, which are not put on a grid",
}
"""SOP classes that look like annotations, and why they are refused."""

BROKEN = (*DECODING_ERRORS, BytesLengthException, InvalidDicomError, NotImplementedError, zlib.error)
"""What reading a damaged object, one of its elements or its pixels may raise."""

NO_KIND = "the object is no segmentation, structure set or structured report"


class AnnotationError(Exception):
    """An object that cannot be read as what it is taken for; ``reason`` is one word, the message names nobody."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept; ``value`` and ``scheme`` (``SCT``, ``DCM``, ``SRT`` …) name it, ``meaning`` is words."""

    value: str
    scheme: str
    meaning: str


def kind_of(sop_class: str) -> str | None:
    """``seg``, ``rtstruct`` or ``report``; None for every other SOP class."""
    return KINDS.get(sop_class)


@contextmanager
def quiet() -> Iterator[None]:
    """Within it nothing is warned of: warnings of pydicom quote the header's values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def opened(source: Path | Dataset, kind: str, pixels: bool = False) -> Dataset:
    """The object, if it is of this kind. Raises ``AnnotationError`` ``unreadable`` or ``other-object``."""
    dataset = source if isinstance(source, Dataset) else _read(source, pixels)
    sop_class = text(dataset, "SOPClassUID")
    if not sop_class:
        raise AnnotationError("unreadable", "the file cannot be read as DICOM")
    found = KINDS.get(sop_class)
    if found is None:
        raise AnnotationError("other-object", OTHERS.get(sop_class, NO_KIND))
    if found != kind:
        raise AnnotationError("other-object", f"the object is a {NAMES[found]}, not a {NAMES[kind]}")
    return dataset


def _read(path: Path, pixels: bool) -> Dataset:
    try:
        return dcmread(path, stop_before_pixels=not pixels)
    except BROKEN as error:
        raise AnnotationError("unreadable", "the file cannot be read as DICOM") from error


def text(dataset: Dataset, keyword: str) -> str:
    """The value as text without blanks at its ends; of several the first, "" where there is none."""
    value = value_of(dataset, keyword)
    if isinstance(value, MutableSequence):
        value = next(iter(value), "")
    return "" if value is None else str(value).strip(" \0")


def value_of(dataset: Dataset, keyword: str) -> object:
    """The value of an element, None where it is missing or cannot be read."""
    try:
        return dataset.get(keyword)
    except BROKEN:
        return None


def number(dataset: Dataset, keyword: str) -> int | None:
    """The whole number of an element, None where there is none."""
    try:
        return int(text(dataset, keyword))
    except ValueError:
        return None


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where it is missing or no sequence."""
    value = value_of(dataset, keyword)
    return [item for item in value if isinstance(item, Dataset)] if isinstance(value, MutableSequence) else []


def code(dataset: Dataset, keyword: str) -> Code | None:
    """The first code of a code sequence; long and URN values are values too (PS3.3 table 8.8-1)."""
    for item in items(dataset, keyword):
        value = text(item, "CodeValue") or text(item, "LongCodeValue") or text(item, "URNCodeValue")
        if value:
            return Code(value, text(item, "CodingSchemeDesignator"), text(item, "CodeMeaning"))
    return None


def instances(dataset: Dataset, *keywords: str) -> Iterator[str]:
    """ReferencedSOPInstanceUID of all items of the sequences, in order."""
    for keyword in keywords:
        for item in items(dataset, keyword):
            if uid := text(item, "ReferencedSOPInstanceUID"):
                yield uid


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """The numbers of an element; none where it is missing or one of them is no number."""
    value = value_of(dataset, keyword)
    try:
        return tuple(float(str(n)) for n in (value if isinstance(value, MutableSequence) else [value]))
    except ValueError:
        return ()
