"""De-identified DICOM: its pixels are those that were there, and nothing a writer put beside them comes along."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from struct import pack, unpack
from typing import Any

import numpy as np
import pytest
from dicommaker import context, ct_object, file_bytes, mr_object, released
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_fragments, generate_frames
from pydicom.uid import (
    MPEG2MPML,
    UID,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)

from trialbids.exporter.deidentify.dicom import deidentify_object
from trialbids.exporter.deidentify.dicom.jpeg import clean_jpeg
from trialbids.exporter.errors import ConversionError

CANARY = b"Canaryseven"
COMMENT = (len(CANARY) + 2).to_bytes(2) + CANARY
ITEM, DELIMITER = bytes.fromhex("feff00e0"), bytes.fromhex("feffdde000000000")
RNG = np.random.default_rng(4)
NOISE = RNG.integers(0, 4096, (64, 48)).astype("<u2")
SMOOTH = (np.add.outer(np.arange(64), np.arange(48)) * 9 % 4096).astype("<u2")


def image(pixels: np.ndarray[Any, Any] = NOISE, stored: int = 12, **elements: Any) -> Dataset:
    """A native MR image of 16 bit words."""
    ds = mr_object(BitsStored=stored, HighBit=stored - 1, Rows=pixels.shape[-2], Columns=pixels.shape[-1])
    ds.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def compressed(syntax: UID, pixels: np.ndarray[Any, Any] = SMOOTH, stored: int = 12) -> Dataset:
    ds = image(pixels, stored)
    ds.compress(syntax, generate_instance_uid=False)
    return ds


def real(name: str) -> Dataset:
    """An object that came with pydicom, its header one of an MR image."""
    path = get_testdata_file(name, download=False)
    assert path is not None
    return as_mr(dcmread(str(path)))


def as_mr(stored: Dataset) -> Dataset:
    ds = mr_object()
    ds.file_meta.TransferSyntaxUID = stored.file_meta.TransferSyntaxUID
    for element in stored.group_dataset(0x0028):
        ds[element.tag] = element
    ds.PixelData = stored.PixelData
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return ds


def frame_of(ds: Dataset) -> bytes:
    return next(generate_frames(ds.PixelData, number_of_frames=1))


def with_frame(ds: Dataset, frame: bytes) -> Dataset:
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return ds


def assert_clean(dirty: Dataset, expected: np.ndarray[Any, Any]) -> Dataset:
    assert CANARY in file_bytes(dirty)
    data = deidentify_object(file_bytes(dirty), context())
    assert CANARY not in data
    out = dcmread(BytesIO(data))
    assert np.array_equal(out.pixel_array, expected)
    return out


def refused(ds: Dataset) -> str:
    with pytest.raises(ConversionError) as caught:
        released(ds)
    assert CANARY.decode() not in str(caught.value)
    return caught.value.reason


WITH_MARKERS = [
    "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm",
    "SC_jpeg_no_color_transform.dcm", "SC_rgb_jpeg_app14_dcmd.dcm", "SC_rgb_jls_lossy_line.dcm",
    "JPEGLSNearLossless_16.dcm",
]  # fmt: skip


@pytest.mark.parametrize("name", WITH_MARKERS)
def test_a_jpeg_loses_comments_segments_and_what_stands_behind_it(name: str):
    ds = real(name)
    expected, frame = ds.pixel_array, frame_of(ds).rstrip(b"\0")
    beside = b"".join(b"\xff" + bytes([marker]) + COMMENT for marker in (0xFE, 0xE1, 0xED, 0xE0, 0xEE, 0xE8))
    assert_clean(with_frame(ds, frame[:2] + beside + frame[2:] + CANARY), expected)


def test_a_table_that_no_scan_uses_is_not_taken_over():
    ds = real("SC_rgb_dcmtk_+eb+cy+np.dcm")
    expected, frame = ds.pixel_array, frame_of(ds)
    quantisation = b"\xff\xdb" + (67).to_bytes(2) + b"\x03" + CANARY.ljust(64, b"x")
    coding = b"\xff\xc4" + (19 + len(CANARY)).to_bytes(2) + b"\x13" + bytes([len(CANARY)]) + bytes(15) + CANARY
    assert_clean(with_frame(ds, frame[:2] + quantisation + coding + frame[2:]), expected)


def test_a_thumbnail_goes_and_what_says_how_colours_are_coded_stays():
    ds = real("SC_rgb_jpeg_dcmtk.dcm")
    expected, frame = ds.pixel_array, frame_of(ds)
    body = b"JFIF\0\x01\x02\0\0\x01\0\x01\x04\x01" + CANARY + b"x"
    out = assert_clean(
        with_frame(ds, frame[:2] + b"\xff\xe0" + (len(body) + 2).to_bytes(2) + body + frame[2:]), expected
    )
    assert frame_of(out).count(b"JFIF") == 1
    adobe = b"Adobe\0\x64" + b"Ca\x01\x02\x01" + CANARY
    stated = frame[:2] + b"\xff\xee" + (len(adobe) + 2).to_bytes(2) + adobe + frame[2:]
    assert b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\x01\xff" in clean_jpeg(stated).data


@pytest.mark.parametrize("cut", [1, 3, 30, 400, 1300])
def test_a_jpeg_that_ends_early_is_left_out(cut: int):
    ds = real("SC_rgb_dcmtk_+eb+cy+np.dcm")
    assert refused(with_frame(ds, frame_of(ds).rstrip(b"\0")[:-cut])) in ("corrupt", "truncated")


def test_markers_that_are_not_known_are_left_out():
    ds = real("SC_rgb_dcmtk_+eb+cy+np.dcm")
    frame = frame_of(ds)
    assert refused(with_frame(ds, frame[:2] + b"\xff\xde" + COMMENT + frame[2:])) == "no-dicom-output"


@pytest.mark.parametrize("name", ["693_J2KI.dcm", "MR_small_jp2klossless.dcm", "GDCMJ2K_TextGBR.dcm"])
def test_a_jpeg_2000_loses_comments_and_what_stands_behind_it(name: str):
    ds = real(name)
    expected, frame = ds.pixel_array, frame_of(ds).rstrip(b"\0")
    tile, data = frame.index(b"\xff\x90\0\x0a"), frame.index(b"\xff\x93")
    comment = b"\xff\x64" + (len(CANARY) + 4).to_bytes(2) + b"\0\x01" + CANARY
    length = int.from_bytes(frame[tile + 6 : tile + 10])
    longer = (length + len(comment)).to_bytes(4) if length else bytes(4)
    header = frame[:tile] + comment + frame[tile : tile + 6] + longer
    assert_clean(with_frame(ds, header + frame[tile + 10 : data] + comment + frame[data:] + CANARY), expected)


def test_a_codestream_leaves_the_file_around_it():
    ds = compressed(JPEG2000Lossless)
    expected, frame = ds.pixel_array, frame_of(ds)
    kinds = pack(">L4s4sL4s", 20, b"ftyp", b"jp2 ", 0, b"jp2 ")
    hidden = pack(">L4s", 8 + len(CANARY), b"uuid") + CANARY
    file = b"\0\0\0\x0cjP  \r\n\x87\n" + kinds + hidden + pack(">L4s", 8 + len(frame), b"jp2c") + frame + hidden
    out = assert_clean(with_frame(ds, file), expected)
    assert frame_of(out).startswith(b"\xff\x4f\xff\x51")
    coloured = pack(">L4sL4s", 16, b"jp2h", 8, b"pclr")
    assert refused(with_frame(ds, file[:32] + coloured + file[32:])) == "no-dicom-output"


def test_the_lengths_of_tiles_are_listed_anew():
    ds = compressed(JPEG2000Lossless)
    expected, frame = ds.pixel_array, frame_of(ds)
    tile = frame.index(b"\xff\x90\0\x0a")
    listed = pack(">HHBBHL", 0xFF55, 10, 0, 0x60, 0, 4711) + b"\xff\x64\0\x0f\0\x01" + CANARY
    out = frame_of(assert_clean(with_frame(ds, frame[:tile] + listed + frame[tile:]), expected))
    at = out.index(b"\xff\x55\0\x0a")
    assert unpack(">L", out[at + 8 : at + 12]) == unpack(">L", out[out.index(b"\xff\x90\0\x0a") + 6 :][:4])


def test_a_segment_loses_what_stands_behind_its_values():
    ds = compressed(JPEG2000Lossless)
    expected, frame = ds.pixel_array, frame_of(ds)
    at = frame.index(b"\xff\x5c")
    length = int.from_bytes(frame[at + 2 : at + 4])
    longer = (length + len(CANARY)).to_bytes(2)
    surplus = frame[: at + 2] + longer + frame[at + 4 : at + 2 + length] + CANARY + frame[at + 2 + length :]
    assert_clean(with_frame(ds, surplus), expected)


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_rle_32bit.dcm"])
def test_run_lengths_have_no_surplus(name: str):
    ds = real(name)
    expected, frame = ds.pixel_array, frame_of(ds)
    count, *offsets = unpack("<16L", frame[:64])
    ends = [*offsets[1:count], len(frame)]
    moved = [64 + len(CANARY) + offset - 64 + n * len(CANARY) for n, offset in enumerate(offsets[:count])]
    segments = (frame[begin:end] + CANARY for begin, end in zip(offsets, ends, strict=False))
    header = pack("<L", count) + pack(f"<{count}L", *moved) + (CANARY * 6)[: 60 - 4 * count]
    assert_clean(with_frame(ds, header + CANARY + b"".join(segments)), expected)
    assert refused(with_frame(ds, frame[:-40])) == "truncated"


def test_frames_in_several_fragments_have_one_each_and_their_offsets():
    ds = real("SC_rgb_rle_2frame.dcm")
    expected = ds.pixel_array
    frames = list(generate_frames(ds.PixelData, number_of_frames=2))
    parts = [part for frame in frames for part in (frame[:100], frame[100:])]
    table = pack("<2L", 0, 16 + len(frames[0]))
    items = b"".join(ITEM + pack("<L", len(part)) + part for part in (table, *parts))
    ds.PixelData = items
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    out = released(ds)
    assert np.array_equal(out.pixel_array, expected)
    fragments = list(generate_fragments(out.PixelData))
    assert unpack("<2L", fragments[0]) == (0, 8 + len(fragments[1]))
    assert len(fragments) == 3
    ds.PixelData = items.replace(table, pack("<2L", 0, 17))
    assert refused(ds) == "corrupt"


def test_a_wrong_offset_table_is_made_anew():
    ds = compressed(JPEG2000Lossless)
    expected, frame = ds.pixel_array, frame_of(ds)
    frame += b"\0" * (len(frame) % 2)
    ds.PixelData = b"".join(
        ITEM + pack("<L", len(part)) + part for part in (CANARY + b"x", frame[:64], frame[64:256], frame[256:])
    )
    ds.ExtendedOffsetTable = ds.ExtendedOffsetTableLengths = CANARY + b"abcde"
    out = assert_clean(ds, expected)
    assert out.PixelData.startswith(ITEM + b"\x04\0\0\0" + bytes(4))
    assert "ExtendedOffsetTable" not in out


def test_bytes_between_fragments_are_not_followed():
    ds = compressed(JPEG2000Lossless)
    data = file_bytes(ds)
    place = data.index(ITEM + b"\x04\0\0\0")
    with pytest.raises(ConversionError, match="followed"):
        deidentify_object(data[:place] + CANARY + data[place:], context())


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed_samples_with_something_beside_them_are_left_out(syntax: UID):
    if syntax == JPEGLSLossless:
        pytest.importorskip("jpeg_ls")
    clean = compressed(syntax, SMOOTH, stored=16)
    clean.BitsStored, clean.HighBit = 12, 11
    assert np.array_equal(released(clean).pixel_array, SMOOTH)
    overlay = SMOOTH.copy()
    overlay[10:20, 10:20] |= 0x8000
    dirty = compressed(syntax, overlay, stored=16)
    dirty.BitsStored, dirty.HighBit = 12, 11
    assert refused(dirty) == "unused-bits"


def test_a_header_at_odds_with_its_codestream_is_left_out():
    ds = compressed(JPEG2000Lossless)
    ds.Rows = 63
    assert refused(ds) == "corrupt"


def test_compressions_that_are_not_known_are_left_out():
    ds = compressed(JPEG2000Lossless)
    ds.file_meta.TransferSyntaxUID = MPEG2MPML
    assert refused(ds) == "no-dicom-output"
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    assert refused(ds) == "corrupt"


def test_native_pixels_keep_nothing_in_unused_bits():
    dirty = NOISE | (RNG.integers(0, 16, NOISE.shape) << 12).astype("<u2")
    assert released(image(dirty)).PixelData == NOISE.tobytes()


def test_a_sign_is_extended_over_unused_bits():
    samples = RNG.integers(-2048, 2048, (64, 48)).astype("<i2")
    dirty = (samples.view("<u2") & 0xFFF) | 0x5000
    out = released(image(dirty.astype("<u2"), PixelRepresentation=1))
    assert out.PixelData == samples.tobytes()


def test_samples_at_the_top_of_a_word_lose_what_is_below_them():
    out = released(image((NOISE << 4 | 5).astype("<u2"), HighBit=15))
    assert out.PixelData == (NOISE << 4).astype("<u2").tobytes()


def test_big_endian_words_are_cleaned_in_their_order():
    ds = image(NOISE)
    ds.PixelData = (NOISE | 0x3000).astype(">u2").tobytes()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    stream = BytesIO()
    ds.save_as(stream, implicit_vr=False, little_endian=False, enforce_file_format=True)
    out = dcmread(BytesIO(deidentify_object(stream.getvalue(), context())))
    assert out.PixelData == NOISE.astype(">u2").tobytes()


def test_a_padding_value_outside_the_samples_stays():
    pixels = NOISE.copy()
    pixels[:8] = 63536  # -2000 as an unsigned word
    ds = ct_object()
    ds.PixelRepresentation, ds.BitsStored, ds.HighBit, ds.Rows, ds.Columns = 0, 12, 11, 64, 48
    ds.PixelPaddingValue, ds.PixelData = 63536, pixels.tobytes()
    assert released(ds).PixelData == pixels.tobytes()
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    assert released(ds).PixelData == pixels.tobytes()
    del ds.PixelPaddingValue
    ds.PixelRepresentation = 1
    ds.add_new("PixelPaddingValue", "SS", -2000)
    assert (np.frombuffer(released(ds).PixelData, "<i2")[:384] == -2000).all()


FRAMES = {
    name: (real(name), frame_of(real(name)))
    for name in ("SC_rgb_dcmtk_+eb+cy+np.dcm", "MR_small_jpeg_ls_lossless.dcm", "693_J2KI.dcm", "MR_small_RLE.dcm")
}


@given(st.sampled_from(sorted(FRAMES)), st.integers(0, 700), st.integers(0, 8), st.binary(max_size=8))
@settings(max_examples=150, deadline=None)
def test_damaged_frames_are_written_or_left_out_with_a_reason(name: str, at: int, lost: int, found: bytes):
    ds, frame = FRAMES[name]
    damaged = with_frame(ds, frame[:at] + found + frame[at + lost :])
    try:
        released(damaged)
    except ConversionError as error:
        assert error.reason in ("corrupt", "truncated", "no-dicom-output", "undecodable", "unused-bits")


def test_bytes_behind_the_last_sample_are_not_taken_over():
    ds = image()
    ds.PixelData += CANARY + b"x"
    assert released(ds).PixelData == NOISE.tobytes()
    del ds.Rows
    assert refused(ds) == "corrupt"


def test_real_compressed_objects_keep_their_pixels(real_data: Path):
    seen: set[str] = set()
    for path in sorted((real_data / "dicom" / "dcm_qa_ts" / "In").glob("*.dcm")):
        ds = dcmread(path)
        syntax = ds.file_meta.TransferSyntaxUID
        if syntax.is_encapsulated and syntax not in seen and ds.SOPClassUID == MRImageStorage:
            seen.add(syntax)
            out = dcmread(BytesIO(deidentify_object(path.read_bytes(), context())))
            assert np.array_equal(out.pixel_array, ds.pixel_array)
    assert len(seen) >= 4
