"""RT structure sets (PS3.3 A.19, C.8.8.5, C.8.8.6): structures as contours, read with pydicom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from .coded import RTSTRUCT, AnnotationError, Code, code, instances, items, number, opened, quiet, text
from .contours import ContoursShape
from .grid import Shape, Unplaceable

CONTOUR_DATA = 0x30060050
CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR"})
"""Types that enclose something; writers also spell the second as the third, which is one letter too long."""

NOT_CLOSED = {
    "POINT": "it is drawn as points, which enclose nothing",
    "OPEN_PLANAR": "it is drawn as open lines, which enclose nothing",
    "OPEN_NONPLANAR": "it is drawn as open lines, which enclose nothing",
}
ALGORITHMS = {"MANUAL": "manual", "SEMIAUTOMATIC": "semiautomatic", "AUTOMATIC": "automatic"}


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """One structure (ROI); name and interpreter are private text.

    ``shape`` is a :class:`ContoursShape`, or refuses with the reason wherever it is put; ``points`` (``[N, 3]`` LPS mm)
    are those of a structure of points, else none. ``algorithm`` is ``manual``, ``semiautomatic``, ``automatic`` or ""
    where the object does not say; ``frame_of_reference`` and the references are of this structure.
    """

    number: int
    name: str
    frame_of_reference: str
    referenced_series_uid: str
    referenced_sop_uids: tuple[str, ...]
    interpreted_type: str
    algorithm: str
    interpreter: str
    code: Code | None
    shape: Shape
    points: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))


@dataclass(frozen=True, slots=True, eq=False)
class StructureSet:
    """A structure set: whom it belongs to, who made it, and its structures in the order of their numbers' listing."""

    series_uid: str
    sop_uid: str
    study_uid: str
    patient_id: str
    creator: str
    structures: tuple[Structure, ...]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What was drawn of a structure: (type, points ``[N, 3]`` LPS mm) of each contour, and the images drawn on."""

    contours: tuple[tuple[str, NDArray[np.float64] | None], ...]
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Referenced:
    """What the set says of one frame of reference: the series drawn on and its instances."""

    series: tuple[str, ...]
    images: frozenset[str]


@quiet()
def read_rtstruct(source: Path | Dataset) -> StructureSet:
    """Read a structure set with all its contours.

    Raises ``AnnotationError``: ``unreadable``, ``other-object``, ``damaged`` where a structure has no number or that
    of another. A structure without contours is among the structures; its shape is refused as empty.
    """
    dataset = opened(source, RTSTRUCT)
    drawn = {number(item, "ReferencedROINumber"): _drawn(item) for item in items(dataset, "ROIContourSequence")}
    observed = {number(item, "ReferencedROINumber"): item for item in items(dataset, "RTROIObservationsSequence")}
    frames = {text(item, "FrameOfReferenceUID"): _referenced(item) for item in items(dataset, FRAMES)}
    found: dict[int, Structure] = {}
    for item in items(dataset, "StructureSetROISequence"):
        named = number(item, "ROINumber")
        if named is None or named in found:
            raise AnnotationError("damaged", "a structure has no number, or that of another one")
        found[named] = _structure(item, drawn.get(named, _Drawn((), ())), observed.get(named, Dataset()), frames)
    if not found:
        raise AnnotationError("damaged", "the object describes no structure")
    return StructureSet(
        series_uid=text(dataset, "SeriesInstanceUID"),
        sop_uid=text(dataset, "SOPInstanceUID"),
        study_uid=text(dataset, "StudyInstanceUID"),
        patient_id=text(dataset, "PatientID"),
        creator=text(dataset, "ContentCreatorName") or text(dataset, "OperatorsName") or text(dataset, "ReviewerName"),
        structures=tuple(found.values()),
    )


FRAMES = "ReferencedFrameOfReferenceSequence"


def _structure(item: Dataset, drawn: _Drawn, observed: Dataset, frames: dict[str, _Referenced]) -> Structure:
    frame = text(item, "ReferencedFrameOfReferenceUID") or (next(iter(frames)) if len(frames) == 1 else "")
    referenced = frames.get(frame, _Referenced((), frozenset()))
    return Structure(
        number=number(item, "ROINumber") or 0,
        name=text(item, "ROIName"),
        frame_of_reference=frame,
        referenced_series_uid=referenced.series[0] if len(referenced.series) == 1 else "",
        referenced_sop_uids=drawn.images or tuple(sorted(referenced.images)),
        interpreted_type=text(observed, "RTROIInterpretedType"),
        algorithm=ALGORITHMS.get(text(item, "ROIGenerationAlgorithm").upper(), ""),
        interpreter=text(observed, "ROIInterpreter"),
        code=code(observed, "RTROIIdentificationCodeSequence"),
        shape=_shape(drawn),
        points=_points(drawn),
    )


def _shape(drawn: _Drawn) -> Shape:
    """The contours as a shape; a structure of which one contour cannot be filled is not filled in part."""
    for kind, points in drawn.contours:
        if points is None:
            return Unplaceable("F03", "a contour does not hold three numbers for each of its points")
        if kind not in CLOSED:
            return Unplaceable("F03", NOT_CLOSED.get(kind, "a contour does not say whether it is closed"))
    return ContoursShape(tuple(points for _, points in drawn.contours if points is not None))


def _points(drawn: _Drawn) -> NDArray[np.float64]:
    kept = [points for kind, points in drawn.contours if kind == "POINT" and points is not None]
    return np.concatenate(kept) if len(kept) == len(drawn.contours) and kept else np.empty((0, 3))


def _drawn(item: Dataset) -> _Drawn:
    contours, images = [], {}
    for contour in items(item, "ContourSequence"):
        contours.append((text(contour, "ContourGeometricType").upper(), _coordinates(contour)))
        images.update(dict.fromkeys(instances(contour, "ContourImageSequence")))
    return _Drawn(tuple(contours), tuple(images))


def _coordinates(contour: Dataset) -> NDArray[np.float64] | None:
    """The points ``[N, 3]`` of a contour; None where they are no numbers in threes.

    The stored text is read at once: pydicom makes an object of each of the millions of numbers that a set may hold.
    """
    try:
        element = contour.get_item(CONTOUR_DATA)
        stored = element.value if element is not None else None
        if isinstance(element, RawDataElement) or isinstance(stored, bytes):
            values = np.array([float(word) for word in (stored or b"").rstrip(b"\0 \\").split(b"\\")])
        else:
            values = np.asarray([] if stored is None else stored, dtype=np.float64)
    except (ValueError, TypeError):
        return None
    return values.reshape(-1, 3) if values.size and values.size % 3 == 0 else None


def _referenced(frame: Dataset) -> _Referenced:
    series = [s for study in _studies(frame) for s in items(study, "RTReferencedSeriesSequence")]
    named = dict.fromkeys(filter(None, (text(s, "SeriesInstanceUID") for s in series)))
    return _Referenced(tuple(named), frozenset(uid for s in series for uid in instances(s, "ContourImageSequence")))


def _studies(frame: Dataset) -> Iterator[Dataset]:
    yield from items(frame, "RTReferencedStudySequence")
