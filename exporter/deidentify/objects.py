"""The inspection of a released DICOM object: nothing that no list names, and no identifier in any byte."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue

from .search import Searcher
from .volumes import Finding

PREAMBLE = 128
GRAPHICS = (0x5000, 0x6000)
"""Groups of curves and overlays, with the fifteen that repeat each."""


def look_into_object(path: Path, searcher: Searcher) -> Iterator[Finding]:
    """Everything in a DICOM file that may not leave. Raises ``OSError``, and ``ValueError`` where it is none."""
    data = path.read_bytes()
    if any(data[:PREAMBLE]):
        yield "preamble", "odd-header", "", ""
    for hit in searcher.in_bytes(data):
        yield f"byte {hit.offset}", hit.kind, hit.form, ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = pydicom.dcmread(BytesIO(data), stop_before_pixels=True)
            yield from _data_set(read.file_meta, searcher, "file meta")
            yield from _data_set(read, searcher, "")
    except (InvalidDicomError, BytesLengthException, AttributeError, EOFError, OverflowError, struct.error) as error:
        raise ValueError("no DICOM") from error


def _data_set(level: Dataset, searcher: Searcher, above: str) -> Iterator[Finding]:
    for element in level:
        place = f"{above}/{element.tag}" if above else str(element.tag)
        group = element.tag.group
        if element.tag.is_private:
            yield place, "unknown-key", "", "a private element"
        elif any(base <= group <= base + 0x1E for base in GRAPHICS):
            yield place, "unknown-key", "", "a curve or an overlay"
        if element.VR == "SQ":
            for item in element.value or ():
                yield from _data_set(item, searcher, place)
        elif isinstance(element.value, str | MultiValue | list) or element.VR in ("PN", "DA", "DT", "UI"):
            values = element.value if isinstance(element.value, MultiValue | list) else [element.value]
            for value in values:
                hits = searcher.in_text(str(value)) if not isinstance(value, int | float) else ()
                yield from ((place, hit.kind, hit.form, str(value)) for hit in hits)
