"""DICOM segmentation objects: binary, fractional and label map (PS3.3 A.51, A.90), read with pydicom.

highdicom's reader is not used: it refuses objects of other writers that lack an attribute which nothing here needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from ..convert.decoders import decoded
from .coded import BROKEN, SEG, AnnotationError, Code, code, instances, items, number, numbers, opened, quiet, text
from .frames import FramesShape, Plane, plane_affine
from .grid import MaskRefused, Shape, Unplaceable

Kind = Literal["binary", "fractional", "labelmap"]
Method = Literal["manual", "semiautomatic", "automatic"]
KINDS: dict[str, Kind] = {"BINARY": "binary", "FRACTIONAL": "fractional", "LABELMAP": "labelmap"}
METHODS: dict[str, Method] = {"MANUAL": "manual", "SEMIAUTOMATIC": "semiautomatic", "AUTOMATIC": "automatic"}
BACKGROUND = ("125040", "DCM")
"""The code of what belongs to no segment, which label maps may describe as one."""

KEPT_FRAMES = 256
"""Decoded frames of label maps that are kept, as each of their segments reads all of them."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment as its object describes it; label, name and tracking id are private text.

    ``algorithm`` is None where the object does not say how the segment was made.
    """

    number: int
    label: str
    property: Code | None
    category: Code | None
    algorithm: Method | None
    algorithm_name: str
    tracking_id: str
    tracking_uid: str


@dataclass(frozen=True, slots=True, eq=False)
class SegObject:
    """A segmentation object: whom and what it belongs to, its segments, and the shape of each."""

    series_uid: str
    sop_uid: str
    study_uid: str
    patient_id: str
    referenced_series_uids: tuple[str, ...]
    referenced_sop_uids: tuple[str, ...]
    frame_of_reference: str
    kind: Kind
    segments: tuple[Segment, ...]
    creator: str
    frames: tuple[_Frame, ...]
    largest: int | None

    @property
    def referenced_series_uid(self) -> str:
        """The series that it was drawn on, "" where the object names none."""
        return next(iter(self.referenced_series_uids), "")

    def shape_of(self, number: int) -> Shape:
        """What was drawn of a segment; pixels are decoded when it is put on a grid.

        Raises ``AnnotationError`` ``no-segment`` where the object has no segment of this number.
        """
        if not any(segment.number == number for segment in self.segments):
            raise AnnotationError("no-segment", f"the object has no segment {number}")
        planes = []
        for frame in self.frames:
            if frame.segment not in (None, number):
                continue
            if frame.affine is None:
                return Unplaceable("A01", f"frame {frame.index + 1} does not say where it lies in the patient")
            pixels = _Pixels(frame.source, frame.index, self.kind, number, self.largest)
            planes.append(Plane(frame.affine, frame.size, pixels, frame.spacing))
        if self.kind == "fractional" and not self.largest:
            return Unplaceable(
                "F03", "the object does not say which value stands for the whole (MaximumFractionalValue)"
            )
        return FramesShape(tuple(planes), fraction=self.kind == "fractional")


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """A frame: its place in the object, its segment (None: all, in a label map), where it lies (None: unknown)."""

    source: Path | Dataset
    index: int
    segment: int | None
    size: tuple[int, int]
    affine: NDArray[np.float64] | None
    spacing: float | None


@dataclass(frozen=True, slots=True, eq=False)
class _Pixels:
    """Decodes one frame as the part of one segment in it: 0 or 1, of fractions float32 in 0..1."""

    source: Path | Dataset
    index: int
    kind: Kind
    number: int
    largest: int | None

    def __call__(self) -> NDArray[np.generic]:
        try:
            with quiet():
                stored = self._stored()
        except (*BROKEN, AnnotationError) as error:
            raise MaskRefused("F03", f"frame {self.index + 1} cannot be decoded") from error
        if self.kind == "labelmap":
            return stored == self.number
        if self.kind == "binary" or not self.largest:
            return stored != 0
        if stored.max(initial=0) > self.largest:
            raise MaskRefused("F03", f"frame {self.index + 1} holds fractions above 1")
        return stored.astype(np.float32) / np.float32(self.largest)

    def _stored(self) -> NDArray[np.generic]:
        if isinstance(self.source, Dataset):
            return _decoded(self.source, self.index)
        state = self.source.stat()
        key = (self.source, state.st_size, state.st_mtime_ns)
        return _kept(*key, self.index) if self.kind == "labelmap" else _decoded(_whole(*key), self.index)


@lru_cache(maxsize=1)
def _whole(path: Path, size: int, mtime_ns: int) -> Dataset:
    """The object with its pixels; the last one stays in memory, as one segment is read after the other."""
    return opened(path, SEG, pixels=True)


@lru_cache(maxsize=KEPT_FRAMES)
def _kept(path: Path, size: int, mtime_ns: int, index: int) -> NDArray[np.generic]:
    return _decoded(_whole(path, size, mtime_ns), index)


def _decoded(dataset: Dataset, index: int) -> NDArray[np.generic]:
    if dataset.BitsAllocated == 1 and not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return _unpacked(dataset, index)
    return decoded(dataset, index, raw=True)


def _unpacked(dataset: Dataset, index: int) -> NDArray[np.uint8]:
    """A frame of packed bits, which need not begin with a byte (PS3.5 8.1.1, D.2).

    pydicom 3.0 reads a byte too few where the frame ends in the byte after its length.
    """
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    first = index * rows * columns
    data = dataset.PixelData[first // 8 : -(-(first + rows * columns) // 8)]
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    return bits[first % 8 :][: rows * columns].reshape(rows, columns)


@quiet()
def read_seg(source: Path | Dataset) -> SegObject:
    """Read a segmentation object's header.

    Raises ``AnnotationError``: ``unreadable``, ``other-object`` (parametric maps and surfaces are named), ``damaged``
    where kind, segments or frames are missing.
    """
    dataset = opened(source, SEG)
    kind = KINDS.get(text(dataset, "SegmentationType").upper())
    if kind is None:
        raise AnnotationError("damaged", "the object does not say whether it is binary, fractional or a label map")
    references = [s for d in (dataset, *items(dataset, OTHER_STUDIES)) for s in items(d, "ReferencedSeriesSequence")]
    named = [text(series, "SeriesInstanceUID") for series in references]
    return SegObject(
        series_uid=text(dataset, "SeriesInstanceUID"),
        sop_uid=text(dataset, "SOPInstanceUID"),
        study_uid=text(dataset, "StudyInstanceUID"),
        patient_id=text(dataset, "PatientID"),
        referenced_series_uids=tuple(dict.fromkeys(filter(None, named))),
        referenced_sop_uids=tuple(dict.fromkeys(_referenced(dataset, references))),
        frame_of_reference=text(dataset, "FrameOfReferenceUID"),
        kind=kind,
        segments=_segments(dataset, kind),
        creator=text(dataset, "ContentCreatorName"),
        frames=tuple(_frames(dataset, source, kind)),
        largest=number(dataset, "MaximumFractionalValue"),
    )


OTHER_STUDIES = "StudiesContainingOtherReferencedInstancesSequence"


def _referenced(dataset: Dataset, series: list[Dataset]) -> Iterator[str]:
    """Instances that the object names as its image, and those that single frames were drawn on."""
    for item in series:
        yield from instances(item, "ReferencedInstanceSequence")
    yield from instances(dataset, "SourceImageSequence", "ReferencedImageSequence")
    for group in (
        *items(dataset, "SharedFunctionalGroupsSequence"),
        *items(dataset, "PerFrameFunctionalGroupsSequence"),
    ):
        for derivation in items(group, "DerivationImageSequence"):
            yield from instances(derivation, "SourceImageSequence")


def _segments(dataset: Dataset, kind: Kind) -> tuple[Segment, ...]:
    found: dict[int, Segment] = {}
    padding = number(dataset, "PixelPaddingValue") if kind == "labelmap" else None
    for item in items(dataset, "SegmentSequence"):
        one = _segment(item)
        if one.number in found:
            raise AnnotationError("damaged", f"two segments have the number {one.number}")
        background = one.property is not None and (one.property.value, one.property.scheme) == BACKGROUND
        if not background and one.number != padding:
            found[one.number] = one
    if not found:
        raise AnnotationError("damaged", "the object describes no segment")
    return tuple(found.values())


def _segment(item: Dataset) -> Segment:
    named = number(item, "SegmentNumber")
    if named is None:
        raise AnnotationError("damaged", "a segment has no number")
    return Segment(
        number=named,
        label=text(item, "SegmentLabel"),
        property=code(item, "SegmentedPropertyTypeCodeSequence"),
        category=code(item, "SegmentedPropertyCategoryCodeSequence"),
        algorithm=METHODS.get(text(item, "SegmentAlgorithmType").upper()),
        algorithm_name=text(item, "SegmentAlgorithmName"),
        tracking_id=text(item, "TrackingID"),
        tracking_uid=text(item, "TrackingUID"),
    )


def _frames(dataset: Dataset, source: Path | Dataset, kind: Kind) -> Iterator[_Frame]:
    """The frames in stored order. What is not in a frame's own functional groups is in the shared ones."""
    shared = next(iter(items(dataset, "SharedFunctionalGroupsSequence")), Dataset())
    own = items(dataset, "PerFrameFunctionalGroupsSequence") or [Dataset()]
    size = (number(dataset, "Rows") or 0, number(dataset, "Columns") or 0)
    if len(own) != (number(dataset, "NumberOfFrames") or 1) or min(size) < 1:
        raise AnnotationError("damaged", "the object does not describe as many frames as it claims")
    for index, group in enumerate(own):
        measures = _group("PixelMeasuresSequence", group, shared)
        identity = _group("SegmentIdentificationSequence", group, shared)
        segment = None if kind == "labelmap" else number(identity, "ReferencedSegmentNumber")
        if segment is None and kind != "labelmap":
            raise AnnotationError("damaged", f"frame {index + 1} does not say which segment it shows")
        spacing = next(iter(numbers(measures, "SpacingBetweenSlices")), 0.0)
        position = numbers(_group("PlanePositionSequence", group, shared), "ImagePositionPatient")
        cosines = numbers(_group("PlaneOrientationSequence", group, shared), "ImageOrientationPatient")
        affine = _affine(position, cosines, numbers(measures, "PixelSpacing"))
        yield _Frame(source, index, segment, size, affine, abs(spacing) or None)


def _group(keyword: str, own: Dataset, shared: Dataset) -> Dataset:
    return next(iter(items(own, keyword) or items(shared, keyword)), Dataset())


def _affine(
    position: tuple[float, ...], cosines: tuple[float, ...], spacing: tuple[float, ...]
) -> NDArray[np.float64] | None:
    """Where a frame lies; None where the header does not say, as in microscopy."""
    if (len(position), len(cosines), len(spacing)) != (3, 6, 2) or min(spacing) <= 0:
        return None
    affine = plane_affine(position, cosines, spacing)
    return affine if math.isfinite(float(affine.sum())) else None
