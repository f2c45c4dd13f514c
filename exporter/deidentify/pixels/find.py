"""Whether a converted volume shows text: every slice is looked at cheaply, what looks drawn by a text detector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .engine import Box, detect
from .strokes import PROJECTION, Slices, Suspect, plain, projection_suspects, slice_suspects
from .view import as_shown

FEWEST_STROKES = 8
"""So many drawn pixels in a window make a slice suspect."""
FEWEST_IN_PROJECTION = 30
"""The same for the projection, where edges of what stays put (a phantom, a table) count too."""
LOOKS = 3
"""So many windows of a stack are shown to the detector, and one of its projection."""
FEWEST_EQUAL = 5
"""A text on a slice has at least so many pixels of one value; what the detector sees in anatomy has not."""
MARGIN = 32
"""Pixels around a window that the detector sees with it."""

Detector = Callable[[NDArray[Any]], list[Box]]


@dataclass(frozen=True, slots=True)
class Text:
    """Where a text was detected, never what it reads.

    ``slice`` is counted in voxels along the slices' axis, None where the text is on all of them. The box is in pixels
    from the top left corner of the slice as it was shown; ``score`` is the detector's mean probability.
    """

    slice: int | None
    row: int
    column: int
    rows: int
    columns: int
    score: float


def find_text(
    voxels: NDArray[Any],
    affine: NDArray[np.float64],
    orientation: Sequence[float] | None = None,
    detector: Detector = detect,
) -> tuple[Text, ...]:
    """The texts detected in a volume (i, j, k) or (i, j, k, volume), the surest first; none is not a proof.

    ``affine`` leads from voxels to RAS+ mm; ``orientation`` is the ImageOrientationPatient of the DICOM slices, which
    tells how they were shown (:func:`as_shown`). Of several volumes the first is looked at: what is burned in is
    the same in all of them. Single letters, as orientation markers are, need not be found.
    """
    first = voxels.reshape(*voxels.shape[:3], -1, order="F")[..., 0] if voxels.ndim > 3 else voxels
    slices = Slices.of(as_shown(plain(first), affine, orientation))
    texts = {text for suspect in suspects(slices) for text in _look(slices, suspect, detector)}
    return tuple(sorted(texts, key=lambda text: (-text.score, text.slice or 0, text.row, text.column)))


def suspects(slices: Slices) -> list[Suspect]:
    """The windows of a stack that the detector has to see: none for most stacks."""
    chosen: list[Suspect] = []
    for suspect in slice_suspects(slices, FEWEST_STROKES):
        if len(chosen) < LOOKS and not any(suspect.overlaps(other) for other in chosen):
            chosen.append(suspect)
    return chosen + projection_suspects(slices, FEWEST_IN_PROJECTION)[:1]


def _look(slices: Slices, suspect: Suspect, detector: Detector) -> list[Text]:
    """What the detector finds in the window and around it, in the first picture that shows anything."""
    where = None if suspect.slice == PROJECTION else suspect.slice
    image = slices.low if where is None else slices.images[where]  # bright letters stay in the lowest, anatomy goes
    top, left = max(0, suspect.row - MARGIN), max(0, suspect.column - MARGIN)
    bottom, right = suspect.row + suspect.rows + MARGIN, suspect.column + suspect.columns + MARGIN
    seen = image[top:bottom, left:right]
    for picture in _pictures(seen, suspect.value):
        boxes = [
            box
            for box in detector(picture)
            if suspect.meets(box.row + top, box.column + left, box)
            and (where is None or _drawn_in(seen, box, suspect.value) >= FEWEST_EQUAL)
        ]
        if boxes:
            return [Text(where, b.row + top, b.column + left, b.rows, b.columns, b.score) for b in boxes]
    return []


def _drawn_in(image: NDArray[Any], box: Box, value: float) -> int:
    """How many pixels of the box have exactly the drawn value."""
    inside = image[box.row : box.row + box.rows, box.column : box.column + box.columns]
    return int(np.count_nonzero(inside == value))


def _pictures(image: NDArray[Any], value: float) -> Iterator[NDArray[Any]]:
    """The image as it is, and what in it has exactly the drawn value: faint letters without the anatomy."""
    yield image
    yield np.where(image == value, np.uint8(255), np.uint8(0))
