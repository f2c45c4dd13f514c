"""The bytes of the image that leaves."""

from __future__ import annotations

import gzip
import hashlib

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Header

from trialbids.exporter.convert import Volume, encode, voxels_sha256

RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


def volume(voxels, **changes):
    header = Nifti1Header()
    header.set_data_shape(voxels.shape)
    for field in ("descrip", "aux_file", "db_name", "intent_name", "data_type"):
        header[field] = b"Doe^Jane"
    affine = np.array([[-1.5, 0, 0, 9], [0, 1.5, 0, -8], [0, 0.2, 4, 7], [0, 0, 0, 1.0]])
    fields = {"slope": 1.0, "inter": 0.0, "sidecar": {}, "bval": None, "bvec": None, "converter": "pydicom"}
    return Volume(header=header, voxels=voxels, affine=affine, **(fields | changes))


def some(shape, dtype=np.int16):
    if dtype == RGB:
        return np.random.default_rng(1).integers(0, 255, (*shape, 3), dtype=np.uint8).view(RGB)[..., 0]
    return np.asfortranarray(np.random.default_rng(1).integers(0, 99, shape).astype(dtype))


def reread(tmp_path, data):
    path = tmp_path / "x.nii.gz"
    path.write_bytes(data)
    return nib.load(path)


@pytest.mark.parametrize("dtype", ["i2", "u2", ">i2", "f4", "u1", "i4", RGB])
@pytest.mark.parametrize("shape", [(4, 5, 3), (4, 5, 3, 2)])
def test_an_image_comes_back_as_it_was(tmp_path, dtype, shape):
    original = volume(some(shape, dtype), slope=2.0, inter=-1.0)
    image = reread(tmp_path, encode(original))
    assert image.affine == pytest.approx(original.affine)
    assert np.array_equal(np.asarray(image.dataobj.get_unscaled()), original.voxels)
    assert (image.dataobj.slope, image.dataobj.inter) == (2, -1)


def test_no_text_and_no_extension_leave(tmp_path):
    data = encode(volume(some((4, 5, 3))))
    raw = gzip.decompress(data)
    assert b"Doe" not in raw
    assert raw[344:352] == b"n+1\0" + bytes(4)
    image = reread(tmp_path, data)
    assert not image.header.extensions and image.header["descrip"].item() == b""


def test_the_same_image_gives_the_same_bytes_without_time_or_name():
    data = encode(volume(some((4, 5, 3))))
    assert data == encode(volume(some((4, 5, 3))))
    flags, mtime = data[3], data[4:8]
    assert flags == 0 and mtime == bytes(4)


def test_a_time_series_of_one_is_4d_and_says_its_interval(tmp_path):
    image = reread(tmp_path, encode(volume(some((4, 5, 3))).as_series(2.5)))
    assert image.shape == (4, 5, 3, 1)
    assert image.header.get_zooms()[3] == pytest.approx(2.5)


def test_the_hash_is_of_the_voxel_bytes_in_the_file():
    original = volume(some((4, 5, 3)))
    assert voxels_sha256(original) == hashlib.sha256(gzip.decompress(encode(original))[352:]).hexdigest()
