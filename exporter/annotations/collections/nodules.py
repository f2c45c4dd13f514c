"""LIDC-IDRI's marks as regions and points: outlined nodules become masks, single pixels points, each reader apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialbids.mappings.labels import Labels

from ...errors import UsageError
from ...inventory.instance import Instance
from ...pipeline import Plan
from ..files import state_of
from ..frames import FramesShape, Plane
from ..grid import Grid, MaskRefused
from ..readers import Readers
from ..region import Fault, Marked, Region, Target
from .drawn import Drawn, labelled, together
from .interior import interior
from .lidc import NODULE, Outline, Reading, Scan, Spot, read_lidc

SAME_PLACE_MM = 0.1
"""How far the slice that an outline names by its UID may lie from where the outline says that it is."""

Slices = Mapping[str, Instance]


def draw_lidc(path: Path, plan: Plan, labels: Labels, readers: Readers) -> Drawn:
    """The marks in one XML file, or in all below a folder.

    A reader is known by the place of the reading in its file, which is all that the collection tells: ``R1`` of two
    scans may be two people. A file or mark that cannot be used is a fault. Raises ``UsageError`` where there is none.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.xml"))
    if not files:
        raise UsageError(f"{path}: holds no XML file of LIDC-IDRI; give the folder that does")
    scans: list[Scan] = []
    faults: list[Fault] = []
    for file in files:
        try:
            scans.append(read_lidc(file))
        except UsageError as error:
            faults.append(Fault("F03", "", str(error)))
    slices = _slices(plan, {scan.series_uid for scan in scans})
    drawn = [_of_scan(scan, slices.get(scan.series_uid, {}), labels, readers) for scan in scans]
    return together([*drawn, Drawn((), tuple(faults))])


def _slices(plan: Plan, series: set[str]) -> Mapping[str, dict[str, Instance]]:
    """The instances of some series, by series and SOP instance UID."""
    found: dict[str, dict[str, Instance]] = {}
    for instance in plan.inventory.instances:
        if instance.SeriesInstanceUID in series:
            found.setdefault(instance.SeriesInstanceUID, {})[instance.SOPInstanceUID] = instance
    return found


def _of_scan(scan: Scan, slices: Slices, labels: Labels, readers: Readers) -> Drawn:
    drawings = (d for reading in scan.readings for d in _of_reading(scan, reading, slices, labels, readers))
    faults = (Fault("F03", scan.series_uid, f"{scan.file.name}: {sentence}") for sentence in scan.refused)
    return Drawn(tuple(drawings), tuple(faults))


def _of_reading(
    scan: Scan, reading: Reading, slices: Slices, labels: Labels, readers: Readers
) -> Iterator[Region | Marked]:
    common: dict[str, Any] = {
        "reader": readers.code(f"LIDC-IDRI reading {reading.reader}"),
        "method": "manual",
        "state": state_of(scan.file),
    }
    for nodule in reading.nodules:
        number = f"{reading.reader:02d} {nodule.number:04d}"
        yield Region(
            **common,
            origin=f"{scan.file.name}: reading {reading.reader}, nodule {nodule.number}",
            rank=(f"{scan.file} {number}", 0),
            target=Target(series_uids=(scan.series_uid,), study=scan.study_uid),
            **labelled(labels, NODULE),
            lesion=nodule.number,
            is_own_number=True,
            shape=OutlinesShape(nodule.outlines, slices),
            scores=tuple(nodule.characteristics.items()),
        )
    for n, spot in enumerate(reading.spots):
        yield Marked(
            **common,
            origin=f"{scan.file.name}: reading {reading.reader}, {_called(spot)}",
            rank=(f"{scan.file} {reading.reader:02d} points", n),
            target=Target(series_uids=(scan.series_uid,), instances=frozenset({spot.sop_uid}), study=scan.study_uid),
            **labelled(labels, spot.label),
            lesion=spot.number,
            low=(spot.point[0], spot.point[1], 0),
            sop_uid=spot.sop_uid,
        )


def _called(spot: Spot) -> str:
    return f"nodule {spot.number}" if spot.number is not None else f"non-nodule at {spot.point[0]}, {spot.point[1]}"


@dataclass(frozen=True, slots=True)
class OutlinesShape:
    """What lies strictly within the outlines of one nodule; ``slices`` are the instances of its series by UID."""

    outlines: tuple[Outline, ...]
    slices: Slices

    def on(self, grid: Grid) -> NDArray[np.uint8] | NDArray[np.float32]:
        """As :meth:`..grid.Shape.on`; A01 too where an outline names no slice of its image, or lies beside it."""
        by_slice: dict[str, list[Outline]] = {}
        for outline in self.outlines:
            by_slice.setdefault(outline.sop_uid, []).append(outline)
        return FramesShape(tuple(self._plane(uid, outlines) for uid, outlines in by_slice.items())).on(grid)

    def _plane(self, uid: str, outlines: Sequence[Outline]) -> Plane:
        instance = self.slices.get(uid)
        if instance is None:
            raise MaskRefused("A01", "an outline lies on an image that is not in the series")
        position, orientation = instance.ImagePositionPatient, instance.ImageOrientationPatient
        if len(position) != 3 or len(orientation) != 6 or len(instance.PixelSpacing) != 2:
            raise MaskRefused("A01", "an outline lies on an image that does not say where it is")
        for z in (outline.z for outline in outlines):
            if z is not None and abs(z - position[2]) > SAME_PLACE_MM:
                raise MaskRefused(
                    "A01", f"an outline is said to lie at z = {z:g} mm, its image lies at {position[2]:g} mm"
                )
        pixels = _within(outlines, (instance.Rows or 0, instance.Columns or 0))
        return Plane.of(pixels, position, orientation, instance.PixelSpacing)


def _within(outlines: Iterable[Outline], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """``[rows, columns]``: within an outline that adds, and not within one that takes away."""
    added, taken = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    for outline in outlines:
        if any(column >= shape[1] or row >= shape[0] for column, row in outline.points):
            raise MaskRefused("A01", f"an outline reaches out of its image of {shape[1]}×{shape[0]} pixels")
        (added if outline.added else taken)[interior(outline.points, shape)] = True
    return added & ~taken
