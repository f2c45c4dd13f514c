"""Data sets as files. What many slices share is encoded once: writing is most of the cost of a benchmark."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.uid import ExplicitVRLittleEndian

from .fault import Item

Cache = dict[tuple[bool, int, str, str], bytes]


def to_bytes(ds: Dataset, cache: Cache | None = None) -> bytes:
    """A data set as a file of the syntax that its meta information names (little endian), with its preamble.

    Nothing is mended on the way: the meta information may contradict the data set, and elements may be missing.
    """
    meta: Any = ds.file_meta
    cache = {} if cache is None else cache
    implicit = meta.get("TransferSyntaxUID", ExplicitVRLittleEndian).is_implicit_VR
    encodings = convert_encodings(ds.get("SpecificCharacterSet"))
    head = b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01" + _elements(meta, False, encodings, cache)
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(head))
    return b"".join((bytes(128), b"DICM", length, head, _elements(ds, implicit, encodings, cache)))


def _elements(ds: Dataset, implicit: bool, encodings: Any, cache: Cache) -> bytes:
    out: list[bytes] = []
    for element in ds:
        if element.tag == 0x00020001:
            continue
        shared = element.VR not in ("SQ", "OW", "OB", "UN")
        key = (implicit, int(element.tag), element.VR, repr(element.value)) if shared else None
        encoded = cache.get(key) if key else None
        if encoded is None:
            buffer = DicomBytesIO()
            buffer.is_little_endian, buffer.is_implicit_VR = True, implicit
            write_data_element(buffer, element, encodings)
            encoded = buffer.getvalue()
            if key:
                cache[key] = encoded
        out.append(encoded)
    return b"".join(out)


def write_files(items: Sequence[Item], folder: Path) -> int:
    """Write a case into its folder, a file an item; returns the number of files."""
    folder.mkdir(parents=True, exist_ok=True)
    cache: Cache = {}
    for number, item in enumerate(items, 1):
        content = item if isinstance(item, bytes) else to_bytes(item, cache)
        (folder / f"{number:05d}.dcm").write_bytes(content)
    return len(items)
