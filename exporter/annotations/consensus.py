"""Several readers' masks of one thing as one mask, by a method that its file names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rule = Literal["majority", "staple"]

READER = "consensus"
"""What stands in the place of a reader's code."""

MARGIN = 5
"""Voxels around all that was drawn that STAPLE sees too. How common it takes the inside to be would otherwise depend on
how much empty image lies around (Warfield, Zou, Wells, IEEE TMI 2004;23:903-921, section V)."""

SURE = 0.5
"""Inside is what is more likely inside than not."""

UNDECIDED = 255


def consensus(masks: Sequence[NDArray[np.uint8]], rule: Rule) -> NDArray[np.uint8]:
    """One mask of at least two, uint8 ``[X, Y, Z]``; it may be empty.

    ``majority``: inside for more than half of the readers, so that two of four are not enough. ``staple``: the estimate
    of simultaneous truth and performance, from 0.5 on.
    """
    import SimpleITK as sitk  # takes long to load, and only a trial that asks for it needs it

    if len(masks) < 2:
        raise ValueError("a consensus takes two readers or more")
    box = _around(masks, MARGIN)
    images = [sitk.GetImageFromArray(np.ascontiguousarray(mask[box], dtype=np.uint8)) for mask in masks]
    if rule == "majority":
        found = sitk.GetArrayFromImage(sitk.LabelVoting(images, UNDECIDED)) == 1
    else:
        found = sitk.GetArrayFromImage(sitk.STAPLE(images, 1.0)) >= SURE
    out = np.zeros(masks[0].shape, np.uint8)
    out[box] = found
    return out


def method_of(rule: Rule, n_readers: int) -> str:
    """How the file calls it: ``majority of 3 readers``."""
    return f"{'STAPLE' if rule == 'staple' else 'majority'} of {n_readers} readers"


def _around(masks: Sequence[NDArray[np.uint8]], margin: int) -> tuple[slice, ...]:
    """The box around all masks with a margin, as far as the image goes."""
    drawn = np.zeros(masks[0].shape, bool)
    for mask in masks:
        drawn |= mask.astype(bool)
    slices = []
    for axis, size in enumerate(drawn.shape):
        places = np.flatnonzero(drawn.any(axis=tuple(a for a in range(drawn.ndim) if a != axis)))
        first, last = (int(places[0]), int(places[-1])) if places.size else (0, size - 1)
        slices.append(slice(max(0, first - margin), min(size, last + 1 + margin)))
    return tuple(slices)
