"""Distance of the slices against what the header says of it, and of their thickness (G06)."""

from __future__ import annotations

from collections.abc import Iterator

from ...inventory.instance import Instance
from ...stacks.headers import upper
from ...stacks.stack import Stack
from ..check import Evidence
from .layout import ROUNDING_MM, WRITING_MM, Layout

WIDEST = 1.9
"""Slices further apart than so many thicknesses leave out as much as they show."""
FOLDS = {"2D": (1,), "3D": (1, 2, 4), "": (1, 2)}
"""By MRAcquisitionType, how many times the distance of the slices their thickness can be."""
REFORMATS = frozenset({"MPR", "REFORMATTED", "PROJECTION", "RESAMPLED", "MIP", "MINIP"})


def other_step(layout: Layout, share: float) -> Iterator[Evidence]:
    """The slices are not as far apart as SpacingBetweenSlices says, or as their thickness allows."""
    headers = {(i.SpacingBetweenSlices, i.SliceThickness): i for i in layout.instances} if layout.columns else {}
    step = layout.columns[0].step if layout.columns else 0.0
    if step <= 0:
        return
    slack = max(ROUNDING_MM, share * step)
    if len({abs(i.SpacingBetweenSlices or 0.0) for i in headers.values()}) > 1:
        stated = [abs(i.SpacingBetweenSlices or 0.0) for i in headers.values()]
        if max(stated) - min(stated) > slack:
            yield Evidence("SpacingBetweenSlices varies in one stack", "varies")
            return
    for instance in headers.values():
        stated, thickness = abs(instance.SpacingBetweenSlices or 0.0), instance.SliceThickness or 0.0
        # Some scanners write the gap between slice edges into this tag.
        if stated and min(abs(step - stated), abs(step - stated - thickness)) > slack:
            yield Evidence(
                f"slice centres are {step:.2f} mm apart, the header says {stated:.2f} mm", "", (("median_mm", step),)
            )
            return
        if thickness > 0 and is_odd_thickness(layout.stack, instance, step, thickness, slack):
            yield Evidence(
                f"slice centres are {step:.2f} mm apart, they are {thickness:.2f} mm thick", "", (("median_mm", step),)
            )
            return


def is_odd_thickness(stack: Stack, instance: Instance, step: float, thickness: float, slack: float) -> bool:
    """Whether slices so thick are not laid so far apart.

    Slices of an MR volume (3D) are as thick as they are apart, or interpolated to a half or a quarter; single MR
    slices (2D) do not overlap: nothing is interpolated between excitations. Where neither is said, a half is allowed.
    Of the others none overlaps by more than half. But for scouts, slices are not twice as far apart as they are thick.
    """
    if step > WIDEST * thickness + WRITING_MM:
        return not is_scout(stack)
    if instance.Modality == "MR" and not is_reformat(instance):
        fold, kind = thickness / step, instance.MRAcquisitionType
        parts = [n for n in FOLDS.get(kind, FOLDS[""]) if abs(fold - n) * step <= slack * n]
        return not parts and (kind == "3D" or fold > 1)
    return step < thickness / 2 - slack


def is_scout(stack: Stack) -> bool:
    """Whether a stack is one plane of several of its series, or says that it is a localizer."""
    turned = any(rule == "orientation" for rule, _ in stack.split)
    return turned or "LOCALIZER" in upper(stack.first.ImageType)


def is_reformat(instance: Instance) -> bool:
    """Whether the slice was cut from a volume, at any distance."""
    return not REFORMATS.isdisjoint(upper(instance.ImageType))
