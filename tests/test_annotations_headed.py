"""NRRD and MetaImage are read as ITK reads them, and a header leads nowhere but to one file beside it."""

from __future__ import annotations

import gzip
import os
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from trialbids.exporter.annotations import nrrd
from trialbids.exporter.annotations.files import state_of
from trialbids.exporter.annotations.grid import MaskRefused
from trialbids.exporter.annotations.headed import read_headed
from trialbids.exporter.annotations.volume import labels_in, voxels_in

VOXELS = bytes(range(96))
META = "ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\n"
NRRD = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 4 3 2\nencoding: raw\ndata file: b.raw\n"
IN_SPACE = "space directions: (1,0,0) (0,2,1) (0,-1,3)\nspace origin: (1,2,3)\n"


def laid(folder: Path, name: str, header: str | bytes, data: bytes = VOXELS) -> Path:
    (folder / "b.raw").write_bytes(data)
    path = folder / name
    path.write_bytes(header.encode() if isinstance(header, str) else header)
    return path


def same_as_itk(path: Path) -> None:
    image = sitk.ReadImage(str(path))
    voxels = sitk.GetArrayFromImage(image).T
    axes = image.GetDimension()
    affine = np.eye(4)
    turn = np.reshape(image.GetDirection(), (axes, axes)) * np.array(image.GetSpacing())
    affine[:axes, :axes], affine[:axes, 3] = turn[:3, :3], image.GetOrigin()[:3]
    ours = read_headed(path)
    assert ours.shape == image.GetSize() and np.allclose(ours.affine, affine, atol=1e-9)
    read = ours.read()
    assert read.dtype.newbyteorder("=") == voxels.dtype and np.array_equal(read, voxels, equal_nan=True)


@pytest.mark.parametrize("suffix", ["mha", "mhd", "nrrd", "nhdr"])
@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]),
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=3),
    turns=st.permutations([0, 1, 2]),
    spacing=st.lists(st.floats(0.1, 9), min_size=3, max_size=3),
    packed=st.booleans(),
)
def test_what_itk_writes_is_what_we_read(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    kind: str,
    shape: list[int],
    turns: list[int],
    spacing: list[float],
    packed: bool,
) -> None:
    rng = np.random.default_rng(0)
    image = sitk.GetImageFromArray(rng.integers(0, 100, shape).astype(kind))
    axes = len(shape)
    image.SetSpacing(spacing[:axes])
    if axes == 3:
        image.SetDirection(np.eye(3)[turns].ravel().tolist())
    image.SetOrigin([4.5, -5.25, 6][:axes])
    path = tmp_path_factory.mktemp("v") / f"m.{suffix}"
    sitk.WriteImage(image, str(path), packed)
    same_as_itk(path)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("m.mhd", META + "ElementType = MET_UCHAR\nElementDataFile = b.raw\n"),
        ("m.mhd", META + "ElementSize = 2 2 2\nPosition = 1 2 3\nElementType = MET_UCHAR\nElementDataFile = b.raw"),
        ("m.mhd", META + "ElementSize = 2 2 2\nElementSpacing = 3 3 3\nOrigin = 1 2 3\n"
                  "Orientation = 0 1 0 1 0 0 0 0 1\nElementType = MET_CHAR\nElementDataFile = b.raw\n"),
        ("m.mhd", META + "BinaryData = True\nBinaryDataByteOrderMSB = True\nElementType = MET_SHORT\n"
                  "ElementDataFile = b.raw\n"),
        ("m.mhd", META + "ElementByteOrderMSB = True\nElementType = MET_LONG\nElementDataFile = b.raw\n"),
        ("m.mhd", META + "HeaderSize = -1\nElementType = MET_USHORT\nElementDataFile = b.raw\n"),
        ("m.mhd", META + "HeaderSize = 7\nElementType = MET_USHORT\nElementDataFile = b.raw\n"),
        ("m.mhd", (META + "ElementSpacing = 1 1 -1\nElementType = MET_UCHAR\nElementDataFile = b.raw\n")
                  .replace("\n", "\r\n")),
        ("m.nhdr", NRRD),
        ("m.nhdr", NRRD + "spacings: 1 2 -3\n"),
        ("m.nhdr", NRRD + "space: RAS\n" + IN_SPACE),
        ("m.nhdr", NRRD + "space: left-anterior-superior\n" + IN_SPACE),
        ("m.nhdr", NRRD + "space dimension: 3\n" + IN_SPACE),
        ("m.nhdr", NRRD.replace("uchar", "short") + "endian: big\nspace: LPS\n" + IN_SPACE),
        ("m.nhdr", NRRD + "byte skip: -1\nspace: LPS\n"),
        ("m.nhdr", NRRD + "byteskip: 5\n# a remark: 1\nSegment0_Name:=a: b\n"),
        ("m.nrrd", NRRD.replace("data file: b.raw\n", "\n").encode() + VOXELS),
        ("m.nrrd", NRRD.replace("data file: b.raw\n", "\n").replace("\n", "\r\n").encode() + VOXELS),
    ],
)  # fmt: skip
def test_what_others_write_is_read_as_itk_does(tmp_path: Path, name: str, header: str | bytes) -> None:
    same_as_itk(laid(tmp_path, name, header))


@pytest.mark.parametrize(
    "named",
    ["%s%s%n%d 1 20 1", "slice%03d.raw 1 2 1", "LIST", "LIST 2", "../b.raw", "/etc/passwd", "sub/b.raw", "sub\\b.raw",
     "..", ".", "", "a\0b", "link.raw", "pipe.raw", "sub", "missing.raw"],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["mhd", "mha", "nhdr", "nrrd"])
def test_a_header_leads_to_no_other_place(tmp_path: Path, suffix: str, named: str) -> None:
    folder = tmp_path / "masks"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "b.raw").write_bytes(VOXELS)
    (folder / "sub" / "b.raw").write_bytes(VOXELS)
    (folder / "link.raw").symlink_to(tmp_path / "b.raw")
    os.mkfifo(folder / "pipe.raw")
    header = META + f"ElementType = MET_UCHAR\nElementDataFile = {named}\n"
    if suffix.startswith("n"):
        header = NRRD.replace("b.raw", named)
    path = laid(folder, f"m.{suffix}", header)
    with pytest.raises(MaskRefused) as caught:
        voxels_in(path)
    assert caught.value.check == "F03" and "passwd" not in str(caught.value)
    assert state_of(path)


@pytest.mark.parametrize(
    ("name", "header", "words"),
    [
        ("m.nhdr", NRRD.replace("4 3 2", "4000 3000 2"), "ends before its voxels"),
        ("m.nhdr", NRRD.replace("4 3 2", "4 3 " + "9" * 300), "sizes that no volume has"),
        ("m.nhdr", NRRD.replace("4 3 2", "4 3 0"), "sizes that no volume has"),
        ("m.nhdr", NRRD.replace("4 3 2", "4 -3 -2"), "sizes that no volume has"),
        ("m.nhdr", NRRD.replace("raw\nd", "hex\nd"), "neither raw nor gzip"),
        ("m.nhdr", NRRD.replace("uchar", "block"), "no plain type"),
        ("m.nhdr", NRRD.replace("uchar", "short"), "order of its bytes"),
        ("m.nhdr", NRRD + "kinds: vector domain domain\n", "colours or vectors"),
        ("m.nhdr", NRRD + "space: scanner-xyz\n" + IN_SPACE, "none of the patient's"),
        ("m.nhdr", NRRD + "axis mins: 1 2 3\n", "by axis"),
        ("m.nhdr", NRRD + "line skip: 2\n", "skips lines"),
        ("m.nhdr", NRRD + "sizes: 1 1 1\n", "cannot be read"),
        ("m.nhdr", NRRD + "space: LPS\nspace directions: (1,0) (0,1)\n", "cannot be read"),
        ("m.nhdr", NRRD + "x: " + "y" * 70_000, "longer than 64 kB"),
        ("m.mha", META + "x = " + "y" * 70_000, "longer than 64 kB"),
        ("m.mha", META + "ElementType = MET_UCHAR\nElementDataFile = LOCAL\n", "ends before its voxels"),
        ("m.mhd", META + "ElementType = MET_UCHAR_ARRAY\nElementDataFile = b.raw\n", "no plain type"),
        ("m.mhd", META + "ElementType = MET_UCHAR\nBinaryData = False\nElementDataFile = b.raw\n", "as text"),
        ("m.mhd", META + "ElementType = MET_UCHAR\nHeaderSize = -9\nElementDataFile = b.raw\n", "skips bytes"),
        ("m.mhd", META + "ElementType = MET_UCHAR\nOffset = 1 2 3\nOrigin = 0 0 0\nElementDataFile = b.raw\n",
         "more than one of"),
        ("m.mhd", META + "ElementType = MET_UCHAR\nElementNumberOfChannels = 3\nElementDataFile = b.raw\n", "colours"),
        ("m.mhd", META + "ElementType = MET_UCHAR\nElementSpacing = 1 1\nElementDataFile = b.raw\n", "cannot be read"),
        ("m.mhd", META + "NDims = 3\nElementType = MET_UCHAR\nElementDataFile = b.raw\n", "NDims twice"),
        ("m.mhd", META + "ElementType = MET_UCHAR\n", "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_refused_with_the_reason(tmp_path: Path, name: str, header: str, words: str) -> None:
    with pytest.raises(MaskRefused, match=words) as caught:
        voxels_in(laid(tmp_path, name, header))
    assert caught.value.check == "F03"


def test_a_header_of_fifty_megabytes_costs_nothing(tmp_path: Path) -> None:
    path = laid(tmp_path, "m.nrrd", b"NRRD0004\ncontent: " + b"a" * 50_000_000)
    start = time.monotonic()
    with pytest.raises(MaskRefused, match="longer than 64 kB"):
        voxels_in(path)
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    "packed",
    [zlib.compress(bytes(10**8), 9), zlib.compress(VOXELS[:23]), zlib.compress(VOXELS[:24])[:-3], b"no stream",
     zlib.compress(VOXELS[:24])[:-1] + b"\xff"],
    ids=["a bomb", "too few", "cut off", "nonsense", "wrong checksum"],
)  # fmt: skip
def test_a_stream_gives_the_voxels_that_the_header_says(tmp_path: Path, packed: bytes) -> None:
    header = META + "CompressedData = True\nElementType = MET_UCHAR\nElementDataFile = b.raw\n"
    path = laid(tmp_path, "m.mhd", header, packed)
    with pytest.raises(MaskRefused, match="voxels cannot be read"):
        labels_in(path)


def test_a_pipe_is_no_mask(tmp_path: Path) -> None:
    for name in ("m.nrrd", "m.mha", "m.nii", "m.nii.gz"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(MaskRefused):
            voxels_in(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "header"),
    [("m.mhd", META + "ElementType = MET_UCHAR\nElementDataFile = b.raw\n"), ("m.nhdr", NRRD)],
)
def test_the_state_of_a_mask_is_also_that_of_its_voxels_file(tmp_path: Path, name: str, header: str) -> None:
    path = laid(tmp_path, name, header)
    before = state_of(path)
    os.utime(tmp_path / "b.raw", (1, 1))
    assert state_of(path) != before
    (tmp_path / "b.raw").unlink()
    gone = state_of(path)
    (tmp_path / "b.raw").write_bytes(VOXELS)
    assert state_of(path) != gone


def test_gzip_of_a_detached_nrrd(tmp_path: Path) -> None:
    path = laid(tmp_path, "m.nhdr", NRRD.replace("raw\nd", "gzip\nd"), gzip.compress(VOXELS[:24]))
    assert voxels_in(path).ravel(order="F").tolist() == list(range(24))


def test_an_origin_that_is_no_vector_is_refused() -> None:
    with pytest.raises(ValueError, match="no vector"):
        nrrd._vectors("0,0,5")
    assert nrrd._vectors("(1,0,0) none (0,1,0)") == [[1.0, 0.0, 0.0], None, [0.0, 1.0, 0.0]]
