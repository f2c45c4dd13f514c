"""The header of a MetaImage (``.mha``, ``.mhd``).

Source: itk.org/Wiki/MetaIO/Documentation; where that is silent, what ITK 5.4 does, which the tests compare with.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .grid import MaskRefused
from .stored import Stored, beside, header_of

TYPES: Mapping[str, str] = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip

PLACES = ("Offset", "Position", "Origin")
TURNS = ("TransformMatrix", "Rotation", "Orientation")
END = rb"(?m)^[ \t]*ElementDataFile[ \t]*[=:][^\n]*(\n|\Z)"
"""The line that names the file with the voxels is the last one."""


def read_metaimage(file: Path) -> Stored:
    """What the header says. Raises ``MaskRefused`` F03, ``OSError`` or ``ValueError`` where it cannot be followed."""
    lines, size = header_of(file, END)
    said = _fields(lines)
    if int(said.get("ElementNumberOfChannels", "1")) != 1:
        raise MaskRefused("F03", "the mask's voxels are colours or vectors; save each label as one number")
    kind = TYPES.get(said["ElementType"])
    if kind is None:
        raise MaskRefused("F03", "the mask's voxels are of no plain type; save it as uint8 (MET_UCHAR)")
    if not _is_true(said.get("BinaryData", "True")):
        raise MaskRefused("F03", "the mask's voxels are written as text; save it as a binary MetaImage")
    order = any(_is_true(said.get(key, "")) for key in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"))
    axes = int(said["NDims"])
    shape = tuple(int(number) for number in said["DimSize"].split())
    if not 1 <= axes <= 4 or len(shape) != axes:
        raise MaskRefused("F03", "the mask's header gives sizes that no volume has")
    skipped = int(said.get("HeaderSize", "0"))
    is_local, is_compressed = said["ElementDataFile"].upper() == "LOCAL", _is_true(said.get("CompressedData", ""))
    if skipped < -1 or (skipped and (is_local or is_compressed)):
        raise MaskRefused("F03", "the mask's header skips bytes before the voxels; save it without (HeaderSize)")
    return Stored(
        shape,
        _affine(said, axes),
        np.dtype((">" if order else "<") + kind),
        file if is_local else beside(file, said["ElementDataFile"]),
        size if is_local else None if skipped == -1 else skipped,
        is_compressed,
    )


def _fields(lines: list[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    for line in lines:
        key, sign, value = line.partition("=" if "=" in line else ":")
        if not sign and line.strip():
            raise ValueError("a line without a value")
        if key.strip() in said:
            raise MaskRefused("F03", f"the mask's header gives {_known(key.strip())} twice")
        if sign:
            said[key.strip()] = value.strip()
    for key in ("NDims", "DimSize", "ElementType", "ElementDataFile"):
        if key not in said:
            raise ValueError(f"without {key}")
    return said


def _known(key: str) -> str:
    """The name of a field, where it is one that is read here: others may hold anything."""
    return key if key.startswith("Element") or key in ("NDims", "DimSize", *PLACES, *TURNS) else "a field"


def _is_true(value: str) -> bool:
    return value[:1] in ("T", "t", "1")


def _affine(said: Mapping[str, str], axes: int) -> NDArray[np.float64]:
    """LPS mm; the matrix is written axis by axis of the image, so its columns come one after the other."""
    edges = _numbers(said.get("ElementSpacing") or said.get("ElementSize"), np.ones(axes))
    turn = _numbers(_one_of(said, TURNS), np.eye(axes).ravel()).reshape(axes, axes).T
    shown = min(axes, 3)
    affine = np.eye(4)
    affine[:shown, :shown] = (turn * edges)[:shown, :shown]
    affine[:shown, 3] = _numbers(_one_of(said, PLACES), np.zeros(axes))[:shown]
    return affine


def _one_of(said: Mapping[str, str], keys: tuple[str, ...]) -> str | None:
    found = [said[key] for key in keys if key in said]
    if len(found) > 1:
        raise MaskRefused("F03", f"the mask's header gives more than one of {', '.join(keys)}")
    return found[0] if found else None


def _numbers(text: str | None, unsaid: NDArray[np.float64]) -> NDArray[np.float64]:
    """As many numbers as there are where nothing is said. Raises ``ValueError`` for others."""
    if text is None:
        return unsaid
    numbers = np.array([float(number) for number in text.split()])
    if numbers.shape != unsaid.shape:
        raise ValueError("another count of numbers")
    return numbers
