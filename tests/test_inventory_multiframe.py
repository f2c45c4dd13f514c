"""Enhanced objects: one row a frame, in the words of the classic ones."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from inventorymaker import encoded, enhanced, groups, image, item, row, rows
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from trialbids.exporter.inventory.find import find_files
from trialbids.exporter.inventory.reading import Readings, read_file
from trialbids.exporter.inventory.unreadable import RefusalError


def frame(number: int) -> Dataset:
    """The groups of one frame of a diffusion scan."""
    direction = Sequence([item(DiffusionGradientOrientation=[0.0, 0.0, 1.0])])
    return groups(
        PlanePositionSequence=item(ImagePositionPatient=[0, 0, 3 * number]),
        FrameContentSequence=item(
            TemporalPositionIndex=number, FrameAcquisitionDateTime=f"2020010203040{number}.5+0100"
        ),
        MRImageFrameTypeSequence=item(FrameType=["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"]),
        MRDiffusionSequence=item(
            DiffusionBValue=100.0 * number,
            DiffusionDirectionality="DIRECTIONAL",
            DiffusionGradientDirectionSequence=direction,
        ),
    )


def shared() -> Dataset:
    return groups(
        PixelMeasuresSequence=item(PixelSpacing=[1.5, 1.5], SliceThickness=4),
        PlaneOrientationSequence=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        MREchoSequence=item(EffectiveEchoTime=80.0),
        MRTimingAndRelatedParametersSequence=item(RepetitionTime=3000, FlipAngle=90),
        FrameAnatomySequence=item(FrameLaterality="L", AnatomicRegionSequence=Sequence([item(CodeMeaning="Pelvis")])),
    )


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_one_row_a_frame(syntax: str) -> None:
    data = enhanced(shared(), [frame(1), frame(2)], ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "MIXED"])
    data.PulseSequenceName = "epse"
    first, second = rows(encoded(data, syntax))
    assert (first.frame, second.frame, second.NumberOfFrames) == (1, 2, 2)
    assert second.ImagePositionPatient == (0, 0, 6)
    assert second.ImageType == ("ORIGINAL", "PRIMARY", "DIFFUSION", "NONE")
    assert (second.PixelSpacing, second.SliceThickness, second.ImageOrientationPatient) == (
        (1.5, 1.5),
        4,
        (1, 0, 0, 0, 1, 0),
    )
    assert (second.EchoTime, second.RepetitionTime, second.FlipAngle, second.SequenceName) == (80, 3000, 90, "epse")
    assert (second.b_value, second.b_value_source, second.b_direction) == (200, "DiffusionBValue", (0, 0, 1))
    assert (second.DiffusionDirectionality, second.TemporalPositionIdentifier) == ("DIRECTIONAL", 2)
    assert (second.AcquisitionDate, second.AcquisitionTime) == ("20200102", "030402.5")
    assert (second.BodyPartExamined, second.ImageLaterality) == ("Pelvis", "L")
    assert second.pixel_length == 96


def test_frame_outranks_shared_outranks_top_level() -> None:
    def timed(value: float) -> Dataset:
        return groups(MREchoSequence=item(EffectiveEchoTime=value))

    data = enhanced(
        timed(20), [timed(30), groups(PlanePositionSequence=item(ImagePositionPatient=[0, 0, 0]))], EchoTime=10
    )
    assert [found.EchoTime for found in rows(encoded(data))] == [30, 20]


def test_legacy_converted_attributes_are_read() -> None:
    extra = groups(UnassignedPerFrameConvertedAttributesSequence=item(EchoTime=5, TriggerTime=120, EchoNumbers=2))
    data = enhanced(Dataset(), [extra, extra])
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4.4"
    first, _ = rows(encoded(data))
    assert (first.EchoTime, first.TriggerTime, first.EchoNumbers) == (5, 120, 2)


def test_a_private_copy_of_a_classic_header_within_a_frame_is_not_taken() -> None:
    confusing = frame(1)
    confusing.add_new(0x20050010, "LO", "Philips MR Imaging DD 005")
    confusing.add_new(0x2005100F, "SQ", Sequence([item(EchoTime=999, ImageType=["WRONG"])]))
    first, _ = rows(encoded(enhanced(shared(), [confusing, frame(2)])))
    assert (first.EchoTime, first.ImageType[0]) == (80, "ORIGINAL")


def test_a_single_frame_has_number_0() -> None:
    (only,) = rows(encoded(enhanced(shared(), [frame(1)])))
    assert (only.frame, only.EchoTime) == (0, 80)


def test_a_segmentation_is_one_row() -> None:
    data = enhanced(shared(), [frame(1), frame(2)], Modality="SEG")
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    (only,) = rows(encoded(data))
    assert (only.frame, only.NumberOfFrames) == (0, 2)


def test_classic_multi_frame_is_one_row() -> None:
    data = image(NumberOfFrames=3, PixelData=bytes(144), SOPClassUID="1.2.840.10008.5.1.4.1.1.7.3")
    assert (row(data).frame, row(data).NumberOfFrames) == (0, 3)


def test_fewer_descriptions_than_frames_are_corrupt() -> None:
    data = enhanced(shared(), [frame(1), frame(2)])
    data.NumberOfFrames = 3
    data.PixelData = bytes(144)
    with pytest.raises(RefusalError) as caught:
        rows(encoded(data))
    assert caught.value.reason == "corrupt"


def test_real_enhanced_files(real_data: Path) -> None:
    compared = 0
    for found in find_files([real_data / "dicom" / "dcm_qa_enh"], real_data / "none").files:
        readings = Readings()
        read_file(found, readings)
        if not readings.rows:
            continue
        per_frame = pydicom.dcmread(found.path).PerFrameFunctionalGroupsSequence
        assert len(readings.rows) == len(per_frame)
        for instance, group in zip(readings.rows, per_frame, strict=True):
            position = group.PlanePositionSequence[0].ImagePositionPatient
            assert instance.ImagePositionPatient == tuple(map(float, position))
            assert instance.ImageType == tuple(group.MRImageFrameTypeSequence[0].FrameType)
            assert instance.EchoTime == group.MREchoSequence[0].EffectiveEchoTime
            compared += 1
    assert compared > 80
