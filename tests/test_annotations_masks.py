"""Masks: on the exact grid of their image, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from trialbids.exporter.annotations.masks import Grid, MaskRefused, fit
from trialbids.exporter.annotations.table import MaskRow, read_masks
from trialbids.exporter.errors import UsageError

AFFINE = np.array([[-0.5, 0, 0, 40], [0, 0.5, 0, -30], [0, 0, 3.0, 7], [0, 0, 0, 1]])
GRID = Grid((6, 5, 4), tuple(AFFINE.ravel()))
HEAD = "file,series_uid,label,reader,method\n"


def mask(folder: Path, voxels: np.ndarray | None = None, affine: np.ndarray = AFFINE) -> MaskRow:
    if voxels is None:
        voxels = np.zeros((6, 5, 4), np.uint8)
        voxels[2:4, 2, 1] = 1
    path = folder / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return MaskRow(2, path, "1.2", "lesion", "R1", "manual")


def test_a_mask_on_its_grid_is_taken_as_it_is(tmp_path: Path) -> None:
    taken = fit(mask(tmp_path), GRID)
    assert taken.voxels.dtype == np.uint8 and taken.voxels.sum() == 2
    assert np.array_equal(taken.affine, AFFINE)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"voxels": np.zeros((6, 5, 4), np.uint8)}, "A02"),
        ({"voxels": np.ones((6, 5, 3), np.uint8)}, "A01"),
        ({"voxels": np.full((6, 5, 4), 7, np.uint8)}, "F03"),
        ({"affine": AFFINE @ np.diag([-1.0, 1, 1, 1])}, "A01"),
        ({"affine": AFFINE + np.array([[0, 0, 0, 0.25]] + [[0.0] * 4] * 3)}, "A01"),
    ],
    ids=["empty", "other shape", "other values", "mirrored", "half a voxel beside"],
)
def test_a_mask_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, np.ndarray], check: str) -> None:
    with pytest.raises(MaskRefused) as refused:
        fit(mask(tmp_path, **change), GRID)
    assert refused.value.check == check and "line 2" in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"no NIfTI"])
def test_a_file_that_is_no_mask_is_refused(tmp_path: Path, content: bytes) -> None:
    row = mask(tmp_path)
    row.file.write_bytes(content)
    with pytest.raises(MaskRefused, match="cannot be read"):
        fit(row, GRID)


def test_readers_leave_as_codes_that_stay(tmp_path: Path) -> None:
    table, codes = tmp_path / "a.csv", tmp_path / "readers.tsv"
    table.write_text(HEAD + "a.nii,1.2,lesion,Dr Grey,manual\nb.nii,1.3,lesion,Dr Black,manual\n", encoding="utf-8")
    assert [r.reader for r in read_masks(table, codes)] == ["R1", "R2"]
    table.write_text(HEAD + "b.nii,1.3,lesion,Dr Black,manual\n", encoding="utf-8")
    assert [r.reader for r in read_masks(table, codes)] == ["R2"]


@pytest.mark.parametrize(
    ("line", "words"),
    [("a.nii,1.2,le/sion,X,manual", "line 2: label"), ("a.nii,1.2,lesion,X,by eye", "line 2: method")],
)
def test_an_illegal_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    table = tmp_path / "a.csv"
    table.write_text(HEAD + line + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        read_masks(table, tmp_path / "readers.tsv")
