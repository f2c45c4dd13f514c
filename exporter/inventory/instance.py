"""One image object, or one frame of a multi-frame object, as the inventory knows it."""

from __future__ import annotations

from dataclasses import dataclass

Floats = tuple[float, ...]
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One row of ``instances.parquet``.

    CamelCase fields are DICOM keywords and hold the standard's value and unit (times in ms, lengths in mm);
    enhanced objects give one row a frame, with the functional groups flattened onto the same keywords.
    ``None`` and ``()`` mean absent or empty. Lower-case fields are ours:

    ``path``, ``member``   the file, and the member inside it when the file is an archive ("" otherwise)
    ``frame``              0 for a single-frame object, else the frame number from 1
    ``size``, ``mtime_ns`` of the object's bytes, and of the file
    ``b_value``            s/mm², from the standard or a private tag; ``b_value_source`` names which
    ``b_direction``        unit gradient direction in the scanner's frame as stored, () where none is stored
    ``mosaic_tiles``       number of slices in a Siemens mosaic, 0 otherwise
    ``complex_part``       mag, phase, real or imag where a vendor tag says so, "" otherwise
    ``identities``         all identifying text of the object, see :mod:`.identities`; one string for most of a series
    ``layout``             which attributes the object has: the name of a set, see :mod:`.layouts`
    ``pixel_length``       bytes of PixelData, -1 if encapsulated, None if there is none
    ``remarks``            what is odd about how the object is written: the codes of :mod:`.syntax`
    ``b_values_said``      the different b-values of all that state one, ascending, () where they agree
    ``slices_said``        how many slices a volume has by the vendor's own count, None where there is none
    """

    path: str
    member: str = ""
    frame: int = 0
    size: int = 0
    mtime_ns: int = 0
    transfer_syntax: str = ""
    pixel_length: int | None = None
    b_value: float | None = None
    b_value_source: str = ""
    b_direction: Floats = ()
    mosaic_tiles: int = 0
    complex_part: str = ""
    identities: str = ""
    layout: str = ""
    remarks: Words = ()
    b_values_said: Floats = ()
    slices_said: int | None = None

    SOPClassUID: str = ""
    SOPInstanceUID: str = ""
    StudyInstanceUID: str = ""
    SeriesInstanceUID: str = ""
    FrameOfReferenceUID: str = ""
    PatientID: str = ""
    IssuerOfPatientID: str = ""
    PatientName: str = ""
    PatientBirthDate: str = ""
    PatientSex: str = ""
    PatientAge: str = ""
    PatientWeight: float | None = None
    ClinicalTrialSiteID: str = ""
    ClinicalTrialSubjectID: str = ""
    ClinicalTrialTimePointID: str = ""
    StudyID: str = ""
    AccessionNumber: str = ""
    StudyDate: str = ""
    StudyTime: str = ""
    SeriesDate: str = ""
    SeriesTime: str = ""
    AcquisitionDate: str = ""
    AcquisitionTime: str = ""
    AcquisitionDateTime: str = ""
    ContentDate: str = ""
    ContentTime: str = ""
    Modality: str = ""
    Manufacturer: str = ""
    ManufacturerModelName: str = ""
    SoftwareVersions: str = ""
    DeviceSerialNumber: str = ""
    InstitutionName: str = ""
    StationName: str = ""
    MagneticFieldStrength: float | None = None
    ReceiveCoilName: str = ""
    BodyPartExamined: str = ""
    Laterality: str = ""
    ImageLaterality: str = ""
    StudyDescription: str = ""
    SeriesDescription: str = ""
    ProtocolName: str = ""
    SeriesNumber: int | None = None
    ImageType: Words = ()
    ScanningSequence: Words = ()
    SequenceVariant: Words = ()
    ScanOptions: Words = ()
    SequenceName: str = ""
    MRAcquisitionType: str = ""
    AcquisitionContrast: str = ""
    ComplexImageComponent: str = ""
    EchoPulseSequence: str = ""
    InversionRecovery: str = ""
    SpoilingState: str = ""
    SteadyStatePulseSequence: str = ""
    SpectrallySelectedSuppression: str = ""
    RepetitionTime: float | None = None
    EchoTime: float | None = None
    EchoNumbers: int | None = None
    InversionTime: float | None = None
    FlipAngle: float | None = None
    EchoTrainLength: int | None = None
    NumberOfAverages: float | None = None
    PixelBandwidth: float | None = None
    InPlanePhaseEncodingDirection: str = ""
    AcquisitionMatrix: tuple[int, ...] = ()
    DiffusionDirectionality: str = ""
    ContrastBolusAgent: str = ""
    ContrastBolusStartTime: str = ""
    TemporalPositionIdentifier: int | None = None
    NumberOfTemporalPositions: int | None = None
    TemporalPositionTimeOffset: float | None = None
    TriggerTime: float | None = None
    AcquisitionNumber: int | None = None
    InstanceNumber: int | None = None
    ImagesInAcquisition: int | None = None
    ImagePositionPatient: Floats = ()
    ImageOrientationPatient: Floats = ()
    SliceThickness: float | None = None
    SpacingBetweenSlices: float | None = None
    PatientPosition: str = ""
    Rows: int | None = None
    Columns: int | None = None
    PixelSpacing: Floats = ()
    NumberOfFrames: int | None = None
    SamplesPerPixel: int | None = None
    PhotometricInterpretation: str = ""
    BitsAllocated: int | None = None
    BitsStored: int | None = None
    PixelRepresentation: int | None = None
    RescaleSlope: float | None = None
    RescaleIntercept: float | None = None
    RescaleType: str = ""
    BurnedInAnnotation: str = ""
    ConversionType: str = ""
    DerivationDescription: str = ""
    ConvolutionKernel: str = ""
    KVP: float | None = None
    Units: str = ""
    CorrectedImage: Words = ()
    Radiopharmaceutical: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        """What names this row among all: file, member, frame."""
        return self.path, self.member, self.frame
