"""Structured reports: what TID 1500 holds, written by highdicom, is read; everything else is refused by name."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import pytest
from annotationmaker import ct_series, grid_of, segmentation
from highdicom import sr
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from trialbids.exporter.annotations.coded import AnnotationError, Code
from trialbids.exporter.annotations.reports import read_report
from trialbids.exporter.annotations.seg import read_seg

GRID = grid_of((32, 32, 4))
IMAGES = ct_series(GRID)
SEG = segmentation(IMAGES, np.ones(GRID.size, np.uint8))
LIVER = Code("10200004", "SCT", "Liver")


def tracked(name: str) -> sr.TrackingIdentifier:
    return sr.TrackingIdentifier(uid=generate_uid(), identifier=name)


def volumetric() -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    segment = sr.ReferencedSegment(
        sop_class_uid=SEG.SOPClassUID,
        sop_instance_uid=SEG.SOPInstanceUID,
        segment_number=1,
        source_series=sr.SourceSeriesForSegmentation(IMAGES[0].SeriesInstanceUID),
    )
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked("lesion 1"),
        referenced_segment=segment,
        finding_type=codes.SCT.Neoplasm,
        finding_sites=[sr.FindingSite(anatomic_location=codes.SCT.Liver)],
        measurements=[
            sr.Measurement(name=codes.SCT.Volume, value=12.5, unit=codes.UCUM.CubicMillimeter),
            sr.Measurement(
                name=codes.SCT.Diameter,
                value=7.25,
                unit=codes.UCUM.Millimeter,
                derivation=codes.SCT.Mean,
            ),
        ],
        qualitative_evaluations=[sr.QualitativeEvaluation(name=codes.DCM.LevelOfSignificance, value=codes.SCT.High)],
    )


def planar() -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    region = sr.ImageRegion(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        graphic_data=np.array([[1.0, 1.0], [5.0, 1.0], [5.0, 5.0], [1.0, 1.0]]),
        source_image=sr.SourceImageForRegion.from_source_image(IMAGES[2]),
    )
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked("lesion 2"),
        referenced_region=region,
        measurements=[sr.Measurement(name=codes.SCT.Diameter, value=4.5, unit=codes.UCUM.Millimeter)],
    )


def image_wide() -> sr.MeasurementsAndQualitativeEvaluations:
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked("image"),
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(IMAGES[0])],
        measurements=[sr.Measurement(name=codes.SCT.Length, value=3.0, unit=codes.UCUM.Centimeter)],
    )


def report(*groups: Dataset) -> sr.Comprehensive3DSR:
    reader = sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(name="Doe^Jane"),
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_person_context=reader),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=list(groups),
    )
    return sr.Comprehensive3DSR(
        evidence=[*IMAGES, SEG],
        content=content[0],
        series_instance_uid=generate_uid(),
        series_number=7,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="M",
        is_complete=True,
    )


def saved(path: Path, dataset: Dataset) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_measurements_of_a_segment_are_read(tmp_path: Path) -> None:
    volume, diameter, judged = read_report(saved(tmp_path / "r.dcm", report(volumetric())))
    assert (volume.kind, volume.tracking_id, volume.value) == ("volumetric", "lesion 1", 12.5)
    assert volume.name == Code("118565006", "SCT", "Volume") and volume.unit == Code("mm3", "UCUM", "cubic millimeter")
    assert volume.finding == Code("108369006", "SCT", "Neoplasm") and volume.sites == (LIVER,)
    assert volume.segment == (SEG.SOPInstanceUID, 1)
    assert volume.referenced_series_uids == (IMAGES[0].SeriesInstanceUID,) and volume.tracking_uid
    assert (diameter.value, diameter.derivation) == (7.25, Code("373098007", "SCT", "Mean"))
    assert judged.value is None and judged.answer == Code("75540009", "SCT", "High")


def test_whom_and_by_whom_is_read(tmp_path: Path) -> None:
    (first, *_) = read_report(saved(tmp_path / "r.dcm", report(planar())))
    assert (first.source.observer, first.source.patient_id) == ("Doe^Jane", "P1")
    assert first.source.study_uid == IMAGES[0].StudyInstanceUID


def test_a_region_in_one_image_is_planar_and_finds_its_series(tmp_path: Path) -> None:
    (found,) = read_report(saved(tmp_path / "r.dcm", report(planar())))
    assert (found.kind, found.value, found.unit) == ("planar", 4.5, Code("mm", "UCUM", "mm"))
    assert found.referenced_sop_uids == (IMAGES[2].SOPInstanceUID,) and found.segment is None
    assert found.referenced_series_uids == (IMAGES[2].SeriesInstanceUID,) and found.finding is None


def test_several_groups_keep_their_own_finding_and_order(tmp_path: Path) -> None:
    found = read_report(saved(tmp_path / "r.dcm", report(planar(), volumetric(), image_wide())))
    assert [m.tracking_id for m in found] == ["lesion 2", "lesion 1", "lesion 1", "lesion 1", "image"]
    assert [m.kind for m in found] == ["planar", "volumetric", "volumetric", "volumetric", "other"]


def test_old_codes_and_groups_that_name_no_template_are_read(tmp_path: Path) -> None:
    ds = report(volumetric())
    group = ds.ContentSequence[-1].ContentSequence[0]
    del group.ContentTemplateSequence, ds.ContentTemplateSequence
    for item in group.ContentSequence:
        if item.ConceptNameCodeSequence[0].CodeValue == "363698007":
            item.ConceptNameCodeSequence[0].CodeValue = "G-C0E3"
            item.ConceptNameCodeSequence[0].CodingSchemeDesignator = "SRT"
    found = read_report(saved(tmp_path / "r.dcm", ds))
    assert found[0].kind == "volumetric" and found[0].sites == (LIVER,)


def test_what_could_not_be_measured_has_no_value(tmp_path: Path) -> None:
    ds = report(planar())
    for item in ds.ContentSequence[-1].ContentSequence[0].ContentSequence:
        if item.ValueType == "NUM":
            item.MeasuredValueSequence = []
    (found,) = read_report(saved(tmp_path / "r.dcm", ds))
    assert found.value is None and found.unit is None and found.name.meaning == "Diameter"


def test_another_template_is_named(tmp_path: Path) -> None:
    ds = report(planar())
    ds.ContentTemplateSequence[0].TemplateIdentifier = "2000"
    ds.ConceptNameCodeSequence[0].CodeValue = "11528-7"
    with pytest.raises(AnnotationError, match="follows TID 2000, not TID 1500"):
        read_report(saved(tmp_path / "r.dcm", ds))
    ds.ContentTemplateSequence[0].TemplateIdentifier = "ROE RICHARD"
    with pytest.raises(AnnotationError, match="follows another template"):
        read_report(ds)


def test_an_endless_report_ends(tmp_path: Path) -> None:
    ds = dcmread(saved(tmp_path / "r.dcm", report(planar())))
    inner = ds.ContentSequence[-1].ContentSequence[0]
    for _ in range(200):
        outer = Dataset()
        outer.ValueType, outer.ContentSequence = "CONTAINER", [inner]
        inner = outer
    ds.ContentSequence[-1].ContentSequence = [inner]
    assert read_report(ds) == ()


def test_a_parametric_map_is_no_annotation(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((4, 32, 32)).astype(np.float32)
    made = highdicom.pm.ParametricMap(
        source_images=IMAGES,
        pixel_array=values,
        series_instance_uid=generate_uid(),
        series_number=1,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="M",
        manufacturer_model_name="N",
        software_versions="1",
        device_serial_number="1",
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[
            highdicom.pm.RealWorldValueMapping(
                lut_label="1",
                lut_explanation="x",
                unit=codes.UCUM.NoUnits,
                value_range=[0.0, 1.0],
                slope=1,
                intercept=0,
            )
        ],
        voi_lut_transformations=[highdicom.VOILUTTransformation(window_center=0.5, window_width=1.0)],
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    path = saved(tmp_path / "p.dcm", made)
    for read in (read_report, read_seg):
        with pytest.raises(AnnotationError, match="a parametric map holds measured numbers, no segmentation"):
            read(path)


def test_a_segmentation_is_no_report_and_rubbish_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="segmentation, not a structured report"):
        read_report(saved(tmp_path / "s.dcm", SEG))
    (tmp_path / "x.dcm").write_bytes(b"rubbish" * 50)
    with pytest.raises(AnnotationError, match="cannot be read as DICOM"):
        read_report(tmp_path / "x.dcm")
