"""The text detector: RapidOCR's PP-OCR detection model on ONNX Runtime. It says where text is, never what it reads.

The model is a file of the installed wheel and is named by its path, so that nothing is ever fetched at run time. Only
the detector is loaded: there is no recogniser that could put a name into memory or into a log.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MODEL = "PP-OCRv6_det_small.onnx"
ENLARGED = 3
"""Letters of 6 pixels are too small for the model; enlarged so many times it sees them, and those of 24 still fit."""
SURE = 0.4
"""Boxes with a lower mean probability are not counted."""
LARGEST = 1024
"""A longer side is made shorter before the model sees it."""
LOWEST_BOX, HIGHEST_BOX = 4, 36
"""A line of text is so high, in pixels of the image; the detector's boxes are a third higher than the letters."""
LONGER = 1.4
"""A line of text is so many times longer than high: more than one letter."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where text is, in pixels of the image that was looked at, upright, and the detector's mean probability."""

    row: int
    column: int
    rows: int
    columns: int
    score: float


def detect(image: NDArray[Any]) -> list[Box]:
    """The boxes of text in a grey image (rows, columns) of any number type, the surest first."""
    grey = cv2.resize(_eight_bits(image), None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    found = _detector()(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), use_det=True, use_cls=False, use_rec=False)
    if found.boxes is None:
        return []
    boxes = []
    for corners, score in zip(found.boxes, found.scores, strict=True):
        left, top = (int(value) for value in corners.min(0) // ENLARGED)
        right, bottom = (int(value) for value in -(-corners.max(0) // ENLARGED))
        high, long = sorted((right - left, bottom - top))
        if LOWEST_BOX <= high <= HIGHEST_BOX and long >= LONGER * high:
            boxes.append(Box(top, left, bottom - top, right - left, round(float(score), 3)))
    return sorted(boxes, key=lambda box: -box.score)


def _eight_bits(image: NDArray[Any]) -> NDArray[np.uint8]:
    """The image between its 0.5th and 99.8th percentile as 0 to 255."""
    values = image.astype(np.float32)
    low, high = np.percentile(values, (0.5, 99.8))
    return np.clip((values - low) * (255 / max(high - low, 1e-6)), 0, 255).astype(np.uint8)


@cache
def _detector() -> Any:
    """The detector of this process, on one core: the export's workers share the others."""
    import rapidocr  # takes 0.3 s, and most exports never need it

    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    settings = {
        "Global.log_level": "critical",
        "Det.model_path": str(Path(rapidocr.__file__).parent / "models" / MODEL),
        "Det.limit_type": "max",
        "Det.limit_side_len": LARGEST,
        "Det.box_thresh": SURE,
    }
    return rapidocr.RapidOCR(params={**settings, **threads})
