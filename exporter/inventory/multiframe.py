"""Enhanced multi-frame images: the functional groups of each frame (PS3.3 C.7.6.16)."""

from __future__ import annotations

from .elements import Level
from .tags import FRAME_GROUPS, FUNCTIONAL_GROUPS, SHARED_GROUPS
from .unreadable import RefusalError

ENHANCED_IMAGES = frozenset(
    (
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
        "1.2.840.10008.5.1.4.1.1.4.3",  # Enhanced MR Color
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR
        "1.2.840.10008.5.1.4.1.1.128.1",  # Legacy Converted Enhanced PET
        "1.2.840.10008.5.1.4.1.1.130",  # Enhanced PET
    )
)
"""SOP classes whose frames are images of their own. Segmentations have functional groups too, and are one row."""


def frame_levels(level: Level, n_frames: int | None) -> tuple[list[Level], list[list[Level]]]:
    """The functional groups that all frames share, and those of each frame, in the order in which they are to be read.

    Raises ``RefusalError`` (corrupt) where the number of descriptions is not the number of frames.
    """
    shared = _groups(level.items(SHARED_GROUPS)[:1])
    per_frame = [_groups([item]) for item in level.items(FRAME_GROUPS)]
    if n_frames is not None and n_frames != len(per_frame):
        sentence = f"The object has {n_frames} frames and describes {len(per_frame)}. Ask for it again."
        raise RefusalError("corrupt", sentence)
    return shared, per_frame


def _groups(items: list[Level]) -> list[Level]:
    return [group for item in items for tag in FUNCTIONAL_GROUPS for group in item.items(tag)[:1]]
