"""Geometry checks of a stack, from its headers alone (codes G01 to G09)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..select.projection import is_radiograph
from ..stacks.stack import Stack
from .check import ERROR, INFO, WARNING, Check, Evidence, Finding, run_checks
from .layout import Column, Layout, layout_of, unit_normal

# The absolute part of "max(0.1 mm, x %)": positions are often written to a tenth of a millimetre.
ROUNDING_MM = 0.1


def check_stack(stack: Stack) -> tuple[Finding, ...]:
    """Every header and geometry finding on one stack. Messages hold counts and millimetres only."""
    return run_checks(GEOMETRY, layout_of(stack))


def missing_geometry(layout: Layout, _tolerance: float) -> Iterator[Evidence]:
    """Position, orientation or pixel spacing is absent in some instance, or its row and column are parallel."""
    for name, wanted in (("ImagePositionPatient", 3), ("ImageOrientationPatient", 6), ("PixelSpacing", 2)):
        missing = sum(len(getattr(i, name)) != wanted for i in layout.instances)
        if missing:
            yield Evidence(f"{name} is missing in {missing} of {len(layout.instances)} images", name)
    oriented = {i.ImageOrientationPatient: i for i in layout.instances if len(i.ImageOrientationPatient) == 6}
    if any(unit_normal(i) is None for i in oriented.values()):
        yield Evidence("row and column direction are parallel or zero", "parallel")
    if any(len(i.PixelSpacing) == 2 and min(i.PixelSpacing) <= 0 for i in layout.instances):
        yield Evidence("pixel spacing is zero or negative", "spacing")


def skew(layout: Layout) -> float:
    """How far the direction cosines are from unit length and from a right angle, the worst of all instances."""
    distinct = {i.ImageOrientationPatient for i in layout.instances if len(i.ImageOrientationPatient) == 6}
    if not distinct:
        return 0.0
    cosines = np.array(sorted(distinct), dtype=float)
    rows, columns = cosines[:, :3], cosines[:, 3:]
    lengths = np.abs(np.linalg.norm(np.concatenate([rows, columns]), axis=1) - 1)
    return float(max(lengths.max(), np.abs((rows * columns).sum(axis=1)).max()))


def badly_skewed(layout: Layout, tolerance: float) -> Iterator[Evidence]:
    """Direction cosines are not unit vectors at a right angle."""
    found = skew(layout)
    if found > tolerance:
        yield Evidence(f"direction cosines are off by {found:.1e}", "", (("skew", found),))


def slightly_skewed(layout: Layout, tolerance: float) -> Iterator[Evidence]:
    """The same within what can still be placed."""
    if skew(layout) <= BADLY_SKEWED:
        yield from badly_skewed(layout, tolerance)


def was_split(layout: Layout, _tolerance: float) -> Iterator[Evidence]:
    """The series held several orientations and this stack is one of them."""
    if any(rule == "orientation" for rule, _ in layout.stack.split):
        yield Evidence("the series holds several orientations; this stack is one of them")


def missing_slices(layout: Layout, factor: float) -> Iterator[Evidence]:
    """A gap of more than ``factor`` medians: how many slices would fill it, and between which."""
    for column in layout.columns:
        middle = median_gap(column)
        if middle <= 0:
            continue
        for k in np.flatnonzero(column.gaps > factor * middle):
            missing = max(1, round(float(column.gaps[k]) / middle) - 1)
            yield Evidence(
                f"{missing} slice{'s' * (missing > 1)} missing between slices {k + 1} and {k + 2} of "
                f"{len(column.along)}{of_volume(layout, column)} (gap {column.gaps[k]:.2f} mm, median {middle:.2f} mm)",
                f"v{column.volume}k{k + 1}",
                (("missing", missing), ("after", int(k) + 1), ("gap_mm", float(column.gaps[k])), ("median_mm", middle)),
            )


def uneven(layout: Layout, share: float) -> Iterator[Evidence]:
    """Slice distances vary by more than rounding; gaps that miss whole slices are G04's."""
    for column in layout.columns:
        middle = median_gap(column)
        gaps = column.gaps[column.gaps <= MISSING_FACTOR * middle]
        worst = float(np.abs(gaps - middle).max()) if gaps.size else 0.0
        if worst > max(ROUNDING_MM, share * middle):
            yield Evidence(
                f"slice distances vary by up to {worst:.2f} mm around {middle:.2f} mm{of_volume(layout, column)}",
                f"v{column.volume}",
                (("worst_mm", worst), ("median_mm", middle)),
            )


def other_step(layout: Layout, share: float) -> Iterator[Evidence]:
    """The slices are not as far apart as SpacingBetweenSlices says; where it is absent, more than two slice
    thicknesses apart, or overlapping by more than half (scanners interpolate slices to half the thickness)."""
    first = layout.stack.first
    for column in layout.columns[:1]:
        middle = median_gap(column)
        if middle <= 0:
            continue
        stated, thickness = abs(first.SpacingBetweenSlices or 0.0), first.SliceThickness or 0.0
        slack = max(ROUNDING_MM, share * middle)
        if stated:
            # Some scanners write the gap between slice edges into this tag.
            wrong = abs(middle - stated) > slack and abs(middle - stated - thickness) > slack
            says = f"the header says {stated:.2f} mm"
        else:
            wrong = thickness > 0 and (middle > 2 * thickness + slack or middle < thickness / 2 - slack)
            says = f"they are {thickness:.2f} mm thick"
        if wrong:
            yield Evidence(f"slice centres are {middle:.2f} mm apart, {says}", "", (("median_mm", middle),))


def other_shape(layout: Layout, share: float) -> Iterator[Evidence]:
    """Rows, columns or pixel spacing differ between images of one stack."""
    shapes = {(i.Rows, i.Columns) for i in layout.instances}
    if len(shapes) > 1:
        yield Evidence(f"{len(shapes)} different matrix sizes in one stack", "shape", (("shapes", len(shapes)),))
    spacings = np.array([i.PixelSpacing for i in layout.instances if len(i.PixelSpacing) == 2], dtype=float)
    if spacings.size and float(np.ptp(spacings, axis=0).max()) > share * float(spacings.min()):
        yield Evidence("pixel spacing varies in one stack", "spacing")


def sheared(layout: Layout, millimetres: float) -> Iterator[Evidence]:
    """Slices do not lie on one line along the normal: a tilted gantry, or a shift in the plane."""
    for column in layout.columns:
        if len(column.along) < 2:
            continue
        moved = column.positions - column.positions[0]
        moved = moved - np.outer(column.along - column.along[0], column.normal)
        shift = float(np.linalg.norm(moved, axis=1).max())
        if shift > millimetres:
            yield Evidence(
                f"slices are shifted in their plane by up to {shift:.2f} mm{of_volume(layout, column)}",
                f"v{column.volume}",
                (("shift_mm", shift),),
            )


def too_few_slices(layout: Layout, at_least: float) -> Iterator[Evidence]:
    """Fewer slices than make a volume, which no radiograph is; a protocol may want more."""
    if layout.stack.n_slices < at_least and not is_radiograph(layout.stack):
        yield Evidence(
            f"{layout.stack.n_slices} slice position, which is not a volume", "", (("slices", layout.stack.n_slices),)
        )


def same_place_twice(layout: Layout, millimetres: float) -> Iterator[Evidence]:
    """Two slices of one volume lie at the same position."""
    for column in layout.columns:
        twice = int((np.abs(column.gaps) <= millimetres).sum())
        if twice:
            yield Evidence(
                f"{twice} slice positions are met twice in one volume", f"v{column.volume}", (("twice", twice),)
            )


def median_gap(column: Column) -> float:
    """The median distance of neighbouring slices in mm, 0 for a single slice."""
    return float(np.median(column.gaps)) if column.gaps.size else 0.0


def of_volume(layout: Layout, column: Column) -> str:
    """Words that name the volume, where the stack has several."""
    return f" of volume {column.volume + 1}" if layout.stack.n_volumes > 1 else ""


BADLY_SKEWED = 1e-3
MISSING_FACTOR = 1.5

GEOMETRY: tuple[Check[Layout], ...] = (
    Check("G01", "instance", ERROR, "position, orientation or spacing missing", missing_geometry),
    Check("G02", "instance", ERROR, "orientation not unit or not orthogonal", badly_skewed, BADLY_SKEWED),
    Check("G02", "instance", WARNING, "orientation not unit or not orthogonal", slightly_skewed, 1e-4),
    Check("G03", "series", INFO, "several orientations were split", was_split),
    Check("G04", "stack", ERROR, "slices missing", missing_slices, MISSING_FACTOR, "medians"),
    Check("G05", "stack", WARNING, "slice spacing uneven", uneven, 0.05, "share"),
    Check("G06", "stack", WARNING, "gap or overlap against the header", other_step, 0.05, "share"),
    Check("G07", "stack", ERROR, "rows, columns or spacing vary", other_shape, 1e-3, "share"),
    Check("G08", "stack", WARNING, "in-plane shift or tilt", sheared, 0.1, "mm"),
    Check("G09", "stack", WARNING, "too few slices", too_few_slices, 2, "slices"),
    Check("D05", "stack", ERROR, "same position twice in one volume", same_place_twice, 0.01, "mm"),
)
