"""Structure sets: their structures read from the file and filled, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from annotationmaker import ball, ellipses, grid_of, rotation, structure_set
from pydicom import Dataset, dcmread

from trialbids.exporter.annotations.coded import AnnotationError, Code
from trialbids.exporter.annotations.contours import ContoursShape
from trialbids.exporter.annotations.grid import LPS_TO_RAS, Grid, MaskRefused
from trialbids.exporter.annotations.rtstruct import StructureSet, read_rtstruct

GRID = grid_of((40, 44, 36), (0.9, 0.9, 2.0), rotation(0.1, -0.2, 0.3), (12.0, -80.0, 33.0))
BALL = ellipses(GRID, ball(14.0, 17.2), (19.6, 21.3, 0.0), points=200)


def refusal(structures: StructureSet, grid: Grid = GRID) -> MaskRefused:
    with pytest.raises(MaskRefused) as caught:
        structures.structures[0].shape.on(grid)
    return caught.value


def test_a_ball_written_to_a_file_has_its_volume(tmp_path: Path) -> None:
    (found,) = read_rtstruct(structure_set(tmp_path / "rt.dcm", [("GTV", "CLOSED_PLANAR", BALL)])).structures
    assert found.shape.on(GRID).sum() == pytest.approx(4 / 3 * np.pi * 14.0**3, rel=0.01)


def test_what_a_structure_says_is_read(tmp_path: Path) -> None:
    path = structure_set(tmp_path / "rt.dcm", [("GTV 1", "CLOSED_PLANAR", BALL[:3]), ("Äußeres", "CLOSED_PLANAR", [])])
    ds = dcmread(path)
    code, image = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "108369006", "SCT", "Neoplasm"
    image.ReferencedSOPInstanceUID = "1.2.7"
    ds.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence = [code]
    ds.ROIContourSequence[0].ContourSequence[1].ContourImageSequence = [image]
    ds.save_as(path)
    found = read_rtstruct(path)
    first, second = found.structures
    assert (found.patient_id, found.study_uid, found.series_uid, found.creator) == ("P1", "1.2.5", "1.2.6", "Doe^Jane")
    assert (first.number, first.name, first.interpreted_type, first.algorithm) == (1, "GTV 1", "GTV", "manual")
    assert (first.frame_of_reference, first.referenced_series_uid) == ("1.2.3", "1.2.4")
    assert first.referenced_sop_uids == ("1.2.7",) and first.code == Code("108369006", "SCT", "Neoplasm")
    assert second.name == "Äußeres" and second.referenced_sop_uids == ()


def test_a_structure_without_contours_is_there_and_empty(tmp_path: Path) -> None:
    found = read_rtstruct(structure_set(tmp_path / "rt.dcm", [("planned", "CLOSED_PLANAR", [])]))
    assert refusal(found).check == "A02"


def test_inner_contours_are_holes_in_both_closed_types(tmp_path: Path) -> None:
    inner = ellipses(GRID, ball(6.0, 17.2), (20.1, 21.0, 0.0))
    path = structure_set(
        tmp_path / "rt.dcm", [("a", "CLOSED_PLANAR", [*BALL, *inner]), ("b", "CLOSEDPLANAR_XOR", [*BALL, *inner])]
    )
    plain, xor = (s.shape.on(GRID) for s in read_rtstruct(path).structures)
    assert np.array_equal(plain, xor)
    assert plain.sum() == pytest.approx(4 / 3 * np.pi * (14.0**3 - 6.0**3), rel=0.01)


def test_points_are_points_and_no_mask(tmp_path: Path) -> None:
    marks = [np.array([[1.5, 2.5, 3.5]]), np.array([[4.0, 5.0, 6.0]])]
    found = read_rtstruct(structure_set(tmp_path / "rt.dcm", [("marker", "POINT", marks)]))
    assert found.structures[0].points.tolist() == [[1.5, 2.5, 3.5], [4.0, 5.0, 6.0]]
    assert refusal(found).check == "F03" and "points" in str(refusal(found))


@pytest.mark.parametrize("kind", ["OPEN_PLANAR", "OPEN_NONPLANAR", "", "SPIRAL"])
def test_a_structure_with_a_line_that_is_not_closed_is_refused_as_a_whole(tmp_path: Path, kind: str) -> None:
    path = structure_set(tmp_path / "rt.dcm", [("a", "CLOSED_PLANAR", BALL)])
    ds = dcmread(path)
    ds.ROIContourSequence[0].ContourSequence[2].ContourGeometricType = kind
    caught = refusal(read_rtstruct(ds))
    assert caught.check == "F03" and ("open lines" if kind.startswith("OPEN") else "closed") in str(caught)


@pytest.mark.parametrize("data", [b"1\\2\\3\\4 ", b"1\\2\\x ", b"", b"1\\\\3 "])
def test_coordinates_that_are_not_in_threes_are_refused(tmp_path: Path, data: bytes) -> None:
    path = structure_set(tmp_path / "rt.dcm", [("a", "CLOSED_PLANAR", BALL[:1])])
    whole = path.read_bytes()
    stored = dcmread(path).ROIContourSequence[0].ContourSequence[0].get_item("ContourData").value
    path.write_bytes(whole.replace(stored, data.ljust(len(stored), b" ")))
    assert refusal(read_rtstruct(path)).check == "F03"


def test_contours_stored_as_unknown_are_read(tmp_path: Path) -> None:
    """Writers of explicit VR store numbers longer than 65,534 bytes as UN (PS3.5 6.2.2 note 4)."""
    many = ellipses(GRID, lambda number: 14.0 if number == 5 else 0.0, (19.6, 21.3, 0.0), points=4000)
    path = structure_set(tmp_path / "rt.dcm", [("a", "CLOSED_PLANAR", many)])
    assert b"\x06\x30\x50\x00UN" in path.read_bytes()
    found = read_rtstruct(path).structures[0]
    assert found.shape.on(GRID).sum() == pytest.approx(np.pi * 14.0**2, rel=0.01)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (grid_of((90, 90, 90), (0.9, 0.9, 2.0), corner=(-32.0, -120.0, 3.0)), "beside the image's slices"),
        (grid_of((40, 44, 6), (0.9, 0.9, 2.0), rotation(0.1, -0.2, 0.3), (12.0, -80.0, 33.0)), "outside of the slices"),
    ],
    ids=["other orientation", "fewer slices"],
)
def test_contours_of_another_image_are_refused(tmp_path: Path, grid: Grid, words: str) -> None:
    found = read_rtstruct(structure_set(tmp_path / "rt.dcm", [("a", "CLOSED_PLANAR", BALL)]))
    assert refusal(found, grid).check == "A01" and words in str(refusal(found, grid))


def test_half_a_slice_beside_is_refused(tmp_path: Path) -> None:
    normal = (LPS_TO_RAS @ GRID.matrix)[:3, 2]
    found = read_rtstruct(
        structure_set(tmp_path / "rt.dcm", [("a", "CLOSED_PLANAR", [c + normal / 2 for c in BALL[3:9]])])
    )
    assert "1 mm beside the image's slices" in str(refusal(found))


def test_what_is_no_structure_set_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rt.dcm"
    for content in (b"", b"DICM" * 200):
        path.write_bytes(content)
        with pytest.raises(AnnotationError, match="cannot be read as DICOM"):
            read_rtstruct(path)
    ds = dcmread(structure_set(path, [("a", "CLOSED_PLANAR", BALL[:1])]))
    ds.StructureSetROISequence[0].ROINumber = None
    with pytest.raises(AnnotationError, match="no number"):
        read_rtstruct(ds)
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    with pytest.raises(AnnotationError, match="no segmentation, structure set"):
        read_rtstruct(ds)


def ct_grid(folder: Path) -> Grid:
    slices = sorted((dcmread(p) for p in folder.glob("ct_*.dcm")), key=lambda d: d.ImagePositionPatient[2])
    first, step = slices[0], np.subtract(slices[1].ImagePositionPatient, slices[0].ImagePositionPatient)
    affine = np.eye(4)
    affine[:3, 0] = np.multiply(first.ImageOrientationPatient[:3], first.PixelSpacing[1])
    affine[:3, 1] = np.multiply(first.ImageOrientationPatient[3:], first.PixelSpacing[0])
    affine[:3, 2], affine[:3, 3] = step, first.ImagePositionPatient
    return Grid((first.Columns, first.Rows, len(slices)), tuple((LPS_TO_RAS @ affine).ravel()))


def test_real_structure_sets_are_filled_or_refused_with_the_reason(real_data: Path) -> None:
    folder = real_data / "dicom" / "rt-utils" / "tests"
    grid = ct_grid(folder / "mock_data")
    (square,) = read_rtstruct(folder / "mock_data" / "rt.dcm").structures
    assert isinstance(square.shape, ContoursShape)
    mask = square.shape.on(grid)
    outer, hole = (_area(contour) / np.prod(grid.edges[:2]) for contour in square.shape.contours)
    assert mask.sum() == pytest.approx(outer - hole, rel=0.03)
    for name in ("empty/dummy_rt.dcm", "mock_data/invalid_reference_rt.dcm", "mock_data/non_existent_reference_rt.dcm"):
        found = read_rtstruct(folder / name)
        assert len(found.structures) == 4
        assert "5 mm outside of the slices" in str(refusal(found, grid)), "the folder holds two of the three slices"


def _area(contour: np.ndarray) -> float:
    x, y = contour[:, 0], contour[:, 1]
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2
