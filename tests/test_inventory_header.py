"""Headers: recognised by content, read as pydicom reads them, refused with the right reason."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inventorymaker import UID, bare, encoded, image, row, rows
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from trialbids.exporter.inventory import elements, header
from trialbids.exporter.inventory.find import find_files
from trialbids.exporter.inventory.reading import Readings, read_file
from trialbids.exporter.inventory.tags import FIELDS, Field
from trialbids.exporter.inventory.unreadable import REASONS, RefusalError

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def as_field(field: Field, element: pydicom.DataElement) -> Any:
    """pydicom's value of an element in the form of the field, None where it is empty."""
    value = element.value
    values = list(value) if isinstance(value, list | pydicom.multival.MultiValue) else [value]
    if field.kind == "text":
        return "\\".join(str(v) for v in values if v is not None).strip() or None
    if field.kind == "words":
        return tuple(str(v).strip() for v in values) if any(str(v) for v in values if v is not None) else None
    values = [v for v in values if v not in (None, "")]
    convert = float if field.kind.startswith("number") else int
    if not values:
        return None
    return tuple(map(convert, values)) if field.kind in ("numbers", "integers") else convert(values[0])


def differences(path: Path) -> tuple[int, list[str]]:
    """How many values of a classic file were compared, and which are not pydicom's."""
    readings = Readings()
    (found,) = find_files([path], path / "none").files
    read_file(found, readings)
    if len(readings.rows) != 1 or readings.rows[0].frame or readings.rows[0].member:
        return 0, []
    instance = readings.rows[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        wrong = []
        for tag, field in FIELDS.items():
            try:
                expected = as_field(field, data[tag]) if tag in data else None
            except ValueError:  # pydicom cannot read the number either
                expected = None
            mine = getattr(instance, field.name)
            mine = mine.strip() if isinstance(mine, str) else mine
            if (mine if mine != () else None) != expected and (mine or expected):
                wrong.append(f"{path.name}: {field.name}: {mine!r}, pydicom says {expected!r}")
    return len(FIELDS), wrong


def test_values_are_pydicoms_on_real_files(real_data: Path) -> None:
    files = [path for path in sorted((real_data / "dicom").rglob("*")) if path.is_file()][::8]
    compared = [differences(path) for path in files]
    assert sum(n for n, _ in compared) > 10_000
    assert [line for _, lines in compared for line in lines] == []


def test_values_are_pydicoms_on_the_files_it_ships() -> None:
    shipped = Path(pydicom.__file__).parent / "data"
    compared = [differences(path) for path in sorted(shipped.rglob("*.dcm")) if path.stat().st_size < 10**6]
    assert sum(n for n, _ in compared) > 5_000
    assert [line for _, lines in compared for line in lines] == []


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_uncompressed_syntax_gives_the_same_row(syntax: str) -> None:
    data = image(
        EchoTime="2.5",
        PatientName="Müller^Eva",
        SpecificCharacterSet="ISO_IR 192",
        ImageType=["ORIGINAL", "PRIMARY", "M"],
        ImagePositionPatient=[1, -2.5, 3],
        AcquisitionMatrix=[0, 64, 48, 0],
    )
    found = row(data, syntax)
    assert (found.EchoTime, found.PatientName, found.ImageType) == (2.5, "Müller^Eva", ("ORIGINAL", "PRIMARY", "M"))
    assert (found.ImagePositionPatient, found.AcquisitionMatrix) == ((1, -2.5, 3), (0, 64, 48, 0))
    assert (found.Rows, found.pixel_length, found.transfer_syntax) == (4, 48, syntax)


@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_a_data_set_without_preamble_and_meta_is_found(implicit: bool, little: bool) -> None:
    (found,) = rows(bare(image(7), implicit=implicit, little=little))
    assert (found.SOPInstanceUID, found.Columns) == (f"{UID}.3.7", 6)


def test_meta_without_preamble_is_found() -> None:
    (found,) = rows(encoded(image(7))[132:])
    assert found.SOPInstanceUID == f"{UID}.3.7"


def test_a_transfer_syntax_that_lies_is_seen_through() -> None:
    content = encoded(image(3), ImplicitVRLittleEndian)
    lying = content.replace(b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.")
    meta_end = len(content) - len(bare(image(3)))
    explicit = encoded(image(3))
    mixed = content[:meta_end] + explicit[-len(bare(image(3), implicit=False)) :]
    assert rows(mixed)[0].InstanceNumber == 3
    assert rows(lying)[0].InstanceNumber == 3


def test_sequences_of_undefined_length_are_skipped() -> None:
    inner = pydicom.Dataset()
    inner.CodeMeaning = "inner"
    outer = pydicom.Dataset()
    outer.ReferencedImageSequence = [inner]
    outer["ReferencedImageSequence"].is_undefined_length = True
    inner.is_undefined_length_sequence_item = True
    data = image(ReferencedStudySequence=[outer], SeriesDescription="after it")
    data["ReferencedStudySequence"].is_undefined_length = True
    outer.is_undefined_length_sequence_item = True
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        assert row(data, syntax).SeriesDescription == "after it"


def test_a_large_element_before_the_image_is_jumped_over() -> None:
    data = image(SeriesDescription="here", Rows=4)
    data.add_new(0x00091001, "OB", bytes(300_000))
    data.add_new(0x00090010, "LO", "A PRIVATE CREATOR")
    assert (row(data).SeriesDescription, row(data).Columns) == ("here", 6)


def test_an_unknown_vr_is_left_to_pydicom() -> None:
    content = encoded(image(StationName="STATION"))
    assert rows(content.replace(b"SH\x08\x00STATION ", b"ZZ\x08\x00STATION "))[0].Columns == 6


def test_an_implicit_element_in_an_explicit_file_is_left_to_pydicom() -> None:
    content = encoded(image(StationName="STATION"))
    assert rows(content.replace(b"SH\x08\x00STATION ", b"\x08\x00\x00\x00STATION "))[0].StationName == "STATION"


def test_compressed_pixel_data_have_no_length() -> None:
    data = image(PixelData=encapsulate([bytes(100)]))
    data["PixelData"].is_undefined_length = True
    assert row(data, RLELossless).pixel_length == -1


def test_an_object_without_pixels_is_one_row() -> None:
    data = image(PixelData=None, Rows=None, Columns=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3")
    assert row(data).pixel_length is None


def refusal(content: bytes) -> str:
    with pytest.raises(RefusalError) as caught:
        rows(content)
    assert caught.value.reason in REASONS
    assert caught.value.message.endswith(".")
    return caught.value.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"# README\n" * 50, "not-dicom"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "not-dicom"),
        (b"\x5c\x01\x00\x00" + bytes(348), "not-dicom"),
        (b"\x08\x00\x05\x00" + b"\xff" * 300, "not-dicom"),
        (bytes(128) + b"DICM", "no-image-uids"),
        (encoded(image())[:128] + b"DIXM" + encoded(image())[132:], "wrong-magic"),
        (encoded(image(SOPInstanceUID=None)), "no-image-uids"),
        (encoded(image(SeriesInstanceUID=None)), "no-image-uids"),
        (encoded(image(StudyInstanceUID="")), "no-image-uids"),
        (encoded(image())[:-1], "truncated"),
        (encoded(image())[:400], "truncated"),
        (encoded(image(PixelData=None)), "truncated"),
        (encoded(image(PixelData=bytes(40))), "truncated"),
        (encoded(image(), DeflatedExplicitVRLittleEndian)[:-30], "truncated"),
        (encoded(image(), DeflatedExplicitVRLittleEndian).partition(b".1.99")[0] + b".1.99" + b"\xff" * 99, "corrupt"),
        (encoded(image(SOPClassUID="1.2.840.10008.1.3.10")), "dicomdir"),
    ],
)
def test_reasons(content: bytes, reason: str) -> None:
    assert refusal(content) == reason


def test_cut_compressed_pixel_data_are_truncated() -> None:
    data = image(PixelData=encapsulate([bytes(100), bytes(100)]))
    data["PixelData"].is_undefined_length = True
    assert refusal(encoded(data, RLELossless)[:-40]) == "truncated"


def test_a_deflated_bomb_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "INFLATED_FLOOR", 1000)
    monkeypatch.setattr(header, "MAX_INFLATED_RATIO", 2)
    data = image(Rows=400, Columns=400, PixelData=bytes(320_000))
    assert refusal(encoded(data, DeflatedExplicitVRLittleEndian)) == "bomb"


def test_deep_nesting_ends_in_a_reason() -> None:
    opened = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    content = encoded(image())
    start = content.index(struct.pack("<HH", 0x0010, 0x0020))
    assert refusal(content[:start] + opened * 5000 + content[start:]) in ("corrupt", "truncated")


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damage_gives_a_row_or_a_reason(data: st.DataObject) -> None:
    content = bytearray(
        encoded(image(SpecificCharacterSet="ISO_IR 192", EchoTime=3, ReferencedImageSequence=[image(2)]))
    )
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(128, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(130, len(content)))]
    try:
        assert all(found.SOPInstanceUID for found in rows(bytes(content)))
    except RefusalError as refused:
        assert refused.reason in REASONS


def test_no_cut_file_is_taken() -> None:
    whole = encoded(image())
    for length in range(len(whole)):
        with pytest.raises(RefusalError):
            rows(whole[:length])


def test_the_window_does_not_change_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = image(ImageComments="x" * 5000, SeriesDescription="d", ReferencedImageSequence=[image(2), image(3)])
    whole = row(data)
    monkeypatch.setattr(elements, "HEAD_BYTES", 64)
    assert row(data) == whole
