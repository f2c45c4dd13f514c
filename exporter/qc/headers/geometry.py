"""Geometry checks of a stack, from its headers alone (G01 to G09, G11, D05)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from ...inventory.instance import Floats
from ...select.projection import is_radiograph
from ...stacks.stack import Stack
from ..check import ERROR, INFO, NO_TOLERANCES, WARNING, Check, Evidence, Finding, run_checks
from .layout import MISSING_FACTOR, ROUNDING_MM, WRITING_MM, Column, Layout, is_point, layout_of, unit_normal
from .thickness import other_step


def check_stack(stack: Stack, *, tolerances: Mapping[str, float] = NO_TOLERANCES) -> tuple[Finding, ...]:
    """Every geometry finding on one stack. Messages hold counts and millimetres only."""
    return run_checks(GEOMETRY, judged_layout(stack, tolerances), stack.stack_id, (stack.stack_id,), tolerances)


def judged_layout(stack: Stack, tolerances: Mapping[str, float] = NO_TOLERANCES) -> Layout:
    """The layout of a stack, in which gaps miss slices from the factor on that the trial wants of G04."""
    factor = tolerances.get("G04", MISSING_FACTOR)
    layout = layout_of(stack)
    return layout if factor == MISSING_FACTOR else replace(layout, missing=factor)


def missing_geometry(layout: Layout, _tolerance: float) -> Iterator[Evidence]:
    """Position, orientation or pixel spacing is absent in some instance, or its row and column are parallel.

    Projections and secondary captures need have none.
    """
    if is_placeless(layout.stack):
        return
    rows = layout.instances
    for name, wanted in (("ImagePositionPatient", 3), ("ImageOrientationPatient", 6), ("PixelSpacing", 2)):
        values = {getattr(i, name) for i in rows}
        if all(is_point(value, wanted) for value in values):
            continue
        missing = tuple(i.key for i in rows if not is_point(getattr(i, name), wanted))
        yield Evidence(f"{name} is missing in {len(missing)} of {len(rows)} images", name, instances=missing)
    turned = {i.ImageOrientationPatient for i in rows}
    if any(is_point(values, 6) and unit_normal(values) is None for values in turned):
        yield Evidence("row and column direction are parallel or zero", "parallel")
    if any(is_point(values, 2) and min(values) <= 0 for values in {i.PixelSpacing for i in rows}):
        yield Evidence("pixel spacing is zero or negative", "spacing")


def is_placeless(stack: Stack) -> bool:
    """Whether the object's class asks for no place in the patient, and the object states none."""
    first = stack.first
    by_class = first.SOPClassUID.startswith(PLACELESS_CLASSES) or first.Modality in PLACELESS_MODALITIES
    return by_class and not first.ImagePositionPatient and not first.ImageOrientationPatient


def skew(layout: Layout) -> float:
    """How far the direction cosines are from unit length and from a right angle, the worst of all instances."""
    return max((skew_of(values) for values in {i.ImageOrientationPatient for i in layout.instances}), default=0.0)


@lru_cache(maxsize=4096)
def skew_of(orientation: Floats) -> float:
    """The same for six cosines, 0 where they are absent."""
    if not is_point(orientation, 6):
        return 0.0
    row, column = orientation[:3], orientation[3:]
    lengths = (math.sqrt(sum(x * x for x in row)), math.sqrt(sum(x * x for x in column)))
    return max(*(abs(length - 1) for length in lengths), abs(sum(x * y for x, y in zip(row, column, strict=True))))


def skewed(layout: Layout, tolerance: float) -> Iterator[Evidence]:
    """Direction cosines are not unit vectors at a right angle."""
    found = skew(layout)
    if found > tolerance:
        yield Evidence(f"direction cosines are off by {found:.1e}", "", (("skew", found),))


def was_split(layout: Layout, _tolerance: float) -> Iterator[Evidence]:
    """The series held several orientations and this stack is one of them."""
    if any(rule == "orientation" for rule, _ in layout.stack.split):
        yield Evidence("the series holds several orientations; this stack is one of them")


def missing_slices(layout: Layout, factor: float) -> Iterator[Evidence]:
    """A gap of more than ``factor`` steps: how many slices would fill it, and between which."""
    for column in layout.columns:
        if column.step <= 0 or not column.gaps.size:
            continue
        for k in np.flatnonzero(column.gaps > factor * column.step):
            missing = max(1, round(float(column.gaps[k]) / column.step) - 1)
            yield Evidence(
                f"{missing} slice{'s' * (missing > 1)} missing between slices {k + 1} and {k + 2} of "
                f"{len(column.along)}{of_volume(layout, column)} (gap {column.gaps[k]:.2f} mm, "
                f"median {column.median:.2f} mm)",
                f"v{column.volume} {column.along[k]:.0f} mm",  # a place, which stays when other slices come or go
                (
                    ("missing", missing),
                    ("after", int(k) + 1),
                    ("gap_mm", float(column.gaps[k])),
                    ("median_mm", column.median),
                ),
            )


def uneven(layout: Layout, share: float) -> Iterator[Evidence]:
    """Slice distances vary by more than rounding, or the volumes lie at different places along the normal; gaps that
    miss whole slices are G04's."""
    for column in layout.columns:
        gaps = column.gaps[column.gaps <= layout.missing * column.step]
        worst = float(np.abs(gaps - column.step).max()) if gaps.size else 0.0
        if worst > (slack := max(ROUNDING_MM, share * column.step)) and worst > max(slack, grain(column)) + WRITING_MM:
            yield Evidence(
                f"slice distances vary by up to {worst:.2f} mm around {column.step:.2f} mm{of_volume(layout, column)}",
                f"v{column.volume}",
                (("worst_mm", worst), ("median_mm", column.step)),
            )
    for column, apart in moved_volumes(layout):
        worst = abs(float(apart @ column.normal))
        if worst > max(ROUNDING_MM, share * column.step, grain(column)) + WRITING_MM:
            yield Evidence(
                f"volume {column.volume + 1} lies {worst:.2f} mm further along the normal than the first",
                f"moved v{column.volume}",
                (("worst_mm", worst),),
            )


def moved_volumes(layout: Layout) -> Iterator[tuple[Column, NDArray[np.float64]]]:
    """Volumes of as many slices as the first that lie elsewhere, each with how far its middle slice is from there."""
    for column in layout.columns[1:]:
        first = layout.columns[0].positions
        if len(column.positions) == len(first):
            yield column, np.median(column.positions - first, axis=0)


def grain(column: Column) -> float:
    """How much a distance can be off because positions are written to a tenth of a millimetre, 0 where they are not."""
    tenths = column.positions * 10
    rounded = bool((np.abs(tenths - np.rint(tenths)) < 1e-4).all())
    return ROUNDING_MM * float(np.abs(column.normal).sum()) if rounded else 0.0


def other_shape(layout: Layout, share: float) -> Iterator[Evidence]:
    """Rows, columns or pixel spacing differ between images of one stack."""
    shapes = {(i.Rows, i.Columns) for i in layout.instances}
    if len(shapes) > 1:
        yield Evidence(f"{len(shapes)} different matrix sizes in one stack", "shape", (("shapes", len(shapes)),))
    spacings = {i.PixelSpacing for i in layout.instances if is_point(i.PixelSpacing, 2)}
    apart = max((max(values) - min(values) for values in zip(*spacings, strict=True)), default=0.0)
    if apart > share * min(map(min, spacings), default=0.0):
        yield Evidence("pixel spacing varies in one stack", "spacing")


def sheared(layout: Layout, millimetres: float) -> Iterator[Evidence]:
    """Slices do not lie on one line along the normal: a tilted gantry, or a shift in the plane; or whole volumes are
    shifted against the first."""
    for column in layout.columns:
        if len(column.along) < 2:
            continue
        moved = column.positions - column.positions[0]
        moved = moved - np.outer(column.along - column.along[0], column.normal)
        shift = float(np.linalg.norm(moved, axis=1).max())
        if shift > millimetres and shift > max(millimetres, grain(column)) + WRITING_MM:
            yield Evidence(
                f"slices are shifted in their plane by up to {shift:.2f} mm{of_volume(layout, column)}",
                f"v{column.volume}",
                (("shift_mm", shift),),
            )
    for column, apart in moved_volumes(layout):
        shift = float(np.linalg.norm(apart - (apart @ column.normal) * column.normal))
        if shift > max(millimetres, grain(column)) + WRITING_MM:
            yield Evidence(
                f"volume {column.volume + 1} is shifted in its plane by {shift:.2f} mm against the first",
                f"moved v{column.volume}",
                (("shift_mm", shift),),
            )


def too_few_slices(layout: Layout, at_least: float) -> Iterator[Evidence]:
    """Fewer slices than make a volume, which no radiograph is and no plane of a scout need be; a protocol may want
    more."""
    stack = layout.stack
    turned = any(rule == "orientation" for rule, _ in stack.split)
    if stack.n_slices < at_least and not turned and not is_radiograph(stack) and not is_placeless(stack):
        yield Evidence(
            f"{stack.n_slices} slice position{'s' * (stack.n_slices > 1)}, which is not a volume",
            "",
            (("slices", stack.n_slices),),
        )


def on_other_side(layout: Layout, millimetres: float) -> Iterator[Evidence]:
    """The image lies on the other side of the patient than its laterality says (LPS: left is positive)."""
    first = layout.stack.first
    side = (first.ImageLaterality or first.Laterality).strip().upper()
    if side not in ("L", "R") or not layout.columns or len(first.PixelSpacing) != 2:
        return
    cosines = np.array(first.ImageOrientationPatient, dtype=float)
    across = cosines[:3] * first.PixelSpacing[1] * ((first.Columns or 1) - 1) / 2
    down = cosines[3:] * first.PixelSpacing[0] * ((first.Rows or 1) - 1) / 2
    centre = float((layout.columns[0].positions.mean(axis=0) + across + down)[0])
    if (centre if side == "R" else -centre) > millimetres:
        yield Evidence(
            f"laterality disagrees with the position: the centre is {abs(centre):.0f} mm on the other side",
            "",
            (("centre_mm", centre),),
        )


def same_place_twice(layout: Layout, millimetres: float) -> Iterator[Evidence]:
    """Two slices of one volume lie at the same position, or of one b-value."""
    for column in layout.columns:
        twice = int((np.abs(column.gaps) <= millimetres).sum())
        if twice:
            yield Evidence(
                f"{twice} slice positions are met twice in one volume", f"v{column.volume}", (("twice", twice),)
            )
    yield from same_weighting_twice(layout.stack)


def same_weighting_twice(stack: Stack) -> Iterator[Evidence]:
    """At one b-value and direction some slices are there once more, too few of them to be a repetition."""
    weightings = tuple(zip_longest(stack.bvalues, stack.directions))
    if stack.n_volumes < 2 or len(weightings) != stack.n_volumes:
        return
    slices = Counter(stack.volume)
    whole = max(slices.values())
    for n, weighting in enumerate(weightings):
        others = [slices[k] for k, other in enumerate(weightings) if k != n and other == weighting]
        if 0 < slices[n] <= MOST_TWICE * whole and whole in others:
            message = f"{slices[n]} of {whole} slice positions are met once more at one b-value"
            yield Evidence(message, f"weighting v{n}", (("twice", slices[n]),))


def of_volume(layout: Layout, column: Column) -> str:
    """Words that name the volume, where the stack has several."""
    return f" of volume {column.volume + 1}" if layout.stack.n_volumes > 1 else ""


MOST_TWICE = 0.5
"""More slices of a weighting than this share are a repetition of it that was broken off."""
PLACELESS_CLASSES = tuple(f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("1.", "3.1", "6.", "7", "12.", "77.1.", "481.1"))
"""Radiographs and mammograms, ultrasound, secondary captures, angiography, visible light, radiotherapy images."""
PLACELESS_MODALITIES = frozenset({"CR", "DX", "MG", "US", "XA", "RF", "SC", "OT", "XC", "ES", "GM", "SM", "OP"})

GEOMETRY: tuple[Check[Layout], ...] = (
    Check("G01", "instance", ERROR, "position, orientation or spacing missing", missing_geometry),
    Check("G02", "instance", ERROR, "orientation not unit or not orthogonal", skewed, 1e-3),
    Check("G02", "instance", WARNING, "orientation not unit or not orthogonal", skewed, 1e-4),
    Check("G03", "series", INFO, "several orientations were split", was_split),
    Check("G04", "stack", ERROR, "slices missing", missing_slices, MISSING_FACTOR, "steps"),
    Check("G05", "stack", WARNING, "slice spacing uneven", uneven, 0.05, "share"),
    Check("G06", "stack", WARNING, "gap or overlap against the header", other_step, 0.05, "share"),
    Check("G07", "stack", ERROR, "rows, columns or spacing vary", other_shape, 1e-3, "share"),
    Check("G08", "stack", WARNING, "in-plane shift or tilt", sheared, 0.1, "mm"),
    Check("G09", "stack", WARNING, "too few slices", too_few_slices, 4, "slices"),
    Check("G11", "stack", INFO, "laterality against the affine", on_other_side, 20.0, "mm"),
    Check("D05", "stack", ERROR, "same position twice in one volume", same_place_twice, 0.01, "mm"),
)
