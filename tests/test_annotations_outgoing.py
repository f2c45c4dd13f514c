"""Masks of the tree as DICOM segmentations: equal voxel for voxel on the original series, or refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from annotationmaker import rotation
from conftest import Exported
from inventorymaker import enhanced, groups, item
from inventorymaker import write as write_object
from numpy.typing import NDArray
from stackmaker import axial, only_stack, write_series
from typer.testing import CliRunner

from trialbids.exporter.annotations.grid import Grid
from trialbids.exporter.annotations.outgoing.mask import TreeMask, read_mask
from trialbids.exporter.annotations.outgoing.segmentation import segmentation_of
from trialbids.exporter.annotations.seg import read_seg
from trialbids.exporter.cli import app
from trialbids.exporter.convert.grid import expected_grids
from trialbids.exporter.errors import UsageError
from trialbids.exporter.stacks.stack import Stack
from trialbids.mappings.labels import Label, shipped_labels

LABELS = {1: shipped_labels()["lesion"], 2: Label("septum", "113234001", "SCT", "Septum")}


def drawn(stack: Stack, *, seed: int = 0, highest: int = 1) -> TreeMask:
    """A random mask on the grid of the stack's image, as the converter lays it."""
    placed = expected_grids(stack)[0]
    voxels = np.random.default_rng(seed).integers(0, highest + 1, placed.shape).astype(np.uint8)
    return mask_of(voxels, Grid(placed.shape, tuple(placed.affine.ravel())))


def mask_of(voxels: NDArray[np.uint8], grid: Grid) -> TreeMask:
    image = "sub-A/ses-01/anat/sub-A_ses-01_T2w.nii.gz"
    labels = {value: LABELS[value] for value in range(1, int(voxels.max()) + 1)}
    return TreeMask(Path("m_mask.nii.gz"), image, grid, voxels, labels, "automatic", "unet-v1", "2.1")


def saved(folder: Path, mask: TreeMask, stack: Stack) -> Path:
    path = folder / "seg.dcm"
    path.write_bytes(segmentation_of(mask, stack))
    return path


def turned_series(folder: Path, n: int = 5) -> Stack:
    """A series that is oblique to all axes, its slices stored from the head down."""
    cosines = rotation(0.3, -0.2, 0.5)
    positions = [tuple(np.array([-10.0, 5.0, 30.0]) - cosines[:, 2] * 4.0 * k) for k in range(n)]
    write_series(folder, positions, ImageOrientationPatient=[*cosines[:, 0], *cosines[:, 1]], SpacingBetweenSlices=4)
    return only_stack(folder)


def flipped(mask: TreeMask, axes: tuple[int, ...]) -> TreeMask:
    """The same mask, its image stored with its axes in another order and direction."""
    voxels = mask.voxels.transpose(axes)[::-1]
    index = np.zeros((4, 4))
    index[3, 3] = 1
    for axis, source in enumerate(axes):
        index[source, axis] = -1 if axis == 0 else 1
    index[axes[0], 3] = voxels.shape[0] - 1
    return mask_of(np.ascontiguousarray(voxels), Grid(voxels.shape, tuple((mask.grid.matrix @ index).ravel())))


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_oblique_flipped_and_permuted_images_come_back_to_the_voxel(tmp_path: Path, axes: tuple[int, ...]) -> None:
    stack = turned_series(tmp_path / "dicom")
    mask = flipped(drawn(stack), axes)
    found = read_seg(saved(tmp_path, mask, stack))
    assert np.array_equal(found.shape_of(1).on(mask.grid), mask.voxels)


def test_the_object_names_the_model_the_label_and_the_original_series(tmp_path: Path) -> None:
    stack = turned_series(tmp_path / "dicom")
    mask = drawn(stack, highest=2)
    path = saved(tmp_path, mask, stack)
    data, found, original = pydicom.dcmread(path), read_seg(path), pydicom.dcmread(stack.first.path)
    assert (data.PatientName, data.StudyInstanceUID) == (original.PatientName, original.StudyInstanceUID)
    assert data.FrameOfReferenceUID == original.FrameOfReferenceUID
    assert found.referenced_series_uid == stack.first.SeriesInstanceUID
    assert set(found.referenced_sop_uids) == {i.SOPInstanceUID for i in stack.instances}
    assert [(s.label, s.property and s.property.value, s.algorithm, s.algorithm_name) for s in found.segments] == [
        ("lesion", "52988006", "automatic", "unet-v1"),
        ("septum", "113234001", "automatic", "unet-v1"),
    ]
    version = data.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion
    assert version == "2.1"
    for number in (1, 2):
        assert np.array_equal(found.shape_of(number).on(mask.grid), mask.voxels == number)
    again = pydicom.dcmread(saved(tmp_path, mask, stack))
    assert (again.SOPInstanceUID, again.SeriesInstanceUID) == (data.SOPInstanceUID, data.SeriesInstanceUID)


def test_frames_of_a_multi_frame_object_are_named_by_their_number(tmp_path: Path) -> None:
    shared = groups(
        PlaneOrientationSequence=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        PixelMeasuresSequence=item(PixelSpacing=[1.5, 1.25], SliceThickness=3, SpacingBetweenSlices=3),
    )
    frames = [groups(PlanePositionSequence=item(ImagePositionPatient=[-3, -4, 3 * k])) for k in (2, 0, 3, 1)]
    for number, frame in enumerate(frames):
        frame.FrameContentSequence = [item(DimensionIndexValues=[number + 1])]
    write_object(tmp_path / "dicom" / "e.dcm", enhanced(shared, frames, FrameOfReferenceUID="1.2.3"))
    stack = only_stack(tmp_path / "dicom")
    mask = drawn(stack)
    mask.voxels[:, :, 1] = 0
    path = saved(tmp_path, mask, stack)
    assert np.array_equal(read_seg(path).shape_of(1).on(mask.grid), mask.voxels)
    sources = [
        frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        for frame in pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
    ]
    assert sorted(sources) == [1, 2, 3]  # frame 4 is the slice at 3 mm, where nothing was drawn


def test_a_series_that_lacks_a_slice_or_has_another_grid_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "dicom", axial(5))
    stack = only_stack(tmp_path / "dicom")
    mask = drawn(stack)
    longer = Grid((*mask.grid.shape[:2], 6), mask.grid.affine)
    with pytest.raises(UsageError, match="has 5 slices a volume, and the image 16×12×6"):
        segmentation_of(mask_of(np.ones(longer.size, np.uint8), longer), stack)
    shifted = mask.grid.matrix.copy()
    shifted[0, 3] += 0.5
    with pytest.raises(UsageError, match=r"a slice of its series lies 0\.5 mm beside the grid"):
        segmentation_of(mask_of(mask.voxels, Grid(mask.grid.shape, tuple(shifted.ravel()))), stack)
    wider = Grid((17, *mask.grid.shape[1:]), mask.grid.affine)
    with pytest.raises(UsageError, match="parts of the image have no pixel"):
        segmentation_of(mask_of(np.ones(wider.size, np.uint8), wider), stack)


def test_originals_that_moved_or_changed_are_told(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "dicom", axial(4))
    stack = only_stack(tmp_path / "dicom")
    mask = drawn(stack)
    paths[1].write_bytes(paths[2].read_bytes())
    with pytest.raises(UsageError, match=r"001\.dcm: holds another object than when it was scanned"):
        segmentation_of(mask, stack)
    paths[1].unlink()
    with pytest.raises(UsageError, match=r"001\.dcm: the original is no longer there"):
        segmentation_of(mask, stack)


def command(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["seg", *map(str, words)])
    return done.exit_code, str(done.exception) if isinstance(done.exception, UsageError) else done.output


def test_masks_of_a_real_export_go_back_and_never_into_a_tree(exported: Exported, tmp_path: Path) -> None:
    tree, work = exported.trial.output, exported.trial.work
    masks = sorted(tree.glob("derivatives/annotations/**/*_mask.nii.gz"))[:3]
    masks += sorted(tree.glob("derivatives/annotations/**/*_dseg.nii.gz"))[:1]
    code, said = command(*masks, "--work", work, "--out", tmp_path / "out", "--json")
    assert code == 0, said
    assert json.loads(said)["written"] == [str(tmp_path / "out" / f"{m.name[:-7]}.dcm") for m in masks]
    for path, file in zip(masks, json.loads(said)["written"], strict=True):
        mask, found = read_mask(path), read_seg(Path(file))
        assert (Path(file).stat().st_mode & 0o777) == 0o600
        for number, segment in enumerate(found.segments, start=1):
            (value,) = [v for v, label in mask.labels.items() if label.name == segment.label]
            assert np.array_equal(found.shape_of(number).on(mask.grid), mask.voxels == value)
    assert "is there already" in command(masks[0], "--work", work, "--out", tmp_path / "out")[1]
    for inside in (tree / "segs", tree / "derivatives" / "annotations" / "new"):
        assert "hold original identifiers" in command(masks[0], "--work", work, "--out", inside)[1]
        assert not inside.exists()
    assert "is no work folder" in command(masks[0], "--work", tmp_path, "--out", tmp_path / "b")[1]
    image = next(tree.glob("sub-*/ses-*/anat/*_T2w.nii.gz"))
    assert "give a _mask.nii.gz or _dseg.nii.gz" in command(image, "--work", work, "--out", tmp_path / "b")[1]


def test_a_mask_on_another_grid_than_its_image_is_refused(tmp_path: Path) -> None:
    from treemaker import TreeMaker

    maker = TreeMaker(tmp_path)
    image = maker.image("A", "acq-x_T2w", {"sequence": "T2w"})
    shifted = np.eye(4)
    shifted[2, 3] = 7
    for change, options in (
        ("is not on the grid of sub-A", {"affine": shifted}),
        ("is not on the grid of sub-A", {"array": np.ones((6, 5, 3), np.uint8)}),
        ("is empty", {"array": np.zeros((6, 5, 4), np.uint8)}),
        ("holds the value 3, which stands for no label", {"array": np.full((6, 5, 4), 3, np.uint8)}),
    ):
        mask = maker.mask(image, **options)
        maker.finish()
        with pytest.raises(UsageError, match=change):
            read_mask(mask)
    mask.with_name(mask.name.replace(".nii.gz", ".json")).write_text("{}")
    with pytest.raises(UsageError, match="names no image of it in Sources"):
        read_mask(mask)
