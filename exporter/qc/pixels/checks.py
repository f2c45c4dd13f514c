"""The checks of voxels (codes P01 to P10, and F03) on one image, and the one call that runs them."""

from __future__ import annotations

from collections.abc import Mapping

from ..check import ERROR, NO_TOLERANCES, WARNING, Check, Finding, bound, run_checks
from .codestreams import damaged
from .contents import EMPTY_SHARE, constant_elsewhere, constant_inside, eight_bits, impossible_values, saturated
from .origin import allowed_text, odd_colours
from .rescale import SAME_SCALE, odd_rescale
from .same import other_voxels
from .slices import jumps, unlike
from .view import Pixels

PIXELS: tuple[Check[Pixels], ...] = (
    Check("F03", "stack", ERROR, "compressed pixels are damaged", damaged, source="PS3.5 A.4"),
    Check("P01", "stack", ERROR, "constant or empty slice inside an original", constant_inside, EMPTY_SHARE, "share"),
    Check("P01", "stack", WARNING, "constant slice elsewhere", constant_elsewhere, EMPTY_SHARE, "share"),
    Check("P02", "stack", WARNING, "no number, or outside BitsStored", impossible_values, source="PS3.5 8.1.1"),
    Check("P03", "stack", WARNING, "saturation", saturated, 0.005, "share of the foreground"),
    Check("P04", "stack", WARNING, "rescale varies and was not applied", odd_rescale, SAME_SCALE, "share"),
    Check("P05", "stack", WARNING, "intensity jumps between slices", jumps, 6, "MAD"),
    Check("P06", "stack", WARNING, "neighbouring slices are unlike", unlike, 0.3, "r"),
    Check("P07", "stack", ERROR, "unexpected photometric interpretation", odd_colours, source="PS3.3 C.7.6.3.1.2"),
    Check("P08", "stack", WARNING, "text in the pixels was allowed", allowed_text),
    Check("P09", "stack", ERROR, "voxels differ from the DICOM's", other_voxels),
    Check("P10", "stack", WARNING, "8-bit export of an original", eight_bits),
)


def check_pixels(pixels: Pixels, tolerances: Mapping[str, float] = NO_TOLERANCES) -> tuple[Finding, ...]:
    """Every finding on the voxels of one image."""
    stack_id = pixels.stack.stack_id
    found = run_checks(PIXELS, pixels, stack_id, (stack_id,), tolerances)
    return tuple(bound(found, pixels.stack.instances))
