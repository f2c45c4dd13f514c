"""The header of an NRRD (``.nrrd``, ``.nhdr``).

Source: teem.sourceforge.net/nrrd/format.html; where it leaves a choice, what ITK 5.4 does, which the tests compare
with: without a space that is known, coordinates are LPS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .grid import MaskRefused
from .stored import Stored, beside, header_of

_NAMES: Mapping[str, str] = {
    "i1": "signed char|int8|int8_t",
    "u1": "uchar|unsigned char|uint8|uint8_t",
    "i2": "short|short int|signed short|signed short int|int16|int16_t",
    "u2": "ushort|unsigned short|unsigned short int|uint16|uint16_t",
    "i4": "int|signed int|int32|int32_t",
    "u4": "uint|unsigned int|uint32|uint32_t",
    "i8": "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t",
    "u8": "ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t",
    "f4": "float",
    "f8": "double",
}
TYPES: Mapping[str, str] = {name: kind for kind, names in _NAMES.items() for name in names.split("|")}

SPACES: Mapping[str, tuple[int, int, int]] = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
"""Signs that turn each space's coordinates to LPS."""

SPATIAL_KINDS = frozenset({"domain", "space", "time", "none", "???"})
END = rb"\r?\n\r?\n"
_VECTOR = re.compile(r"\(([^()]*)\)|none", re.IGNORECASE)
_MAGIC = re.compile(r"NRRD000[1-5]\s*")


def read_nrrd(file: Path) -> Stored:
    """What the header says. Raises ``MaskRefused`` F03, ``OSError`` or ``ValueError`` where it cannot be followed."""
    lines, size = header_of(file, END)
    said = _fields(lines)
    kind = TYPES.get(said["type"].casefold())
    if kind is None:
        raise MaskRefused("F03", "the mask's voxels are of no plain type; save it as uint8")
    encoding = said["encoding"].casefold()
    if encoding not in ("raw", "gzip", "gz"):
        raise MaskRefused("F03", "the mask's encoding is neither raw nor gzip; save it as one of them")
    endian = said.get("endian", "little" if kind.endswith("1") else "").casefold()
    if endian not in ("little", "big"):
        raise MaskRefused("F03", "the mask's header does not say the order of its bytes (endian: little or big)")
    is_compressed, skipped = encoding != "raw", int(said.get("byteskip", "0"))
    if skipped < -1 or int(said.get("lineskip", "0")) or (skipped and is_compressed):
        raise MaskRefused("F03", "the mask's header skips lines or bytes before the voxels; save it without")
    data, start = (beside(file, said["datafile"]), 0) if "datafile" in said else (file, size)
    shape, affine = _placed(said)
    dtype = np.dtype(("<" if endian == "little" else ">") + kind)
    return Stored(shape, affine, dtype, data, None if skipped == -1 else start + skipped, is_compressed)


def _fields(lines: list[str]) -> dict[str, str]:
    """The fields by name, small and without spaces; comments and the pairs ``key:=value`` say nothing of the grid."""
    if not lines or not _MAGIC.fullmatch(lines[0]):
        raise ValueError("no NRRD")
    said: dict[str, str] = {}
    for line in lines[1:]:
        key, colon, value = line.partition(":")
        if line.startswith("#") or not line.strip() or ":=" in line:
            continue
        name = "".join(key.casefold().split())
        if not colon or name in said:
            raise ValueError("a line that is no field, or a field twice")
        said[name] = value.strip()
    for name in ("type", "dimension", "sizes", "encoding"):
        if name not in said:
            raise ValueError(f"without {name}")
    return said


def _placed(said: Mapping[str, str]) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """The sizes of the axes that lie in space, and the affine (LPS mm)."""
    sizes = [int(number) for number in said["sizes"].split()]
    axes = int(said["dimension"])
    if len(sizes) != axes or not 1 <= axes <= 5:
        raise MaskRefused("F03", "the mask's header gives sizes that no volume has")
    vectors = _vectors(said["spacedirections"]) if "spacedirections" in said else _edges(said, axes)
    if len(vectors) != axes:
        raise ValueError("another count of directions")
    lying = [at for at, vector in enumerate(vectors) if vector is not None]
    if any(sizes[at] != 1 for at in range(axes) if at not in lying):
        raise MaskRefused("F03", "the mask's voxels are colours or vectors; save each label as one number")
    columns = [vector for vector in vectors if vector is not None]
    origin = next(iter(_vectors(said.get("spaceorigin", ""))), None) or [0.0] * len(lying)
    if not lying or any(len(vector) != len(lying) for vector in (*columns, origin)):
        raise MaskRefused("F03", "the mask's axes are not as many as those of the space that it lies in")
    shown = min(len(lying), 3)
    affine = np.eye(4)
    affine[:shown, :shown] = np.array(columns).T[:shown, :shown]
    affine[:shown, 3] = origin[:shown]
    return tuple(sizes[at] for at in lying), _signs(said) @ affine


def _edges(said: Mapping[str, str], axes: int) -> list[list[float] | None]:
    """The directions of a header without: along the axes, by the spacings; None for an axis of colours or the like."""
    spacings = [float(number) for number in said.get("spacings", " ".join(["1"] * axes)).split()]
    if len(spacings) != axes:
        raise ValueError("another count of spacings")
    starts = (float(number) for name in ("axismins", "axismaxs") for number in said.get(name, "").split())
    if any(start == start for start in starts) or ("spacings" in said and {"space", "spacedimension"} & said.keys()):
        raise MaskRefused("F03", "the mask's header says its place by axis; save it with space directions and origin")
    kinds = said.get("kinds", "domain " * axes).casefold().split()
    if len(kinds) != axes:
        raise ValueError("another count of kinds")
    lying = [at for at in range(axes) if kinds[at] in SPATIAL_KINDS]
    edges = dict(zip(lying, np.eye(len(lying)).tolist(), strict=True))
    return [
        [(spacings[at] if spacings[at] == spacings[at] else 1.0) * number for number in edges[at]]
        if at in edges
        else None
        for at in range(axes)
    ]


def _vectors(text: str) -> list[list[float] | None]:
    """``(1,0,0) none`` as vectors. Raises ``ValueError`` where anything else stands there."""
    if _VECTOR.sub("", text).strip():
        raise ValueError("something that is no vector")
    found = [match[1] for match in _VECTOR.finditer(text)]
    return [None if inner is None else [float(number) for number in inner.split(",")] for inner in found]


def _signs(said: Mapping[str, str]) -> NDArray[np.float64]:
    space = said.get("space", "lps").casefold()
    if space not in SPACES:
        raise MaskRefused("F03", "the mask's space is none of the patient's (LPS, RAS or LAS); save it in one of them")
    return np.diag([float(sign) for sign in (*SPACES[space], 1)])
