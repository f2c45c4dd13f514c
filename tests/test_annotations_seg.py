"""Segmentation objects: what highdicom writes comes back voxel for voxel, and what does not fit is refused."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import pytest
import SimpleITK as sitk
from annotationmaker import ct_series, grid_of, rotation, segmentation
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from trialbids.exporter.annotations.coded import AnnotationError, Code
from trialbids.exporter.annotations.frames import FramesShape, Plane
from trialbids.exporter.annotations.grid import LPS_TO_RAS, Grid, MaskRefused
from trialbids.exporter.annotations.seg import SegObject, read_seg

GRID = grid_of((43, 37, 12), (0.7, 0.9, 2.5), rotation(0.2, -0.1, 0.4), (-40.0, 12.0, 7.0))
IMAGES = ct_series(GRID)


def turned(grid: Grid) -> Grid:
    """The same image as dcm2niix stores it, its rows from the last to the first."""
    flip = np.diag([1.0, -1, 1, 1])
    flip[1, 3] = grid.size[1] - 1
    return Grid(grid.shape, tuple((grid.matrix @ flip).ravel()))


def parts() -> NDArray[np.uint8]:
    """Two segments ``[X, Y, Z, 2]`` that overlap, on some slices only."""
    rng = np.random.default_rng(3)
    voxels = np.zeros((*GRID.size, 2), np.uint8)
    voxels[4:15, 3:12, 2:7, 0] = rng.integers(0, 2, (11, 9, 5))
    voxels[10:22, 5:18, 5:11, 1] = rng.integers(0, 2, (12, 13, 6))
    return voxels


def saved(path: Path, dataset: Dataset) -> SegObject:
    dataset.save_as(path)
    return read_seg(path)


def packed(dataset: Dataset, syntax: str) -> Dataset:
    """The object in another transfer syntax."""
    if syntax == RLELossless:
        dataset.compress(RLELossless, encoding_plugin="pydicom")
    elif syntax != ExplicitVRLittleEndian:
        dataset.compress(syntax)
    return dataset


def refusal(found: SegObject, grid: Grid = GRID, number: int = 1) -> MaskRefused:
    with pytest.raises(MaskRefused) as caught:
        found.shape_of(number).on(grid)
    return caught.value


@pytest.mark.parametrize("omit", [True, False], ids=["frames with something", "all frames"])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_overlapping_binary_segments_come_back(tmp_path: Path, omit: bool, syntax: str) -> None:
    ds = segmentation(IMAGES, parts(), omit_empty_frames=omit)
    if syntax == DeflatedExplicitVRLittleEndian:
        ds.file_meta.TransferSyntaxUID = syntax
    found = saved(tmp_path / "s.dcm", ds)
    assert found.kind == "binary"
    for number in (1, 2):
        assert np.array_equal(found.shape_of(number).on(GRID), parts()[..., number - 1])
        assert np.array_equal(found.shape_of(number).on(turned(GRID)), parts()[:, ::-1, :, number - 1])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_fractions_come_back_as_shares(tmp_path: Path, syntax: str) -> None:
    voxels = np.linspace(0, 1, GRID.size[0] * GRID.size[1] * 12).reshape(GRID.size)
    ds = segmentation(IMAGES, voxels, "FRACTIONAL", fractional_type="PROBABILITY", max_fractional_value=250)
    taken = saved(tmp_path / "s.dcm", packed(ds, syntax)).shape_of(1).on(GRID)
    assert taken.dtype == np.float32 and taken.max() == 1 and np.abs(taken - voxels).max() <= 0.5 / 250 + 1e-6


def label_map(**options: object) -> tuple[NDArray[np.uint8], Dataset]:
    voxels = np.where(parts()[..., 1] > 0, 2, parts()[..., 0]).astype(np.uint8)
    return voxels, segmentation(IMAGES, voxels, "LABELMAP", **options)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
def test_label_maps_come_back(tmp_path: Path, syntax: str) -> None:
    voxels, ds = label_map()
    found = saved(tmp_path / "s.dcm", packed(ds, syntax))
    assert found.kind == "labelmap" and [s.number for s in found.segments] == [1, 2]
    for number in (1, 2):
        assert np.array_equal(found.shape_of(number).on(GRID), voxels == number)


def test_label_maps_with_a_palette_hold_numbers_and_no_colours(tmp_path: Path) -> None:
    colours = highdicom.PaletteColorLUTTransformation.from_colors(["black", "red", "lime"], palette_color_lut_uid="1.2")
    voxels, ds = label_map(palette_color_lut_transformation=colours)
    assert ds.PhotometricInterpretation == "PALETTE COLOR"
    assert np.array_equal(saved(tmp_path / "s.dcm", ds).shape_of(2).on(GRID), voxels == 2)


def test_frames_in_any_order_with_groups_of_their_own(tmp_path: Path) -> None:
    ds = segmentation(IMAGES, parts()[..., 0])
    shared = ds.SharedFunctionalGroupsSequence[0]
    frames = ds.pixel_array[::-1]
    ds.PerFrameFunctionalGroupsSequence = list(ds.PerFrameFunctionalGroupsSequence)[::-1]
    for group in ds.PerFrameFunctionalGroupsSequence:
        group.PixelMeasuresSequence = shared.PixelMeasuresSequence
        group.PlaneOrientationSequence = shared.PlaneOrientationSequence
    del shared.PixelMeasuresSequence, shared.PlaneOrientationSequence
    ds.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
    assert np.array_equal(saved(tmp_path / "s.dcm", ds).shape_of(1).on(GRID), parts()[..., 0])


@pytest.mark.parametrize("normal", [0, 1, 2])
def test_planes_of_any_orientation_lie_where_their_centres_do(normal: int) -> None:
    matrix = LPS_TO_RAS @ GRID.matrix
    across, down = (axis for axis in range(3) if axis != normal)
    wanted = parts()[..., 0]
    planes = []
    for number in range(GRID.size[normal]):
        index = np.zeros(3)
        index[normal], index[down] = number, GRID.size[down] - 1
        pixels = np.take(wanted, number, axis=normal).T[::-1]
        cosines = np.concatenate([matrix[:3, across] / GRID.edges[across], -matrix[:3, down] / GRID.edges[down]])
        position = matrix[:3, :3] @ index + matrix[:3, 3]
        planes.append(Plane.of(pixels, position, cosines, (GRID.edges[down], GRID.edges[across]), GRID.edges[normal]))
    assert np.array_equal(FramesShape(tuple(planes)).on(GRID), wanted)
    assert np.array_equal(FramesShape(tuple(planes[::-1] + planes[:2])).on(turned(GRID)), wanted[:, ::-1])


def test_what_the_object_says_is_read(tmp_path: Path) -> None:
    found = saved(tmp_path / "s.dcm", segmentation(IMAGES, parts()))
    first = found.segments[0]
    assert found.referenced_series_uid == IMAGES[0].SeriesInstanceUID and found.patient_id == "P1"
    assert set(found.referenced_sop_uids) <= {ds.SOPInstanceUID for ds in IMAGES} and found.referenced_sop_uids
    assert found.frame_of_reference == IMAGES[0].FrameOfReferenceUID and found.creator == "Doe^Jane"
    assert (first.number, first.label, first.algorithm, first.tracking_id) == (1, "part 1", "manual", "T1")
    assert first.property == Code("10200004", "SCT", "Liver") and found.study_uid == IMAGES[0].StudyInstanceUID


def test_an_object_without_its_series_and_maker_names_none(tmp_path: Path) -> None:
    ds = segmentation(IMAGES, parts())
    del ds.ReferencedSeriesSequence, ds.ContentCreatorName
    found = saved(tmp_path / "s.dcm", ds)
    assert (found.referenced_series_uid, found.creator) == ("", "") and found.referenced_sop_uids


def moved(by: NDArray[np.float64]) -> Grid:
    return Grid(GRID.shape, tuple((GRID.matrix @ by).ravel()))


def half(axis: int) -> NDArray[np.float64]:
    by = np.eye(4)
    by[axis, 3] = 0.5
    return by


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (moved(half(0)), "0.35 mm beside"),
        (moved(half(1)), "0.45 mm beside"),
        (moved(half(2)), "1.25 mm beside"),
        (moved(np.diag([-1.0, 1, 1, 1])), "out"),
        (moved(np.diag([2.0, 2, 1, 1])), "another size or orientation"),
        (moved(np.diag([1.0, 1, 0.5, 1])), "apart"),
        (grid_of((43, 37, 12), (0.7, 0.9, 2.5), corner=(-40.0, 12.0, 7.0)), "orientation"),
        (Grid((20, 37, 12), GRID.affine), "reaches out of its image"),
        (Grid((43, 37, 5), GRID.affine), "slices outside of its image"),
        (Grid((43, 37, 12), tuple((np.diag([1.0, 1, 1, 1]) * np.nan).ravel())), "no usable geometry"),
    ],
    ids=[
        "half x",
        "half y",
        "half z",
        "mirrored",
        "coarser",
        "finer slices",
        "turned",
        "narrower",
        "fewer slices",
        "none",
    ],
)
def test_another_grid_is_refused_with_the_reason(tmp_path: Path, grid: Grid, words: str) -> None:
    caught = refusal(saved(tmp_path / "s.dcm", segmentation(IMAGES, parts()[..., 0])), grid)
    assert caught.check == "A01" and words in str(caught)


def test_an_image_that_reaches_further_takes_the_frames_where_they_lie(tmp_path: Path) -> None:
    found = saved(tmp_path / "s.dcm", segmentation(IMAGES, parts()[..., 0]))
    wider = GRID.matrix.copy()
    wider[:3, 3] -= GRID.matrix[:3, :3] @ [2, 3, 1]
    taken = found.shape_of(1).on(Grid((50, 45, 20), tuple(wider.ravel())))
    assert np.array_equal(taken[2:45, 3:40, 1:13], parts()[..., 0]) and taken.sum() == parts()[..., 0].sum()


def test_nothing_drawn_is_empty(tmp_path: Path) -> None:
    found = saved(tmp_path / "s.dcm", segmentation(IMAGES, np.zeros(GRID.size, np.uint8), omit_empty_frames=False))
    assert refusal(found).check == "A02"
    with pytest.raises(AnnotationError, match="no segment 9"):
        found.shape_of(9)


@pytest.mark.parametrize("cut", [1, 10**9], ids=["one byte", "all"])
def test_missing_pixels_are_refused(tmp_path: Path, cut: int) -> None:
    ds = segmentation(IMAGES, parts()[..., 0], omit_empty_frames=False)
    ds.PixelData = ds.PixelData[: -cut - 1] if cut < len(ds.PixelData) else b""
    assert refusal(saved(tmp_path / "s.dcm", ds)).check == "F03"


def test_claims_of_huge_frames_are_refused_without_reading_them(tmp_path: Path) -> None:
    ds = segmentation(IMAGES, parts()[..., 0])
    ds.Rows = ds.Columns = 65535
    caught = refusal(saved(tmp_path / "s.dcm", ds))
    assert caught.check == "A01" and "reaches out of its image" in str(caught)
    ds.NumberOfFrames = 2**31 - 1
    ds.save_as(tmp_path / "s.dcm")
    with pytest.raises(AnnotationError, match="as many frames as it claims"):
        read_seg(tmp_path / "s.dcm")


def test_frames_without_a_position_are_refused(tmp_path: Path) -> None:
    ds = segmentation(IMAGES, parts()[..., 0])
    del ds.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence
    caught = refusal(saved(tmp_path / "s.dcm", ds))
    assert caught.check == "A01" and "frame 2 does not say where" in str(caught)


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("SegmentationType", "", "binary, fractional or a label map"),
        ("SegmentSequence", [], "describes no segment"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.30", "a parametric map holds measured numbers"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.66.5", "a surface segmentation holds meshes"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2", "no segmentation, structure set"),
    ],
)
def test_an_object_that_is_no_segmentation_is_refused(tmp_path: Path, keyword: str, value: object, words: str) -> None:
    ds = segmentation(IMAGES, parts()[..., 0])
    setattr(ds, keyword, value)
    with pytest.raises(AnnotationError, match=words):
        saved(tmp_path / "s.dcm", ds)


@pytest.mark.parametrize("content", [b"", b"no DICOM" * 40])
def test_a_file_that_is_no_object_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "patient.dcm"
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match="cannot be read as DICOM") as caught:
        read_seg(path)
    assert "patient" not in str(caught.value)
    with pytest.raises(AnnotationError):
        read_seg(tmp_path / "absent.dcm")


def itk_grid(folder: Path) -> Grid:
    """The grid of a series as ITK reads it."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return turned(Grid(image.GetSize(), tuple((LPS_TO_RAS @ affine).ravel())))


@pytest.mark.parametrize(
    ("name", "image", "references"),
    [
        ("23x38x3/seg/label.seg", "23x38x3/image", {1: ("23x38x3/nrrd/label.nrrd", 1)}),
        ("24x38x3/seg/label.seg", "24x38x3/image", {1: ("24x38x3/nrrd/label.nrrd", 1)}),
        ("liver.dcm", "ct-3slice", {1: ("liver_seg.nrrd", 1)}),
        ("sparse-labelmap-ppv5.dcm", "24x38x3/image", {1: ("sparse_labelmap_ppv5_seg.nrrd", 1)}),
        ("sparse-labelmap-noppv.dcm", "24x38x3/image", {1: ("sparse_labelmap_noppv_seg.nrrd", 1)}),
        (
            "partial_overlaps.dcm",
            "ct-3slice",
            {
                1: ("partial_overlaps-1.nrrd", 1),
                2: ("partial_overlaps-2.nrrd", 2),
                4: ("partial_overlaps-1.nrrd", 4),
                5: ("partial_overlaps-1.nrrd", 5),
            },
        ),
    ],
)
def test_real_segmentations_are_what_their_writer_converted(
    real_data: Path, name: str, image: str, references: dict[int, tuple[str, int]]
) -> None:
    from trialbids.exporter.annotations.volume import VolumeShape

    folder = real_data / "dicom" / "dcmqi" / "segmentations"
    grid, found = itk_grid(folder / image), read_seg(folder / name)
    for number, (file, value) in references.items():
        assert np.array_equal(found.shape_of(number).on(grid), VolumeShape(folder / file, value).on(grid))
    other = itk_grid(folder / ("ct-3slice" if image != "ct-3slice" else "23x38x3/image"))
    assert {refusal(found, other, number).check for number in references} == {"A01"}
