"""Projection images (radiographs): what they are, and the nominal grid that they get where a trial keeps them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..harmonise import Harmonised
from ..inventory.instance import Instance
from ..stacks.stack import Stack

KEEP = "projection"
"""The word of ``keep:``."""

MODALITIES = frozenset({"CR", "DX"})
UNNAMED = frozenset({"other", "secondary"})
"""Sequences that have a name only as projections: collections store radiographs as secondary captures too."""

FIRST_PIXEL = (0.0, 0.0, 0.0)
ALONG_ROWS_AND_COLUMNS = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
NOMINAL_SPACING = (1.0, 1.0)


def is_radiograph(stack: Stack) -> bool:
    """Whether a stack is one radiograph."""
    return stack.first.Modality in MODALITIES and stack.n_slices == 1 and stack.n_volumes == 1


def is_projection(h: Harmonised) -> bool:
    """Whether a harmonised stack is one radiograph."""
    return is_radiograph(h.stack)


def is_wanted(h: Harmonised, keep: Collection[str]) -> bool:
    """Whether a stack is a radiograph of a trial that keeps them."""
    return KEEP in keep and is_projection(h)


def is_inverted(h: Harmonised) -> bool:
    """Whether low values are bright: no key of the released files could say so."""
    return h.stack.first.PhotometricInterpretation.upper() == "MONOCHROME1"


def on_nominal_grid(h: Harmonised) -> Harmonised:
    """A radiograph with a place: a projection has none in space, and NIfTI wants one.

    The first pixel lies at the origin, rows and columns as in an axial slice; pixels are of the size that the header
    states (PixelSpacing), else of 1 mm. Distances within the image are as good as that size; its place says nothing.
    """
    return replace(h, stack=replace(h.stack, instances=tuple(map(_placed, h.stack.instances))))


def _placed(instance: Instance) -> Instance:
    if len(instance.ImagePositionPatient) == 3 and len(instance.ImageOrientationPatient) == 6:
        return instance
    spacing = instance.PixelSpacing if len(instance.PixelSpacing) == 2 else NOMINAL_SPACING
    return replace(
        instance,
        ImagePositionPatient=FIRST_PIXEL,
        ImageOrientationPatient=ALONG_ROWS_AND_COLUMNS,
        PixelSpacing=spacing,
    )
