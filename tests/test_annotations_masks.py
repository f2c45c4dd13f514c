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
    with pytest.raises(UsageError, match=words) as refused:
        read_masks(table, tmp_path / "readers.tsv")
    assert "le/sion" not in str(refused.value) and "by eye" not in str(refused.value), "a cell may hold a name"


def refused(row: MaskRow) -> MaskRefused:
    with pytest.raises(MaskRefused) as caught:
        fit(row, GRID)
    return caught.value


def test_a_stream_that_breaks_is_refused(tmp_path: Path) -> None:
    row = mask(tmp_path, np.random.default_rng(1).integers(0, 2, (6, 5, 4)).astype(np.float64))
    whole = row.file.read_bytes()
    for place in range(10, len(whole), 7):
        row.file.write_bytes(whole[:place] + b"\xff\xff\xff" + whole[place + 3 :])
        try:
            fit(row, GRID)
        except MaskRefused as refusal:
            assert "line 2" in str(refusal)


def test_a_compressed_block_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    row = mask(tmp_path)
    row.file.write_bytes(row.file.read_bytes()[:10] + b"\xff" * 400)
    assert refused(row).check == "F03"


def test_a_header_that_promises_terabytes_is_refused_unread(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((32767, 32767, 32767))
    header.set_sform(AFFINE, code=1)
    path = tmp_path / "mask.nii"
    path.write_bytes(header.binaryblock[:344] + b"n+1\0" + bytes(4))
    assert refused(MaskRow(2, path, "1.2", "lesion", "R1", "manual")).check == "A01"


@pytest.mark.parametrize(
    "kind", [np.complex64, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])], ids=["complex", "colours"]
)
def test_voxels_that_cannot_say_inside_or_outside_are_refused(tmp_path: Path, kind: np.dtype) -> None:
    refusal = refused(mask(tmp_path, np.ones((6, 5, 4), kind)))
    assert refusal.check == "F03" and "uint8" in str(refusal)


@pytest.mark.parametrize("make", [nibabel.Nifti2Image, nibabel.Nifti1Pair])
def test_every_kind_of_nifti_is_read(tmp_path: Path, make: type[nibabel.Nifti1Pair]) -> None:
    path = tmp_path / ("mask.img" if make is nibabel.Nifti1Pair else "mask.nii")
    nibabel.save(make(np.ones((6, 5, 4), np.float32), AFFINE), path)
    assert fit(MaskRow(2, path, "1.2", "lesion", "R1", "manual"), GRID).voxels.sum() == 120


def test_the_state_of_a_mask_whose_name_no_file_can_have_is_absent(tmp_path: Path) -> None:
    assert "absent" in MaskRow(2, tmp_path / "a\0b", "1.2", "lesion", "R1", "manual").state
