"""De-identified DICOM: what a receiver finds in it, and what odd objects become."""

from __future__ import annotations

import struct
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from dicommaker import PIXELS, START, context, ct_object, file_bytes, mr_object, pet_object, released
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from trialbids.exporter.deidentify.dicom import Diffusion, deidentify_object, write_objects
from trialbids.exporter.deidentify.options import Options
from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.errors import ConversionError
from trialbids.exporter.inventory.instance import Instance
from trialbids.mappings.fields import Field, allow_list

SECRET = b"Canaryseven"


def item(**elements: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def test_the_subject_is_a_label_and_what_was_done_is_said():
    out = released(mr_object())
    assert (out.PatientName, out.PatientID, out.PatientIdentityRemoved) == ("SUB7", "SUB7", "YES")
    codes = [code.CodeValue for code in out.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107", "113108"]
    assert out.LongitudinalTemporalInformationModified == "MODIFIED"
    assert (out.ClinicalTrialSiteID, out.ClinicalTrialTimePointID) == ("S1", "01")


def test_only_claimed_options_are_coded():
    out = released(mr_object(), options=Options(keep_dates=True, keep_times=True, device=True))
    codes = [code.CodeValue for code in out.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113106", "113108", "113109"]
    assert out.LongitudinalTemporalInformationModified == "UNMODIFIED"


def test_dates_move_and_times_count_from_the_first_acquisition():
    out = released(mr_object())
    assert out.AcquisitionDate == out.StudyDate == "18180314"
    assert out.AcquisitionTime == "000130.500000"
    assert out.ContentTime == "001000.000000"
    assert out.StudyTime == ""  # before the first acquisition


def test_a_session_over_midnight_keeps_its_order():
    late = mr_object(AcquisitionDate="20190315", AcquisitionTime="001000")
    out = released(late, start=START + 13.5 * 3600)
    assert (out.AcquisitionDate, out.AcquisitionTime) == ("18180314", "004000.000000")


def test_times_of_day_are_kept_only_if_asked():
    assert released(mr_object(), options=Options(keep_times=True)).AcquisitionTime == "100130.500000"
    assert "AcquisitionTime" not in released(mr_object(), start=None)


@pytest.mark.parametrize("text", ["20190231", "noon", "99999999", "2019", "2019031", "00000000"])
def test_a_date_that_is_none_becomes_empty(text: str):
    ds = mr_object()
    ds.add_new(0x00080020, "SH", text)
    ds.add_new(0x00080022, "SH", text)
    data = file_bytes(ds)
    out = dcmread(BytesIO(deidentify_object(data, context())))
    assert out.StudyDate == ""
    assert "AcquisitionDate" not in out


@given(st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 1, 1)))
@settings(max_examples=25, deadline=None)
def test_the_interval_between_two_dates_is_the_same_before_and_after(day: Any):
    out = released(mr_object(StudyDate=f"{day:%Y%m%d}"), start=None)
    moved = datetime.strptime(out.StudyDate.rjust(8, "0"), "%Y%m%d").date()
    assert (day - moved).days == 73_414
    assert moved.year <= 1925


def test_an_injection_before_the_session_keeps_its_interval():
    out = released(pet_object())
    injection = out.RadiopharmaceuticalInformationSequence[0]
    assert injection.RadiopharmaceuticalStartDateTime == "18180313230000.000000"
    assert injection.RadiopharmaceuticalStartTime == "230000.000000"
    assert injection.RadionuclideTotalDose == 370000000
    assert out.SeriesTime == "000000.000000"


def test_a_code_has_the_meaning_of_the_standard():
    ds = pet_object()
    isotope = ds.RadiopharmaceuticalInformationSequence[0]
    isotope.RadiopharmaceuticalCodeSequence = [
        item(CodeValue="C7", CodingSchemeDesignator="99SITE", CodeMeaning="Canaryseven")
    ]
    out = released(ds).RadiopharmaceuticalInformationSequence[0]
    assert out.RadionuclideCodeSequence[0].CodeMeaning == "^18^Fluorine"
    assert "RadiopharmaceuticalCodeSequence" not in out


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 4), min_size=2, max_size=5))
@settings(max_examples=20, deadline=None)
def test_the_graph_of_uids_is_the_same_before_and_after(objects: list[tuple[int, int, int, int]]):
    before, after = [], []
    for study, series, instance, frame in objects:
        names = [f"1.2.3.{kind}.{n}" for kind, n in zip((1, 2, 3, 1), (study, series, instance, frame), strict=True)]
        ds = mr_object(StudyInstanceUID=names[0], SeriesInstanceUID=names[1], FrameOfReferenceUID=names[3])
        ds.SOPInstanceUID = names[2]
        out = released(ds)
        assert out.file_meta.MediaStorageSOPInstanceUID == out.SOPInstanceUID
        before += names
        after += [out.StudyInstanceUID, out.SeriesInstanceUID, out.SOPInstanceUID, out.FrameOfReferenceUID]
    assert len(set(after)) == len(set(before)) == len(set(zip(before, after, strict=True)))
    assert all(uid.startswith("2.25.") for uid in after)


def test_two_keys_share_no_uid_and_uids_of_the_standard_stay():
    ds = mr_object(FrameOfReferenceUID="1.2.840.10008.1.4.1.1")  # Talairach
    one, other = (released(ds, pseudonyms=Pseudonyms(bytes([n] * 32))) for n in (1, 2))
    assert one.FrameOfReferenceUID == other.FrameOfReferenceUID == ds.FrameOfReferenceUID
    assert one.SOPClassUID == ds.SOPClassUID
    assert {one.SOPInstanceUID, one.StudyInstanceUID}.isdisjoint({other.SOPInstanceUID, other.StudyInstanceUID})


def test_strings_leave_only_where_the_list_knows_them():
    ds = mr_object(ManufacturerModelName="Skyra", SoftwareVersions="Canaryseven", ReceiveCoilName="HE1-4;SP2")
    ds.ScanOptions, ds.ImageType = ["FS", "Canaryseven"], ["ORIGINAL", "PRIMARY", "CANARYSEVEN", "ND"]
    out = released(ds)
    assert (out.ManufacturerModelName, out.ScanOptions) == ("Skyra", "FS")
    assert out.ImageType == ["ORIGINAL", "PRIMARY", "OTHER", "ND"]
    assert "SoftwareVersions" not in out


def test_descriptions_are_the_record():
    out = released(
        mr_object(SeriesDescription="Roe t2", ProtocolName="Roe"), description="T2w axial", agent="gadolinium"
    )
    assert (out.SeriesDescription, out.BodyPartExamined, out.ContrastBolusAgent) == (
        "T2w axial",
        "PROSTATE",
        "GADOLINIUM",
    )
    assert "ProtocolName" not in out


def test_a_number_that_could_be_a_birth_date_does_not_leave():
    out = released(mr_object(SeriesNumber=19700101, AcquisitionNumber=19700101, EchoTime="83.2"))
    assert out.EchoTime == 83.2
    assert out["SeriesNumber"].is_empty
    assert "AcquisitionNumber" not in out


def test_a_lookup_table_passes_only_with_an_image_that_needs_it():
    ds = mr_object()
    ds.add_new(0x00281201, "OW", SECRET + b"!")
    assert SECRET not in deidentify_object(file_bytes(ds), context())


def test_an_implausible_weight_does_not_leave():
    assert "PatientWeight" not in released(mr_object(PatientWeight="320"), options=Options(weight=True))


def test_weight_leaves_only_if_asked_in_whole_kilograms():
    ds = mr_object(PatientWeight="71.62")
    assert "PatientWeight" not in released(ds)
    assert released(ds, options=Options(weight=True)).PatientWeight == 72


def test_the_device_is_named_only_if_asked():
    ds = mr_object(DeviceSerialNumber="SN-1234", StationName="MR1")
    assert "DeviceSerialNumber" not in released(ds)
    allowed = allow_list().changed(add=allow_list().device)
    out = released(ds, options=Options(device=True, allowed=allowed))
    assert (out.DeviceSerialNumber, out.StationName) == ("SN-1234", "MR1")


def test_what_the_trial_drops_or_suppresses_is_absent():
    allowed = allow_list().changed(drop=["ManufacturerModelName"])
    ds = mr_object(ManufacturerModelName="Skyra", PatientAge="050Y")
    out = released(ds, options=Options(allowed=allowed, suppress=frozenset(("sex", "age", "site"))))
    assert "ManufacturerModelName" not in out
    assert "PatientAge" not in out
    assert out.PatientSex == ""
    assert out["ClinicalTrialSiteID"].is_empty


def test_a_number_that_the_trial_drops_is_absent_whatever_the_object_calls_it():
    options = Options(allowed=allow_list().changed(drop=["EchoTime", "NumberOfAverages"]))
    out = released(mr_object(NumberOfAverages=2, EffectiveEchoTime=100.0, PixelBandwidth=200), options=options)
    assert out["EchoTime"].is_empty
    assert not {"NumberOfAverages", "EffectiveEchoTime"} & set(out.dir())
    assert out.PixelBandwidth == 200


@pytest.mark.parametrize(
    ("age", "band", "leaves"), [("067Y", None, "067Y"), ("094Y", 5, "085Y"), ("090W", None, "001Y")]
)
def test_an_age_leaves_in_years_capped_and_in_the_band_of_the_trial(age: str, band: int | None, leaves: str):
    assert released(mr_object(PatientAge=age), options=Options(age_band=band)).PatientAge == leaves


@pytest.mark.parametrize("bodypart", ["brain", ""])
def test_objects_that_may_show_a_face_are_written_only_where_the_trial_allows_faces(bodypart: str):
    data = file_bytes(mr_object())
    for options in (Options(), Options(deface=("tool", "{input}", "{output}"))):
        with pytest.raises(ValueError, match="face"):
            deidentify_object(data, context(bodypart=bodypart, options=options))
    assert deidentify_object(data, context(bodypart=bodypart, options=Options(keep_faces=True)))


def test_diffusion_becomes_standard():
    out = released(mr_object(), Diffusion(800.0, (0.0, 0.6, 0.8)))
    assert out.DiffusionBValue == 800.0
    assert list(out.DiffusionGradientOrientation) == [0.0, 0.6, 0.8]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_pixels_pass_unchanged_in_every_encoding(syntax: Any):
    ds = mr_object(PixelSpacing=[0.5, 0.5])
    ds.file_meta.TransferSyntaxUID = syntax
    out = released(ds)
    assert out.PixelData == PIXELS
    assert (out.Rows, list(out.PixelSpacing), out.PixelRepresentation) == (4, [0.5, 0.5], 0)


def test_nothing_beside_the_image_passes():
    ds = mr_object(ImageComments="Canaryseven", OriginalAttributesSequence=[item(ModifyingSystem="Canaryseven")])
    ds.private_block(0x0029, "Canaryseven", create=True).add_new(1, "OB", SECRET)
    ds.add_new(0x60003000, "OW", SECRET + b"!")
    ds.add_new(0x50003000, "OW", SECRET + b"!")
    ds.IconImageSequence = [item(ImageComments="Canaryseven")]
    ds.DataSetTrailingPadding = SECRET
    ds.file_meta.SourceApplicationEntityTitle = "Canaryseven"
    ds.file_meta.PrivateInformationCreatorUID, ds.file_meta.PrivateInformation = UID("1.2.3"), SECRET
    data = bytearray(file_bytes(ds))
    data[:11] = SECRET
    out = deidentify_object(bytes(data) + SECRET, context())
    assert SECRET not in out
    assert out[:128] == bytes(128)
    read = dcmread(BytesIO(out))
    assert not [e for e in read if e.tag.is_private]
    assert read.file_meta.ImplementationVersionName == "TRIALBIDS"


def test_pixels_end_where_the_image_ends():
    ds = mr_object()
    ds.PixelData = PIXELS + SECRET + b"!"
    assert SECRET not in deidentify_object(file_bytes(ds), context())


def test_sequences_nested_forty_deep_do_not_pass():
    inner = item(PatientName="Canaryseven")
    for _ in range(40):
        inner = item(DimensionOrganizationSequence=[inner])
    out = deidentify_object(file_bytes(mr_object(DimensionOrganizationSequence=[inner])), context())
    assert SECRET not in out


def test_a_character_set_that_lies_changes_nothing():
    ds = mr_object()
    ds.SpecificCharacterSet = "ISO 2022 IR 87"
    ds.add_new(0x00081090, "LO", b"Skyra")
    out = released(ds)
    assert "SpecificCharacterSet" not in out
    assert out.ManufacturerModelName == "Skyra"
    assert (
        released(mr_object(ManufacturerModelName="Skÿra", SpecificCharacterSet="ISO_IR 100")).get(
            "ManufacturerModelName"
        )
        is None
    )


def test_a_private_creator_twice_does_not_pass():
    data = file_bytes(mr_object())
    twice = struct.pack("<HH2sH", 0x0029, 0x0010, b"LO", 12) + SECRET + b" "
    at = data.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))
    out = deidentify_object(data[:at] + twice + twice + data[at:], context())
    assert SECRET not in out
    assert dcmread(BytesIO(out)).PixelData == PIXELS


def test_a_huge_private_element_is_not_read(tmp_path: Path):
    """Two gigabytes of nothing, sparse on the disk: reading them would show in time and memory."""
    data = file_bytes(mr_object())
    at = data.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))
    path, size = tmp_path / "huge.dcm", 2 * 1024**3
    with path.open("wb") as file:
        file.write(data[:at] + struct.pack("<HH2sHL", 0x0029, 0x1010, b"OB", 0, size))
        file.seek(size, 1)
        file.write(data[at:])
    written = write_objects([Instance(path=str(path))], tmp_path / "out", context())
    assert written.paths[0].stat().st_size < 10_000
    assert dcmread(written.paths[0]).PixelData == PIXELS


@pytest.mark.parametrize("cut", [140, 400, 700, -10, -40])
def test_a_truncated_object_is_refused(cut: int):
    with pytest.raises(ConversionError) as caught:
        deidentify_object(file_bytes(mr_object())[:cut], context())
    assert caught.value.reason in ("truncated", "corrupt", "no-pixels", "no-dicom-output")
    assert "Roe" not in str(caught.value)


@given(st.integers(132, 1200), st.binary(min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_damaged_bytes_are_refused_or_leak_nothing(at: int, noise: bytes):
    data = file_bytes(mr_object(ImageComments="Canaryseven", PatientID="Canaryseven", AccessionNumber="Canaryseven"))
    try:
        out = deidentify_object(data[:at] + noise + data[at + len(noise) :], context())
    except ConversionError as error:
        assert SECRET.decode() not in str(error)
    else:
        assert SECRET not in out


def test_objects_of_other_kinds_are_not_written():
    ds = mr_object()
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    with pytest.raises(ConversionError, match="Only MR, CT and PET"):
        deidentify_object(file_bytes(ds), context())


def test_a_stack_is_numbered_by_its_order_and_what_cannot_be_written_is_listed(tmp_path: Path):
    paths = [tmp_path / name for name in ("b", "a", "broken")]
    for n, path in enumerate(paths):
        path.write_bytes(file_bytes(mr_object(SOPInstanceUID=f"1.2.{n}", InstanceNumber=n + 1)))
    paths[2].write_bytes(b"no DICOM at all")
    rows = [Instance(path=str(path), b_value=50.0 if n == 0 else None) for n, path in enumerate(paths)]
    written = write_objects(rows, tmp_path / "out", context())
    assert [path.name for path in written.paths] == ["000001.dcm", "000002.dcm"]
    first, second = map(dcmread, written.paths)
    assert (first.InstanceNumber, first.DiffusionBValue) == (1, 50.0)
    assert "DiffusionBValue" not in second
    assert [left.place[0] for left in written.left_out] == [str(paths[2])]


def test_an_object_with_frames_of_another_stack_is_left_out(tmp_path: Path):
    path = tmp_path / "enhanced.dcm"
    path.write_bytes(file_bytes(mr_object()))
    rows = [Instance(path=str(path), frame=n, NumberOfFrames=3) for n in (1, 2)]
    written = write_objects(rows, tmp_path / "out", context())
    assert written.paths == ()
    assert written.left_out[0].reason == "frames-of-other-stacks"


def test_the_same_object_gives_the_same_bytes():
    data = file_bytes(ct_object())
    assert deidentify_object(data, context()) == deidentify_object(data, context())


def test_a_field_that_the_trial_adds_does_not_widen_what_the_iod_lets_pass():
    added = Field("ImageComments", "added by the trial", "words", words=frozenset(("phase 1",)))
    options = Options(allowed=allow_list().changed(add=[added]))
    assert "ImageComments" not in released(mr_object(ImageComments="phase 1"), options=options)
