"""SEG, RTSTRUCT and SR objects among the sources: their parts as drawings, their measurements as a private table."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from drawnmaker import LESION, ORGAN, T2, Drawn, Segment, block, drawn_voxels, items, rectangle
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage, ParametricMapStorage, SegmentationStorage, generate_uid
from test_export_tree import rows

from trialbids.exporter.annotations import objects
from trialbids.exporter.annotations.drawings import Drawings
from trialbids.exporter.annotations.grid import MaskRefused
from trialbids.exporter.annotations.objectshapes import part_of
from trialbids.exporter.annotations.region import Marked
from trialbids.exporter.inventory.instance import Instance


def names(drawings: Drawings) -> list[str]:
    """Label, number and reader of each drawing."""
    return [f"{drawing.name} {drawing.reader}" for drawing in drawings.all]


def masks(drawn: Drawn) -> list[str]:
    """The released masks, as label and reader."""
    return [path.name.partition("_label-")[2].removesuffix("_mask.nii.gz") for path in drawn.files("*_mask.nii.gz")]


def test_segments_are_told_apart_by_their_own_numbers_or_their_order(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    drawn.seg([Segment(block(2, 2, 2)), Segment(block(9, 3, 3), "Lesion 1"), Segment(block(5, 5, 5), "tumour")])
    assert names(drawn.found()[0]) == ["lesion2 R1", "lesion1 R1", "lesion3 R1"]


def test_two_parts_that_cannot_be_told_apart_are_left_out(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    kidney = Code("64033007", "SCT", "Kidney")
    drawn.seg([Segment(block(2, 2, 2), "left kidney", kidney), Segment(block(9, 3, 3), "right kidney", kidney)])
    found, _ = drawn.found()
    assert found.all == () and [(f.check, f.severity) for f in found.faults] == [("A03", "warning")] * 2
    labels = "{labels: {kidneyleft: {match: [left kidney]}, kidneyright: {match: [right kidney]}}}"
    assert names(drawn.found(labels)[0]) == ["kidneyleft R1", "kidneyright R1"]


def test_a_former_code_of_snomed_is_the_code_of_today(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    drawn.seg([Segment(block(2, 2, 2), "what readers call it", Code("T-62000", "SRT", "Liver"))])
    assert names(drawn.found()[0]) == ["liver R1"]


def test_an_algorithm_is_a_reader_of_its_own_and_nobody_is_r0(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    drawn.seg([Segment(block(2, 2, 2))], ContentCreatorName="")
    drawn.seg([Segment(block(3, 3, 3))])
    machine = dcmread(drawn.seg([Segment(block(5, 5, 5))]))
    machine.SegmentSequence[0].SegmentAlgorithmType = "AUTOMATIC"
    machine.SegmentSequence[0].SegmentAlgorithmName = "NetOne"
    machine.save_as(Path(str(machine.filename)))
    found, _ = drawn.found()
    assert sorted(names(found)) == ["lesion R0", "lesion R1", "lesion R2"]
    codes = {r["code"]: r["reader"] for r in rows(drawn.folder / "work" / "readers.tsv")}
    assert {(codes.get(d.reader, ""), d.method) for d in found.all} == {
        ("", "manual"), ("Black^Anna", "manual"), ("NetOne", "automatic"),
    }  # fmt: skip


def test_an_object_in_an_archive_is_read_there(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    path = drawn.seg([Segment(block(2, 2, 2)), Segment(block(9, 3, 3), "Cyst", Code("367643001", "SCT", "Cyst"))])
    with zipfile.ZipFile(drawn.source / "more.zip", "w") as archive:
        archive.write(path, "seg/1.dcm")
    path.unlink()
    drawn.export("{objects: true}")
    assert masks(drawn) == ["cyst_desc-R1", "lesion_desc-R1"]
    assert len(drawn.files("*seg-labels_desc-R1_dseg.nii.gz")) == 1


def test_a_structure_of_points_leaves_as_points(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    path = drawn.rtstruct({"Nodule": np.array([[-5.0, -4.5, 8.0], [0.0, 0.0, 12.0]])})
    data = dcmread(path)
    contour = data.ROIContourSequence[0].ContourSequence[0]
    contour.ContourGeometricType, contour.NumberOfContourPoints = "POINT", 2
    data.save_as(path)
    found, _ = drawn.found()
    assert names(found) == ["nodule1 R1", "nodule2 R1"]
    assert [d.low for d in found.all if isinstance(d, Marked)] == [(-5.0, -4.5, 8.0), (0.0, 0.0, 12.0)]


def test_an_object_that_names_no_image_is_listed(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    path = drawn.rtstruct({"Lesion": rectangle((-7, -1), (-6, 0), 8.0)})
    data = dcmread(path)
    del data.ReferencedFrameOfReferenceSequence
    data.save_as(path)
    _, assigned = drawn.found()
    (fault,) = assigned.faults
    assert not assigned.by_visit
    assert (fault.check, fault.severity) == ("A01", "error") and "does not name the image" in fault.message


def test_what_only_looks_like_an_annotation_is_refused_by_its_right_name(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    path = drawn.seg([Segment(block(2, 2, 2))])
    data = dcmread(path)
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = ParametricMapStorage
    data.save_as(path)
    (fault,) = drawn.found()[0].faults
    assert (fault.check, fault.severity) == ("F03", "warning") and "parametric map" in fault.message


def test_an_object_may_be_a_line_of_the_table_and_its_segment_a_number(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    path = drawn.seg([Segment(block(2, 2, 2)), Segment(block(9, 3, 3), "Hot spot", ORGAN)])
    path.rename(drawn.folder / "seg.dcm")
    line = {"file": "seg.dcm", "series_uid": T2}
    drawn.table({**line, "value": 2}, {**line, "value": 9, "lesion": 9}, {**line, "lesion": 5})
    drawn.export()
    (mask,) = drawn.files("*_label-lesion_desc-R1_mask.nii.gz")
    assert np.array_equal(drawn_voxels(mask), block(9, 3, 3))
    said = [r["message"] for r in rows(drawn.folder / "work" / "issues.tsv")]
    assert any("no segment 9" in m for m in said) and any("holds 2 segments" in m for m in said)


def test_objects_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Drawn(tmp_path)
    drawn.seg([Segment(block(2, 2, 2))])
    before, _ = drawn.found()

    def refuse(_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(objects, "_read", refuse)
    after, _ = drawn.found()
    assert [d.fingerprint for d in after.all] == [d.fingerprint for d in before.all] and len(after.all) == 1
    (drawn.folder / "work" / objects.CACHE_FILE).write_text("{", encoding="utf-8")
    with pytest.raises(AssertionError, match="read again"):
        drawn.found()


def test_an_object_that_cannot_be_read_this_time_is_read_the_next(tmp_path: Path) -> None:
    path = Drawn(tmp_path).seg([Segment(block(2, 2, 2))])
    seg = Instance(path=str(path), SOPClassUID=SegmentationStorage, SOPInstanceUID="1")
    hidden = path.rename(path.with_suffix(".away"))
    known = objects.Objects(tmp_path)
    assert known.facts(seg).problem
    known.write()
    hidden.rename(path)
    assert objects.Objects(tmp_path).facts(seg).parts


def report(drawn: Drawn) -> None:
    """A measurement report (TID 1500) of one volume, in a group of one lesion."""
    data = dcmread(drawn.seg([Segment(block(2, 2, 2), "Lesion", LESION)]))
    for element in list(data):
        if element.tag.group > 0x0020 or element.VR == "SQ":
            del data[element.tag]
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = Comprehensive3DSRStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.Modality, data.SeriesInstanceUID, data.ValueType = "SR", generate_uid(), "CONTAINER"
    data.ContinuityOfContent = "SEPARATE"
    data.ConceptNameCodeSequence = coded("126000", "DCM", "Imaging Measurement Report")
    data.ContentTemplateSequence = items(MappingResource="DCMR", TemplateIdentifier="1500")
    value = items(NumericValue="12.5", MeasurementUnitsCodeSequence=coded("mm3", "UCUM", "mm3"))
    volume = content("NUM", "118565006", "SCT", "Volume", MeasuredValueSequence=value)
    tracking = content("TEXT", "112039", "DCM", "Tracking Identifier", TextValue="Herd links")
    group = content("CONTAINER", "125007", "DCM", "Measurement Group", ContentSequence=Items([tracking, volume]))
    observer = content("PNAME", "121008", "DCM", "Person Observer Name", PersonName="Black^Anna")
    observer.RelationshipType = "HAS OBS CONTEXT"
    measured = content("CONTAINER", "126010", "DCM", "Imaging Measurements", ContentSequence=Items([group]))
    data.ContentSequence = Items([observer, measured])
    data.save_as(drawn.source / "report.dcm")
    for path in (drawn.source / "seg").iterdir():
        path.unlink()


def coded(value: str, scheme: str, meaning: str) -> Items:
    return items(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def content(kind: str, value: str, scheme: str, meaning: str, **more: object) -> Dataset:
    return items(
        ValueType=kind, RelationshipType="CONTAINS", ConceptNameCodeSequence=coded(value, scheme, meaning), **more
    )[0]


def test_measurements_stay_in_the_private_folder(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    report(drawn)
    done = drawn.export("{objects: true}")
    (row,) = rows(drawn.folder / "work" / "measurements.tsv")
    assert (row["value"], row["unit"], row["tracking_id"], row["reader"]) == ("12.5", "mm3", "Herd links", "R1")
    assert (row["subject"], row["session"]) == (drawn.only_image().parts[-4].removeprefix("sub-"), "01")
    assert done.run.leaks == {} and not drawn.files()
    assert (drawn.folder / "work" / "measurements.tsv").stat().st_mode & 0o077 == 0


def test_a_part_of_a_file_is_refused_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(MaskRefused, match="not there"):
        part_of(tmp_path / "absent.dcm", 1)
    path = tmp_path / "odd.dcm"
    path.write_bytes(b"no DICOM")
    with pytest.raises(MaskRefused, match="cannot be read") as refused:
        part_of(path, None)
    assert refused.value.check == "F03"
