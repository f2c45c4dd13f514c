"""Grey pictures of planes: windowed, at their physical aspect, lettered, put together and packed as JPEG."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Marks = tuple[str, str, str, str]
"""Letters at left, right, top and bottom."""

LOW, HIGH = 0.5, 99.2
"""Percentiles that become black and white: a few bright voxels do not darken all the rest."""

MOST_VOXELS = 400_000
SMALLEST = 64
"""Pixels of a picture that is not made smaller."""

GAP = 3
BORDER = 26
BETWEEN = 110
"""The grey between pictures."""

FONT = cv2.FONT_HERSHEY_SIMPLEX
QUALITIES = (86, 78, 68, 56, 44, 32, 22)


def window(values: NDArray[Any]) -> tuple[float, float]:
    """The values that become black and white, from up to so many voxels spread over the array."""
    step = values.size // MOST_VOXELS | 1  # odd, so that it meets every column of a power of two
    flat = values.ravel(order="K")[::step].astype(np.float32)
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(flat, (LOW, HIGH)))
    if high <= low:
        low, high = float(flat.min()), float(flat.max())
    return low, high if high > low else low + 1.0


def tile(plane: NDArray[Any], mm: tuple[float, float], box: tuple[int, int], levels: tuple[float, float]) -> Grey:
    """A plane as grey levels, as large as fits into ``box`` (height, width) with square millimetres."""
    height, width = plane.shape[0] * mm[0], plane.shape[1] * mm[1]
    scale = min(box[0] / height, box[1] / width)
    return scaled(plane, mm, scale, levels)


def scaled(plane: NDArray[Any], mm: tuple[float, float], scale: float, levels: tuple[float, float]) -> Grey:
    """A plane as grey levels at so many pixels a millimetre."""
    rows, columns = (max(1, round(n * d * scale)) for n, d in zip(plane.shape, mm, strict=True))
    smaller = rows < plane.shape[0] and columns < plane.shape[1]
    values = np.nan_to_num(np.ascontiguousarray(plane, np.float32), nan=levels[0], posinf=levels[1], neginf=levels[0])
    grey = np.clip((values - levels[0]) * (255.0 / (levels[1] - levels[0])), 0, 255)
    resized = cv2.resize(grey, (columns, rows), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return np.asarray(np.clip(resized + 0.5, 0, 255), np.uint8)


def centred(picture: Grey, box: tuple[int, int]) -> Grey:
    """The picture in the middle of a black box (height, width) that is at least as large."""
    canvas = np.zeros(box, np.uint8)
    top, left = (box[0] - picture.shape[0]) // 2, (box[1] - picture.shape[1]) // 2
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return canvas


def write(picture: Grey, text: str, place: str, size: float = 0.42) -> None:
    """White letters on black: at ``left``, ``right``, ``top``, ``bottom`` or in the ``corner``."""
    (width, height), _ = cv2.getTextSize(text, FONT, size, 1)
    rows, columns = picture.shape
    middle = (columns - width) // 2, (rows + height) // 2
    at = {
        "left": (4, middle[1]),
        "right": (columns - width - 4, middle[1]),
        "top": (middle[0], height + 4),
        "bottom": (middle[0], rows - 5),
        "corner": (4, rows - 5),
    }[place]
    if text:
        corner, opposite = (at[0] - 2, at[1] + 3), (at[0] + width + 1, at[1] - height - 2)
        cv2.rectangle(picture, corner, opposite, 0, cv2.FILLED)  # pyright: ignore[reportCallIssue, reportArgumentType]
        cv2.putText(picture, text, at, FONT, size, 255, 1, cv2.LINE_AA)  # pyright: ignore[reportCallIssue, reportArgumentType]


def lettered(picture: Grey, marks: Marks, size: float = 0.42) -> Grey:
    """The picture with letters at its four edges."""
    for text, place in zip(marks, ("left", "right", "top", "bottom"), strict=True):
        write(picture, text, place, size)
    return picture


def bordered(picture: Grey, marks: Marks) -> Grey:
    """The picture in a black border that holds the letters of its four edges: they hide nothing."""
    return lettered(np.pad(picture, BORDER), marks, 0.48)


def framed(picture: Grey) -> Grey:
    """The picture with a white frame."""
    cv2.rectangle(picture, (0, 0), (picture.shape[1] - 1, picture.shape[0] - 1), 255, 3)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return picture


def mosaic(tiles: Sequence[Grey], columns: int) -> Grey:
    """Tiles of one size in rows, parted by grey."""
    height, width = tiles[0].shape
    rows = -(-len(tiles) // columns)
    canvas = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), BETWEEN, np.uint8)
    blank = np.full((height, width), 255, np.uint8)
    for n, picture in enumerate([*tiles, *[blank] * (rows * columns - len(tiles))]):
        top, left = (n // columns) * (height + GAP), (n % columns) * (width + GAP)
        canvas[top : top + height, left : left + width] = picture
    return canvas


def beside(pictures: Sequence[Grey]) -> Grey:
    """Pictures side by side, each in the middle of the common height."""
    height = max(picture.shape[0] for picture in pictures)
    gap = np.full((height, GAP), BETWEEN, np.uint8)
    parts = [part for p in pictures for part in (gap, centred(p, (height, p.shape[1])))]
    return np.hstack(parts[1:])


def above(pictures: Sequence[Grey]) -> Grey:
    """Pictures one above the other, each in the middle of the common width."""
    return np.ascontiguousarray(beside([picture.T for picture in pictures]).T)


def jpeg(picture: Grey, most: int) -> str:
    """The picture as a data URI of at most so many characters, in the best quality and size that fits.

    Noise alone does not fit at its full size: it is halved as often as it takes.
    """
    while True:
        for quality in QUALITIES:
            _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
            uri = "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
            if len(uri) <= most or max(picture.shape) < SMALLEST:
                return uri
        half = picture.shape[1] // 2 or 1, picture.shape[0] // 2 or 1
        picture = np.asarray(cv2.resize(picture, half, interpolation=cv2.INTER_AREA), np.uint8)
