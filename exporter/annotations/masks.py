"""Masks drawn on an image: found by the series they were drawn on, on its exact grid or refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from ..errors import UsageError
from ..tables import read_table, read_tsv, tsv_bytes, write_atomic

COLUMNS = ("file", "series_uid", "label", "reader", "method")
METHODS = ("manual", "semiautomatic", "automatic")
TOLERANCE_MM = 1e-3


@dataclass(frozen=True, slots=True)
class MaskRow:
    """One line of the annotations table; ``reader`` is the public code (``R1``), never the name."""

    line: int
    file: Path
    series_uid: str
    label: str
    reader: str
    method: str

    @property
    def state(self) -> str:
        """Names what the mask is made from: it changes when the line or the file does."""
        try:
            stat = self.file.stat()
        except OSError:
            return f"{self.series_uid} {self.label} {self.reader} {self.method} absent"
        return f"{self.series_uid} {self.label} {self.reader} {self.method} {stat.st_size} {stat.st_mtime_ns}"


@dataclass(frozen=True, slots=True)
class Grid:
    """The grid of an exported image: shape of its first three axes and the 4×4 affine (RAS+, mm)."""

    shape: tuple[int, ...]
    affine: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask that lies on its image's grid: ``voxels`` uint8 ``[X, Y, Z]``, 1 inside."""

    row: MaskRow
    voxels: np.ndarray
    affine: np.ndarray


class MaskRefused(Exception):
    """A mask that cannot be put on its image; ``check`` is the code of ``qc.md``."""

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check


def read_masks(table: Path, codes: Path) -> tuple[MaskRow, ...]:
    """The annotations table, with readers replaced by codes that stay in ``codes`` (private).

    Raises ``UsageError`` naming the line of a missing column, file or illegal label.
    """
    rows = read_table(table)
    for name in COLUMNS:
        if rows and name not in rows[0]:
            raise UsageError(f"{table}: has no column {name}; its columns are {', '.join(rows[0])}")
    code_of = _reader_codes(codes, [r["reader"] for r in rows])
    out = []
    for line, row in enumerate(rows, start=2):
        if not re.fullmatch(r"[0-9A-Za-z]+", row["label"]):
            raise UsageError(f"{table}: line {line}: label '{row['label']}': letters and digits only")
        if row["method"] not in METHODS:
            raise UsageError(f"{table}: line {line}: method '{row['method']}': expected one of {', '.join(METHODS)}")
        file = table.parent / row["file"]
        out.append(MaskRow(line, file, row["series_uid"], row["label"], code_of[row["reader"]], row["method"]))
    return tuple(out)


def _reader_codes(path: Path, readers: Sequence[str]) -> Mapping[str, str]:
    """Codes R1, R2 … in the order of first appearance; codes once given stay."""
    codes = {r["reader"]: r["code"] for r in read_tsv(path)} if path.exists() else {}
    for reader in dict.fromkeys(readers):
        codes.setdefault(reader, f"R{len(codes) + 1}")
    write_atomic(path, tsv_bytes(("code", "reader"), [{"code": c, "reader": r} for r, c in codes.items()]))
    return codes


def fit(row: MaskRow, image: Grid) -> Mask:
    """Read a mask and see that it lies on the image's grid.

    Raises ``MaskRefused``: A01 another grid, A02 empty, F03 not readable or not binary.
    """
    try:
        nifti = nibabel.load(row.file)
        voxels = np.asanyarray(nifti.dataobj)  # pyright: ignore[reportAttributeAccessIssue]
        affine = nifti.affine  # pyright: ignore[reportAttributeAccessIssue]
    except (OSError, ImageFileError, ValueError, EOFError) as error:
        raise MaskRefused("F03", f"line {row.line}: the mask cannot be read as NIfTI") from error
    if voxels.shape != image.shape[:3]:
        raise MaskRefused("A01", f"line {row.line}: the mask has shape {voxels.shape}, its image {image.shape[:3]}")
    wanted = np.reshape(image.affine, (4, 4))
    corners = np.array(
        [[x, y, z, 1] for x in (0, voxels.shape[0]) for y in (0, voxels.shape[1]) for z in (0, voxels.shape[2])]
    )
    distance = float(np.abs((np.asarray(affine) - wanted) @ corners.T).max())
    if not distance <= TOLERANCE_MM:
        raise MaskRefused("A01", f"line {row.line}: the mask lies up to {distance:.3g} mm beside its image's grid")
    values = np.unique(voxels)
    if not np.isin(values, (0, 1)).all():
        raise MaskRefused("F03", f"line {row.line}: the mask holds other values than 0 and 1")
    if values[-1] == 0:
        raise MaskRefused("A02", f"line {row.line}: the mask is empty")
    return Mask(row, voxels.astype(np.uint8), wanted)
