"""Voxels and affines are nibabel's, whatever the file."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trialbids.datasets import ReadError
from trialbids.datasets.files.nifti import read_header, read_volume

DTYPES = ["int16", "uint16", "uint8", "int32", "float32"]
AXES = st.permutations([0, 1, 2])
SIGNS = st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3)


@st.composite
def files(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, str, tuple[float, float] | None, str]:
    kind = draw(st.sampled_from(DTYPES))
    shape = draw(hnp.array_shapes(min_dims=3, max_dims=4, min_side=1, max_side=5))
    elements = st.floats(-1e4, 1e4, width=32) if kind == "float32" else None
    array = draw(hnp.arrays(kind, shape, elements=elements))
    affine = np.zeros((4, 4))
    for row, (axis, sign) in enumerate(zip(draw(AXES), draw(SIGNS), strict=True)):
        affine[row, axis] = sign * draw(st.floats(0.25, 6.0, width=32))
    affine[:3, 3] = draw(st.tuples(*[st.floats(-300, 300, width=32)] * 3))
    affine[3, 3] = 1
    scale = draw(st.one_of(st.none(), st.tuples(st.sampled_from([0.5, 0.001, 3.7]), st.sampled_from([0.0, -1024.0]))))
    return array, affine, draw(st.sampled_from("<>")), scale, draw(st.sampled_from([".nii", ".nii.gz"]))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files())
def test_values_and_affine_equal_nibabel(tmp_path: Path, made) -> None:
    array, affine, order, scale, extension = made
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(array.dtype)
    image = nib.Nifti1Image(array, affine, header)
    if scale:
        image.header.set_slope_inter(*scale)
    path = tmp_path / f"image{extension}"
    nib.save(image, path)

    ours, facts = read_volume(path)
    theirs = nib.load(path)
    expected = np.asanyarray(theirs.dataobj)
    assert facts.dtype.str[0] in ("|", order)
    assert np.array_equal(facts.affine, theirs.affine)
    assert ours.shape == expected.shape and ours.flags.f_contiguous and ours.flags.writeable
    if scale:
        assert ours.dtype == np.float32
        assert np.array_equal(ours, expected.astype(np.float32))
    else:
        assert ours.dtype == array.dtype
        assert np.array_equal(ours, expected)
    alone = read_header(path)
    assert (alone.shape, alone.slope, alone.inter) == (facts.shape, facts.slope, facts.inter)


def test_a_factor_and_volumes_of_a_4d_file(tmp_path: Path) -> None:
    array = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5)
    path = tmp_path / "four.nii.gz"
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)
    picked, _ = read_volume(path, factor=1000.0, volumes=[3, 0])
    assert picked.dtype == np.float32
    assert np.array_equal(picked, array[..., [3, 0]] * 1000.0)
    with pytest.raises(ReadError, match="holds 5 volumes, number 5"):
        read_volume(path, volumes=[5])


def test_nifti2_and_several_gzip_members(tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    nib.save(nib.Nifti2Image(array, np.diag([2.0, 2, 3, 1])), tmp_path / "two.nii")
    data = (tmp_path / "two.nii").read_bytes()
    (tmp_path / "two.nii.gz").write_bytes(gzip.compress(data[:200]) + gzip.compress(data[200:]))
    for name in ("two.nii", "two.nii.gz"):
        ours, header = read_volume(tmp_path / name)
        assert np.array_equal(ours, array) and header.affine[2, 2] == 3


@pytest.mark.parametrize("damage", ["flipped", "half", "no trailer", "empty", "text", "short"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "sub-01_T2w.nii.gz"
    noise = np.random.default_rng(0).integers(0, 1000, (20, 20, 20)).astype(np.int16)
    nib.save(nib.Nifti1Image(noise, np.eye(4)), path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    broken = {
        "flipped": whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :],
        "half": whole[:middle],
        "no trailer": whole[:-8],
        "empty": b"",
        "text": b"version https://git-lfs.github.com/spec/v1\n" * 20,
        "short": gzip.compress(gzip.decompress(whole)[:-100]),
    }
    path.write_bytes(broken[damage])
    with pytest.raises(ReadError, match=r"sub-01_T2w\.nii\.gz: the image cannot be read"):
        read_volume(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="No such file"):
        read_volume(tmp_path / "none.nii.gz")
