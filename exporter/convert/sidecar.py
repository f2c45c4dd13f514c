"""The converter's JSON where dcm2niix wrote none: the same keys and units, from the inventory's headers."""

from __future__ import annotations

from ..inventory.instance import Instance

# Key of dcm2niix, DICOM keyword of the instance, factor to BIDS' unit.
NUMBERS: tuple[tuple[str, str, float], ...] = (
    ("MagneticFieldStrength", "MagneticFieldStrength", 1.0),
    ("RepetitionTime", "RepetitionTime", 0.001),
    ("EchoTime", "EchoTime", 0.001),
    ("InversionTime", "InversionTime", 0.001),
    ("FlipAngle", "FlipAngle", 1.0),
    ("EchoTrainLength", "EchoTrainLength", 1.0),
    ("NumberOfAverages", "NumberOfAverages", 1.0),
    ("PixelBandwidth", "PixelBandwidth", 1.0),
    ("SliceThickness", "SliceThickness", 1.0),
    ("SpacingBetweenSlices", "SpacingBetweenSlices", 1.0),
    ("EchoNumber", "EchoNumbers", 1.0),
)
WORDS: tuple[tuple[str, str], ...] = (
    ("Modality", "Modality"),
    ("Manufacturer", "Manufacturer"),
    ("ManufacturersModelName", "ManufacturerModelName"),
    ("SoftwareVersions", "SoftwareVersions"),
    ("ReceiveCoilName", "ReceiveCoilName"),
    ("MRAcquisitionType", "MRAcquisitionType"),
    ("SequenceName", "SequenceName"),
    ("PatientPosition", "PatientPosition"),
)
LISTS: tuple[tuple[str, str], ...] = (
    ("ScanningSequence", "ScanningSequence"),
    ("SequenceVariant", "SequenceVariant"),
    ("ScanOptions", "ScanOptions"),
)


def sidecar_of(instance: Instance) -> dict[str, object]:
    """What dcm2niix would say of the instance, as far as one header tells; absent values are left out."""
    values: dict[str, object] = {key: getattr(instance, keyword) for key, keyword in WORDS}
    values |= {key: "_".join(getattr(instance, keyword)) for key, keyword in LISTS}
    for key, keyword, factor in NUMBERS:
        number = getattr(instance, keyword)
        values[key] = None if number is None else number * factor
    values["ImageType"] = list(instance.ImageType)
    values["ImageOrientationPatientDICOM"] = list(instance.ImageOrientationPatient)
    return {key: value for key, value in values.items() if value not in (None, "", [])} | {
        "ConversionSoftware": "pydicom"
    }
