"""The review of values holds for de-identified DICOM too: what is marked no stays back, what is accepted leaves."""

from __future__ import annotations

import pytest
from dicommaker import mr_object, released
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import EnhancedMRImageStorage

from trialbids.exporter.deidentify.marks import Marks
from trialbids.exporter.deidentify.options import Options
from trialbids.mappings.fields import Field, allow_list


def rejecting(*pairs: tuple[str, str]) -> Options:
    return Options(marks=Marks(rejected=frozenset(pairs)))


def accepting(*pairs: tuple[str, str]) -> Options:
    return Options(marks=Marks(accepted=frozenset(pairs)))


def stored(ds: Dataset, keyword: str) -> str:
    """The value as it is stored, "" where there is none."""
    value = ds.get(keyword) or ""
    return "\\".join(value) if isinstance(value, MultiValue) else str(value)


def enhanced(frame_type: list[str], sequence: str) -> Dataset:
    """An enhanced MR image with the frame type and the name of its sequence."""
    ds = mr_object(ImageType=frame_type, PulseSequenceName=sequence, NumberOfFrames=1)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    named, groups = Dataset(), Dataset()
    named.FrameType = frame_type
    groups.MRImageFrameTypeSequence = [named]
    ds.SharedFunctionalGroupsSequence = [groups]
    return ds


@pytest.mark.parametrize(
    ("keyword", "value", "instead"),
    [
        ("ManufacturerModelName", "Skyra", ""),
        ("Manufacturer", "SIEMENS", ""),
        ("SequenceName", "*tse2d1_25", ""),
        ("ReceiveCoilName", "HE1-4;SP2", ""),
        ("SoftwareVersions", "24\\LX\\MR Software release:DV24.0_R01_1344.a", ""),
        ("MRAcquisitionType", "2D", ""),
        ("PatientSex", "F", ""),
        ("PatientPosition", "HFS", ""),
        ("ScanningSequence", "SE", "RM"),
        ("ScanningSequence", "RM", ""),  # nor as the word that stands for a required value
    ],
)
def test_a_value_marked_no_does_not_leave(keyword: str, value: str, instead: str) -> None:
    ds = mr_object(**{keyword: value.split("\\") if "\\" in value else value})
    assert stored(released(ds), keyword) == value
    assert stored(released(ds, options=rejecting((keyword, value))), keyword) == instead
    assert stored(released(ds, options=rejecting(("BodyPartExamined", value))), keyword) == value


def test_a_word_marked_no_stays_back_and_the_others_leave() -> None:
    ds = mr_object(ScanOptions=["FS", "SAT1"])
    assert stored(released(ds, options=rejecting(("ScanOptions", "SAT1"))), "ScanOptions") == "FS"
    assert stored(released(ds, options=rejecting(("ScanOptions", "FS_SAT1"))), "ScanOptions") == "", "both together"


@pytest.mark.parametrize(
    ("word", "leaves"),
    [
        ("ND", "ORIGINAL\\PRIMARY\\M\\NONE"),
        ("M", "ORIGINAL\\PRIMARY\\OTHER\\ND"),
        ("PRIMARY", "ORIGINAL\\\\M\\ND"),
        ("ORIGINAL_PRIMARY_M_ND", "DERIVED\\PRIMARY\\OTHER\\NONE"),
    ],
)
def test_an_image_type_keeps_its_places(word: str, leaves: str) -> None:
    ds = mr_object(ImageType=["ORIGINAL", "PRIMARY", "M", "ND"])
    assert stored(released(ds, options=rejecting(("ImageType", word))), "ImageType") == leaves


def test_a_mark_holds_for_what_an_enhanced_object_calls_otherwise() -> None:
    ds = enhanced(["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"], "*ep_b50")
    plain = released(ds)
    out = released(ds, options=rejecting(("ImageType", "DIFFUSION"), ("SequenceName", "*ep_b50")))
    frame_types = [
        stored(made.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence[0], "FrameType") for made in (plain, out)
    ]
    assert frame_types == ["ORIGINAL\\PRIMARY\\DIFFUSION\\NONE", "ORIGINAL\\PRIMARY\\OTHER\\NONE"]
    assert [stored(made, "PulseSequenceName") for made in (plain, out)] == ["*ep_b50", ""]


def test_a_value_that_a_person_accepted_leaves() -> None:
    ds = mr_object(SoftwareVersions="syngo next", ScanOptions=["FS", "NEW1"], ImageType=["ORIGINAL", "PRIMARY", "NEW"])
    assert not stored(released(ds), "SoftwareVersions")
    pairs = ("SoftwareVersions", "syngo next"), ("ScanOptions", "NEW1"), ("ImageType", "NEW")
    out = released(ds, options=accepting(*pairs))
    assert stored(out, "SoftwareVersions") == "syngo next"
    assert stored(out, "ScanOptions") == "FS\\NEW1"
    assert stored(out, "ImageType") == "ORIGINAL\\PRIMARY\\NEW"


def test_a_mark_on_a_field_that_the_trial_adds_holds() -> None:
    added = Field("FilterType", "added by the trial", "words", words=frozenset(("BODY",)))
    allowed = allow_list().changed(add=[added])
    ds = mr_object(FilterType="BODY")
    marks = Marks(rejected=frozenset((("FilterType", "BODY"),)))
    assert stored(released(ds, options=Options(allowed=allowed)), "FilterType") == "BODY"
    assert "FilterType" not in released(ds, options=Options(allowed=allowed, marks=marks))
