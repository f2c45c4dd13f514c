"""The slices of a scan packed into multi-frame objects, as newer scanners store them: one object a series."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian

from .scans import Drawn, Slice, copied_meta

# What stands in the functional groups alone.
MOVED = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SpacingBetweenSlices",
    "SliceLocation", "RepetitionTime", "EchoTime", "FlipAngle", "EchoTrainLength", "EchoNumbers", "ImagesInAcquisition",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "TriggerTime", "DiffusionBValue", "DiffusionDirectionality",
    "TemporalPositionIdentifier", "NumberOfTemporalPositions", "AcquisitionDate", "AcquisitionTime", "ScanningSequence",
    "SequenceVariant", "ScanOptions", "AcquisitionMatrix", "InPlanePhaseEncodingDirection", "ImagingFrequency",
    "PercentSampling", "NumberOfAverages", "ImagedNucleus", "SequenceName", "PixelBandwidth",
)  # fmt: skip


def packed(series: Sequence[Slice]) -> list[Slice]:
    """One Enhanced MR Image Storage object for each series, its frames in the order of the slices given."""
    groups: dict[str, list[Slice]] = {}
    for ds in series:
        groups.setdefault(str(ds.SeriesInstanceUID), []).append(ds)
    return [_object(slices) for slices in groups.values()]


def _object(slices: Sequence[Slice]) -> Slice:
    first = slices[0]
    ds = Slice({e.tag: copy.copy(e) for e in first if e.keyword not in MOVED and not e.tag.is_private})
    ds.drawn = Drawn(first.drawn.kind, first.drawn.part, 0)
    ds.SOPClassUID, ds.NumberOfFrames, ds.InstanceNumber = EnhancedMRImageStorage, len(slices), 1
    ds.SoftwareVersions = f"{first.get('SoftwareVersions', '')} XA" if first.Manufacturer == "SIEMENS" else "R5.7"
    ds.InstitutionName, ds.DeviceSerialNumber = f"{first.InstitutionName} north", f"{first.DeviceSerialNumber}9"
    ds.AcquisitionDateTime = _moment(first)
    ds.ContentQualification, ds.ResonantNucleus, ds.KSpaceFiltering = "PRODUCT", "1H", "NONE"
    ds.PixelPresentation, ds.VolumetricProperties = "MONOCHROME", "VOLUME"
    ds.VolumeBasedCalculationTechnique, ds.ComplexImageComponent = "NONE", "MAGNITUDE"
    ds.AcquisitionContrast = "DIFFUSION" if _b(first) is not None else "UNKNOWN"
    ds.EchoPulseSequence = "SPIN" if "SE" in first.ScanningSequence else "GRADIENT"
    ds.EchoPlanarPulseSequence = "YES" if "EP" in first.ScanningSequence else "NO"
    ds.PulseSequenceName = "epi" if _b(first) is not None else first.get("SequenceName", "")
    ds.AcquisitionDuration, ds.BurnedInAnnotation, ds.LossyImageCompression = 60.0, "NO", "00"
    ds.PresentationLUTShape, ds.MultiPlanarExcitation, ds.PhaseContrast = "IDENTITY", "NO", "NO"
    ds.AcquisitionContextSequence = []
    _describe_dimensions(ds)
    shared, frames = Dataset(), [Dataset() for _ in slices]
    for sequence, group in GROUPS.items():
        items = [group(s) for s in slices]
        if all(item == items[0] for item in items):
            setattr(shared, sequence, [items[0]] if items[0] else None)
            if not items[0]:
                delattr(shared, sequence)
        else:
            for frame, item in zip(frames, items, strict=True):
                setattr(frame, sequence, [item])
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], frames
    ds.add_new(0x7FE00010, "OW", b"".join(bytes(s.PixelData) for s in slices))
    ds.file_meta = copied_meta(first)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def _describe_dimensions(ds: Slice) -> None:
    organization = f"{ds.SOPInstanceUID}.1"
    ds.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organization)]
    ds.DimensionIndexSequence = [
        _item(DimensionOrganizationUID=organization, DimensionIndexPointer=pointer, FunctionalGroupPointer=0x00209111)
        for pointer in (0x00209056, 0x00209057, 0x00209128)
    ]


def _moment(s: Slice) -> str:
    return f"{s.AcquisitionDate}{s.AcquisitionTime}"


def _b(s: Slice) -> float | None:
    return s.get("DiffusionBValue", float(s.drawn.part[1:]) if s.drawn.part[:1] == "b" else None)


def _item(**elements: object) -> Dataset:
    """A sequence item of those elements that have a value."""
    item = Dataset()
    for keyword, value in elements.items():
        if value is not None:
            setattr(item, keyword, value)
    return item


def _diffusion(s: Slice) -> Dataset:
    b = _b(s)
    if b is None:
        return Dataset()
    return _item(DiffusionBValue=float(b), DiffusionDirectionality="ISOTROPIC" if b else "NONE")


def _content(s: Slice) -> Dataset:
    time = s.get("TemporalPositionIdentifier") or (int(s.drawn.part[5:]) if s.drawn.part.startswith("phase") else 1)
    place = s.drawn.index + 1
    return _item(
        FrameAcquisitionDateTime=_moment(s),
        FrameReferenceDateTime=_moment(s),
        FrameAcquisitionDuration=1000.0,
        FrameAcquisitionNumber=int(s.get("AcquisitionNumber") or 1),
        StackID="1",
        InStackPositionNumber=place,
        TemporalPositionIndex=int(time),
        DimensionIndexValues=[1, place, int(time)],
    )


GROUPS: dict[str, Callable[[Slice], Dataset]] = {
    "FrameContentSequence": _content,
    "PlanePositionSequence": lambda s: _item(ImagePositionPatient=s.get("ImagePositionPatient")),
    "PlaneOrientationSequence": lambda s: _item(ImageOrientationPatient=s.get("ImageOrientationPatient")),
    "PixelMeasuresSequence": lambda s: _item(
        SliceThickness=s.get("SliceThickness"),
        SpacingBetweenSlices=s.get("SpacingBetweenSlices"),
        PixelSpacing=s.get("PixelSpacing"),
    ),
    "PixelValueTransformationSequence": lambda s: _item(
        RescaleIntercept=s.get("RescaleIntercept", "0"), RescaleSlope=s.get("RescaleSlope", "1"), RescaleType="US"
    ),
    "MRTimingAndRelatedParametersSequence": lambda s: _item(
        RepetitionTime=s.get("RepetitionTime"),
        FlipAngle=s.get("FlipAngle"),
        EchoTrainLength=s.get("EchoTrainLength"),
        RFEchoTrainLength=s.get("EchoTrainLength"),
        GradientEchoTrainLength=0,
    ),
    "MREchoSequence": lambda s: _item(EffectiveEchoTime=float(s.EchoTime) if s.get("EchoTime") else None),
    "MRImageFrameTypeSequence": lambda s: _item(
        FrameType=s.get("ImageType"),
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
        ComplexImageComponent="MAGNITUDE",
        AcquisitionContrast="UNKNOWN",
    ),
    "MRImagingModifierSequence": lambda s: _item(PixelBandwidth=s.get("PixelBandwidth")),
    "MRDiffusionSequence": _diffusion,
    "TemporalPositionSequence": lambda s: _item(
        TemporalPositionTimeOffset=float(s.TriggerTime) / 1000 if s.get("TriggerTime") else None
    ),
}
