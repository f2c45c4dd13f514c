"""A series as one enhanced multi-frame object, the way a Siemens XA scanner stores it."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from .objects import Study, add_private, common, describe_pixels, describe_series, number, remarks, stored_pixels
from .series import Product, Series

FRAME_TYPE = ["ORIGINAL", "PRIMARY", "M", "NONE"]


def enhanced_object(study: Study, series: Series, series_number: int, start_s: float) -> Dataset:
    """The single product of a turbo spin-echo series as an Enhanced MR Image Storage object."""
    (product,) = series.products
    ds = common(study, EnhancedMRImageStorage)
    describe_series(ds, study, series, series_number, start_s)
    del ds.RequestAttributesSequence
    ds.Manufacturer, ds.ManufacturerModelName = "Siemens Healthineers", "MAGNETOM Vida"
    ds.SoftwareVersions, ds.MagneticFieldStrength = "syngo MR XA31", 3
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = study.uid("series", series.role, "enhanced")
    taken = study.moment(start_s)
    ds.ContentDate, ds.ContentTime = f"{taken:%Y%m%d}", f"{taken:%H%M%S.%f}"
    ds.AcquisitionDateTime = f"{taken:%Y%m%d%H%M%S.%f}"
    ds.AcquisitionNumber, ds.InstanceNumber = 1, 1
    _describe_acquisition(ds, series)
    _describe_dimensions(ds, study)
    add_private(ds, remarks(study))
    describe_pixels(ds)
    ds.Rows, ds.Columns = product.grid.matrix
    ds.NumberOfFrames = product.grid.slices
    ds.BurnedInAnnotation, ds.LossyImageCompression, ds.PresentationLUTShape = "NO", "00", "IDENTITY"
    ds.SharedFunctionalGroupsSequence = [_shared(series, product)]
    ds.PerFrameFunctionalGroupsSequence = [
        _frame(product, k, ds.AcquisitionDateTime) for k in range(product.grid.slices)
    ]
    ds.PixelData = stored_pixels(product.image, None).tobytes()
    return ds


def _describe_acquisition(ds: Dataset, series: Series) -> None:
    """The enhanced MR image and pulse sequence modules."""
    ds.ImageType = FRAME_TYPE
    ds.PixelPresentation, ds.VolumetricProperties, ds.VolumeBasedCalculationTechnique = "MONOCHROME", "VOLUME", "NONE"
    ds.ComplexImageComponent, ds.AcquisitionContrast = "MAGNITUDE", "T2"
    ds.ContentQualification, ds.ResonantNucleus, ds.KSpaceFiltering = "PRODUCT", "1H", "NONE"
    ds.ApplicableSafetyStandardAgency, ds.AcquisitionDuration = "IEC", float(series.duration_s)
    ds.MRAcquisitionType, ds.PulseSequenceName, ds.EchoPulseSequence = "2D", "*tse2d1_15", "SPIN"
    ds.MultiPlanarExcitation = ds.PhaseContrast = ds.TimeOfFlightContrast = "NO"
    ds.SteadyStatePulseSequence, ds.EchoPlanarPulseSequence, ds.SaturationRecovery = "NONE", "NO", "NO"
    ds.SpectrallySelectedSuppression, ds.OversamplingPhase = "NONE", "2D"
    ds.GeometryOfKSpaceTraversal, ds.SegmentedKSpaceTraversal = "RECTILINEAR", "PARTIAL"
    ds.RectilinearPhaseEncodeReordering, ds.NumberOfKSpaceTrajectories = "LINEAR", 1
    ds.CardiacSynchronizationTechnique = ds.RespiratoryMotionCompensationTechnique = "NONE"
    ds.MultipleSpinEcho = "YES"
    ds.AcquisitionContextSequence = []


def _describe_dimensions(ds: Dataset, study: Study) -> None:
    """The dimension module: stack, then position in the stack."""
    organization = study.uid("dimensions")
    ds.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organization)]
    ds.DimensionIndexSequence = [
        _item(DimensionOrganizationUID=organization, DimensionIndexPointer=pointer, FunctionalGroupPointer=0x00209111)
        for pointer in (0x00209056, 0x00209057)
    ]


def _shared(series: Series, product: Product) -> Dataset:
    """What all frames have in common."""
    grid, header = product.grid, series.header
    echo_train = int(header["EchoTrainLength"])
    return _item(
        MRTimingAndRelatedParametersSequence=[
            _item(
                RepetitionTime=number(header["RepetitionTime"]),
                FlipAngle=number(header["FlipAngle"]),
                EchoTrainLength=echo_train,
                RFEchoTrainLength=echo_train,
                GradientEchoTrainLength=0,
                OperatingModeSequence=[_item(OperatingModeType="GRADIENT", OperatingMode="IEC_NORMAL")],
                SpecificAbsorptionRateSequence=[
                    _item(SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY", SpecificAbsorptionRateValue=0.8)
                ],
            )
        ],
        MREchoSequence=[_item(EffectiveEchoTime=float(header["EchoTime"]))],
        MRImageFrameTypeSequence=[
            _item(
                FrameType=FRAME_TYPE,
                PixelPresentation="MONOCHROME",
                VolumetricProperties="VOLUME",
                VolumeBasedCalculationTechnique="NONE",
                ComplexImageComponent="MAGNITUDE",
                AcquisitionContrast="T2",
            )
        ],
        MRImagingModifierSequence=[
            _item(
                MagnetizationTransfer="NONE",
                BloodSignalNulling="NO",
                Tagging="NONE",
                TransmitterFrequency=123.24,
                PixelBandwidth="200",
            )
        ],
        MRModifierSequence=[
            _item(
                InversionRecovery="NO",
                FlowCompensation="NONE",
                Spoiling="NONE",
                T2Preparation="NO",
                SpectrallySelectedExcitation="NONE",
                SpatialPresaturation="SLAB",
                PartialFourier="NO",
                ParallelAcquisition="NO",
            )
        ],
        MRReceiveCoilSequence=[
            _item(
                ReceiveCoilName="Body_18",
                ReceiveCoilManufacturerName="",
                ReceiveCoilType="BODY",
                QuadratureReceiveCoil="NO",
            )
        ],
        MRTransmitCoilSequence=[
            _item(TransmitCoilName="Body", TransmitCoilManufacturerName="", TransmitCoilType="BODY")
        ],
        MRAveragesSequence=[_item(NumberOfAverages="1")],
        MRFOVGeometrySequence=[
            _item(
                InPlanePhaseEncodingDirection="ROW",
                MRAcquisitionFrequencyEncodingSteps=grid.matrix[1],
                MRAcquisitionPhaseEncodingStepsInPlane=grid.matrix[0],
                PercentSampling="100",
                PercentPhaseFieldOfView="100",
            )
        ],
        FrameAnatomySequence=[_item(FrameLaterality="U", AnatomicRegionSequence=[_code("12921003", "SCT", "Pelvis")])],
        PlaneOrientationSequence=[_item(ImageOrientationPatient=[number(v) for v in (*grid.row, *grid.column)])],
        PixelMeasuresSequence=[
            _item(
                SliceThickness=number(grid.thickness),
                SpacingBetweenSlices=number(grid.gap),
                PixelSpacing=[number(grid.pixel)] * 2,
            )
        ],
        PixelValueTransformationSequence=[_item(RescaleIntercept="0", RescaleSlope="1", RescaleType="US")],
    )


def _frame(product: Product, index: int, moment: str) -> Dataset:
    """What is true of one frame only: its time, number and place."""
    top = int(np.max(product.image[index]))
    return _item(
        FrameContentSequence=[
            _item(
                FrameAcquisitionDateTime=moment,
                FrameReferenceDateTime=moment,
                FrameAcquisitionDuration=1000.0,
                FrameAcquisitionNumber=1,
                StackID="1",
                InStackPositionNumber=index + 1,
                DimensionIndexValues=[1, index + 1],
            )
        ],
        PlanePositionSequence=[_item(ImagePositionPatient=[number(v) for v in product.grid.position(index)])],
        FrameVOILUTSequence=[_item(WindowCenter=str(top // 2), WindowWidth=str(top + 1))],
    )


def _item(**elements: object) -> Dataset:
    """A sequence item from keywords."""
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)
