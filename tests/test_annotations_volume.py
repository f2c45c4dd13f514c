"""Masks saved as NIfTI, NRRD and MetaImage: voxel for voxel on their image, or refused with the reason."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from annotationmaker import grid_of, rotation
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trialbids.exporter.annotations.grid import LPS_TO_RAS, Grid, MaskRefused, order_on
from trialbids.exporter.annotations.volume import VolumeShape, labels_in, voxels_in

GRID = grid_of((6, 5, 4), (0.5, 0.6, 3.0), rotation(0.2, 0.1, -0.3), (10.0, -20.0, 30.0))
ALL_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


def drawn(dtype: str = "uint8", value: int = 1) -> NDArray[np.generic]:
    voxels = np.zeros(GRID.size, dtype)
    voxels[1:3, 2, 1], voxels[4, 4, 3] = value, value
    return voxels


def save(path: Path, voxels: NDArray[np.generic], affine: NDArray[np.float64] | None = None) -> Path:
    """Write voxels ``[X, Y, Z]`` in the form that the suffix names."""
    affine = GRID.matrix if affine is None else affine
    if path.name.endswith((".nii", ".nii.gz")):
        nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
        return path
    lps = LPS_TO_RAS @ affine
    edges = np.linalg.norm(lps[:3, :3], axis=0)
    image = sitk.GetImageFromArray(voxels.T)
    image.SetSpacing(edges.tolist())
    image.SetDirection((lps[:3, :3] / edges).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    sitk.WriteImage(image, str(path))
    return path


def refused(path: Path, value: int | None = None, grid: Grid = GRID) -> MaskRefused:
    with pytest.raises(MaskRefused) as caught:
        VolumeShape(path, value).on(grid)
    return caught.value


@pytest.mark.parametrize("suffix", ALL_SUFFIXES)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_every_form_gives_the_drawn_voxels(tmp_path: Path, suffix: str, dtype: str) -> None:
    mask = VolumeShape(save(tmp_path / f"m{suffix}", drawn(dtype))).on(GRID)
    assert mask.dtype == np.uint8 and np.array_equal(mask, drawn())


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
@settings(max_examples=12, deadline=None)
@given(axes=st.permutations([0, 1, 2]), flips=st.tuples(*[st.booleans()] * 3))
def test_permuted_and_flipped_axes_with_the_same_centres_are_re_ordered(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, axes: list[int], flips: tuple[bool, ...]
) -> None:
    stored = np.ascontiguousarray(np.flip(drawn().transpose(axes), [i for i in range(3) if flips[i]]))
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for new, old in enumerate(axes):
        turn[old, new] = -1 if flips[new] else 1
        turn[old, 3] = GRID.size[old] - 1 if flips[new] else 0
    path = save(tmp_path_factory.mktemp("m") / f"m{suffix}", stored, GRID.matrix @ turn)
    assert np.array_equal(VolumeShape(path).on(GRID), drawn())


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (np.array([[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "0.25 mm beside"),
        (np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.5], [0, 0, 0, 1]]), "1.5 mm beside"),
        (np.array([[1, 0, 0, 0.1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "0.05 mm beside"),
        (np.diag([-1.0, 1, 1, 1]), "mm beside"),
        (np.diag([1.0, 1, 1.05, 1]), "0.45 mm beside"),
    ],
    ids=["half a voxel", "half a slice", "a tenth of a voxel", "mirrored", "other spacing"],
)
def test_a_mask_elsewhere_is_refused_by_how_far(
    tmp_path: Path, suffix: str, change: NDArray[np.float64], words: str
) -> None:
    caught = refused(save(tmp_path / f"m{suffix}", drawn(), GRID.matrix @ change))
    assert caught.check == "A01" and words in str(caught)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_mask_of_another_size_is_refused_with_both_sizes(tmp_path: Path, suffix: str) -> None:
    caught = refused(save(tmp_path / f"m{suffix}", np.ones((6, 5, 3), np.uint8)))
    assert (caught.check, str(caught)) == ("A01", "the mask has shape 6×5×3, its image 6×5×4")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_an_empty_mask_is_refused(tmp_path: Path, suffix: str) -> None:
    assert refused(save(tmp_path / f"m{suffix}", np.zeros(GRID.size, np.uint8))).check == "A02"


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float64"])
def test_one_label_of_a_label_map(tmp_path: Path, suffix: str, dtype: str) -> None:
    top = 255 if dtype == "uint8" else 4000
    voxels = drawn(dtype, 3)
    voxels[0, 0, 0] = top
    path = save(tmp_path / f"m{suffix}", voxels)
    assert labels_in(path) == (3, top)
    assert np.array_equal(VolumeShape(path, 3).on(GRID), drawn())
    assert np.argwhere(VolumeShape(path, top).on(GRID)).tolist() == [[0, 0, 0]]
    caught = refused(path, 7)
    assert (caught.check, str(caught)) == ("A02", "no voxel has label 7")
    assert refused(path).check == "F03", "without a value nobody knows which label is meant"


def test_fractions_are_no_labels(tmp_path: Path) -> None:
    with pytest.raises(MaskRefused, match="no whole numbers"):
        labels_in(save(tmp_path / "m.nii", drawn("float32") * 0.5))
    nothing = drawn("float32")
    nothing[0, 0, 0] = np.nan
    assert refused(save(tmp_path / "n.nii", nothing)).check == "F03"


def test_one_volume_of_a_series_is_a_volume_and_two_are_refused(tmp_path: Path) -> None:
    assert np.array_equal(VolumeShape(save(tmp_path / "one.nii", drawn()[..., None])).on(GRID), drawn())
    caught = refused(save(tmp_path / "two.nii", np.stack([drawn(), drawn()], axis=-1)))
    assert caught.check == "A01" and "4 axes" in str(caught)


def test_colours_and_vectors_are_no_masks(tmp_path: Path) -> None:
    colours = np.zeros(GRID.size, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert refused(save(tmp_path / "m.nii", colours)).check == "F03"
    vectors = sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.uint8), isVector=True)
    sitk.WriteImage(vectors, str(tmp_path / "m.nrrd"))
    assert "vectors" in str(refused(tmp_path / "m.nrrd"))


@pytest.mark.parametrize("suffix", ALL_SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"no image", b"NRRD0004\n\n", b"ObjectType = Image\nNDims = 3\n"])
def test_a_file_that_is_no_volume_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"patient{suffix}"
    path.write_bytes(content)
    caught = refused(path)
    assert caught.check == "F03" and "patient" not in str(caught)
    with pytest.raises(MaskRefused):
        labels_in(path)


@pytest.mark.parametrize("suffix", ALL_SUFFIXES)
def test_a_missing_file_is_not_there(tmp_path: Path, suffix: str) -> None:
    assert str(refused(tmp_path / f"m{suffix}")) == "the mask is not there"
    assert str(refused(Path(f"m\0{suffix}"))) == "the mask is not there"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    path = save(tmp_path / f"m{suffix}", rng.integers(0, 2, GRID.size).astype(np.uint8))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 60 if suffix != ".nii.gz" else len(whole) // 2])
    assert refused(path).check == "F03"


def test_a_header_that_claims_terabytes_is_refused_before_voxels_are_read(tmp_path: Path) -> None:
    nrrd = tmp_path / "m.nrrd"
    nrrd.write_bytes(
        b"NRRD0004\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\nsizes: 30000 30000 30000\n"
        b"space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\nencoding: gzip\n\n" + gzip.compress(b"\0")
    )
    nifti = tmp_path / "m.nii.gz"
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape((30000, 30000, 30000))
    nifti.write_bytes(gzip.compress(header.binaryblock + b"\0\0\0\0"))
    for path in (nrrd, nifti):
        assert refused(path).check == "A01"
        with pytest.raises(MaskRefused, match="more voxels than any image has"):
            labels_in(path)


def test_the_order_of_a_slice_is_found_on_a_grid_of_one_slice(tmp_path: Path) -> None:
    grid = grid_of((6, 5, 1), (0.5, 0.6, 3.0))
    mask = VolumeShape(save(tmp_path / "m.nii", drawn()[:, :, 1], grid.matrix)).on(grid)
    assert np.array_equal(mask[:, :, 0], drawn()[:, :, 1])


def test_a_grid_without_volume_takes_nothing() -> None:
    flat = Grid((6, 5, 4), tuple(np.diag([1.0, 1, 0, 1]).ravel()))
    with pytest.raises(MaskRefused, match="no usable geometry"):
        order_on(flat, (6, 5, 4), GRID.matrix)


@pytest.mark.parametrize("read", [labels_in, voxels_in])
def test_a_header_that_claims_more_than_any_image_has_is_refused_before_it_is_read(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape((32000, 32000, 32000))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    path = tmp_path / "huge.nii"
    path.write_bytes(header.binaryblock + bytes(1000))
    with pytest.raises(MaskRefused, match="more voxels than any image has") as caught:
        read(path)
    assert caught.value.check == "F03"
