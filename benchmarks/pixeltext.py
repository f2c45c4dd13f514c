"""Text of many kinds drawn into a stack, for ``pixels.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[Any]

WORDS = (
    "DOE^JANE", "19610417", "Muster, Anna", "MRN 0048213", "Gruenwedel", "17.10.1961", "ID: 7741-B", "HOSPITAL NORD",
    "Acc 2019-3381", "Lefevre Marie", "SMITH J", "F 043Y",
)  # fmt: skip
RENDERINGS = ("OpenCV", "TrueType, smooth", "TrueType, hard")
SIZES = (6, 8, 10, 12, 16, 24)
CONTRASTS = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
PLACES = ("corner", "edge", "centre")
STORAGES = ("as it was", "as it was", "as it was", "8 bits", "rows twice as far apart")
CAPITALS = 0.72
"""Height of the capitals of Pillow's own font, as a share of its size."""


@dataclass(frozen=True)
class Drawing:
    """How a text is drawn: the capitals are ``size`` pixels high; ``contrast`` is the share of the stack's range by
    which it differs from what is below it."""

    rendering: str
    size: int
    contrast: float
    bright: bool
    outlined: bool
    every_slice: bool
    place: str
    storage: str

    def stored(self, voxels: Pixels) -> Pixels:
        """The voxels before the text is drawn: as they are, coarser, or with every second row left out."""
        if self.storage == "8 bits":
            low, high = (float(v) for v in np.percentile(voxels, (0, 99.9)))
            return np.clip((voxels - low) * (255 / max(high - low, 1)), 0, 255).astype(np.uint8)
        return voxels[:, ::2] if self.storage == "rows twice as far apart" else voxels


@dataclass(frozen=True)
class Drawn:
    """Where a text was drawn, in pixels of the slice as shown."""

    row: int
    column: int
    rows: int
    columns: int


def drawings(rng: np.random.Generator, n: int) -> Iterator[Drawing]:
    """``n`` ways to draw: sizes and contrasts evenly, the rest by chance."""
    for _ in range(n):
        yield Drawing(
            rendering=str(rng.choice(RENDERINGS)),
            size=int(rng.choice(SIZES)),
            contrast=float(rng.choice(CONTRASTS)),
            bright=bool(rng.random() < 0.7),
            outlined=bool(rng.random() < 0.25),
            every_slice=bool(rng.random() < 0.5),
            place=str(rng.choice(PLACES)),
            storage=str(rng.choice(STORAGES)),
        )


def draw(stack: Pixels, drawing: Drawing, rng: np.random.Generator) -> Drawn | None:
    """Draw a text into a stack (slice, row, column), in place; None where none fits or dark text would not show."""
    mask = _mask(drawing, rng, stack.shape[2] - 2)
    if mask is None or mask.shape[0] > stack.shape[1] - 2:
        return None
    at = Drawn(*_corner(drawing.place, stack.shape[1:], mask.shape, rng), *mask.shape)
    low, high = np.percentile(stack, (0.5, 99.8))
    contrast = drawing.contrast * max(high - low, 1) * (1 if drawing.bright else -1)
    one = int(rng.integers(len(stack)))
    here = np.s_[at.row : at.row + at.rows, at.column : at.column + at.columns]
    base = float(np.median(stack[one][here]))
    if base + contrast < low - 0.02 * (high - low):
        return None
    for image in stack if drawing.every_slice else stack[one : one + 1]:
        patch = image[here].astype(np.float32)
        if drawing.outlined:
            ring = cv2.dilate(mask, np.ones((3, 3), np.uint8))
            patch = patch * (1 - ring) + (base - contrast / 2) * ring
        image[here] = _fitting(patch * (1 - mask) + (base + contrast) * mask, stack.dtype)
    return at


def lossy() -> dict[str, Callable[[Pixels], Pixels]]:
    """Changes of a whole stack (slice, row, column) after which drawn pixels are no longer equal to the bit."""

    def jpeg(quality: int) -> Callable[[Pixels], Pixels]:
        def change(stack: Pixels) -> Pixels:
            grey = Drawing("", 0, 0, True, False, True, "", "8 bits").stored(stack)
            coded = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for image in grey]
            return np.stack([cv2.imdecode(code, cv2.IMREAD_GRAYSCALE) for code in coded])

        return change

    def resized(stack: Pixels) -> Pixels:
        images = [cv2.resize(image.astype(np.float32), None, fx=1.5, fy=1.5) for image in stack]
        return np.round(np.stack(images)).astype(np.int32)

    return {"JPEG, quality 95": jpeg(95), "JPEG, quality 80": jpeg(80), "enlarged 1.5 times": resized}


def _mask(drawing: Drawing, rng: np.random.Generator, widest: int) -> NDArray[np.float32] | None:
    """How much of each pixel the text covers, 0 to 1; the first of the shuffled words that fits."""
    for word in rng.permutation(WORDS):
        mask = _opencv(str(word), drawing.size) if drawing.rendering == "OpenCV" else _truetype(str(word), drawing)
        if mask.shape[1] <= widest:
            return mask.astype(np.float32) / 255
    return None


def _opencv(word: str, size: int) -> Pixels:
    font = cv2.FONT_HERSHEY_SIMPLEX
    scale = cv2.getFontScaleFromHeight(font, size, 1)
    (width, height), below = cv2.getTextSize(word, font, scale, 1)
    canvas = np.zeros((height + below + 4, width + 4), np.uint8)
    return cv2.putText(canvas, word, (2, height + 1), font, scale, (255,), 1)


def _truetype(word: str, drawing: Drawing) -> Pixels:
    font = ImageFont.load_default(max(6, round(drawing.size / CAPITALS)))
    left, top, right, bottom = (int(v) for v in font.getbbox(word))
    smooth = drawing.rendering.endswith("smooth")
    image = Image.new("L" if smooth else "1", (right - left + 4, bottom - top + 4))
    ImageDraw.Draw(image).text((2 - left, 2 - top), word, fill=255 if smooth else 1, font=font)
    return np.asarray(image.convert("L"))


def _corner(place: str, image: tuple[int, ...], text: tuple[int, ...], rng: np.random.Generator) -> tuple[int, int]:
    """The first row and column of a text at that place of the image."""
    (rows, columns), (high, wide) = image, text
    ends = (1, rows - high - 1), (1, columns - wide - 1)
    middle = (rows - high) // 2, (columns - wide) // 2
    if place == "centre":
        return middle
    row, column = (int(rng.choice(end)) for end in ends)
    if place == "corner":
        return row, column
    return (row, middle[1]) if rng.random() < 0.5 else (middle[0], column)


def _fitting(values: NDArray[np.float32], dtype: np.dtype[Any]) -> Pixels:
    """The values in the stack's own type, clipped to what it holds."""
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        return np.clip(np.round(values), bounds.min, bounds.max).astype(dtype)
    return values.astype(dtype)
