"""Regions put on images: on the exact grid or refused, named, checked, and none lost without a word."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from trialbids.exporter.annotations.coded import AnnotationError
from trialbids.exporter.annotations.contours import ContoursShape
from trialbids.exporter.annotations.files import FileShape
from trialbids.exporter.annotations.grid import Grid
from trialbids.exporter.annotations.objectshapes import ObjectShape
from trialbids.exporter.annotations.region import Drawing, Marked, Region, Target
from trialbids.exporter.annotations.resolve import Placed
from trialbids.exporter.release.drawn.stage import stage_masks
from trialbids.exporter.release.image import Image
from trialbids.exporter.release.session import StagedMasks
from trialbids.mappings.labels import Label

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
SHAPE = (6, 5, 4)
UID = "1.2.3"
LESION = Label("lesion", "52988006", "SCT", "Lesion", several=True)
REGION = Region(
    origin="line 2", target=Target(series_uids=(UID,)), label=LESION, reader="R1", method="manual",
    shape=FileShape(Path("absent.nii")),
)  # fmt: skip
IMAGE = Image(
    path="sub-A/ses-01/anat/sub-A_ses-01_T2w.nii.gz", participant_id="sub-A", session_id="ses-01", site="S1",
    scanner="n/a", acq_time="n/a", acquisition_id="a01", datatype="anat", suffix="T2w", record={}, qc_verdict="pass",
    shape=SHAPE, zooms=(2.0, 2.0, 3.0), affine=tuple(AFFINE.ravel()), dtype="int16", slope=1.0, inter=0.0,
    voxels_sha256="", file_bytes=0,
)  # fmt: skip


def inside(*places: tuple[int, int, int]) -> NDArray[np.uint8]:
    voxels = np.zeros(SHAPE, np.uint8)
    for place in places:
        voxels[place] = 1
    return voxels


MIDDLE = inside((2, 2, 1), (2, 2, 2))


def saved(folder: Path, voxels: NDArray[np.generic], affine: NDArray[np.float64] = AFFINE) -> FileShape:
    path = folder / f"{len(list(folder.glob('*.nii.gz')))}.nii.gz"
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return FileShape(path)


def stage(folder: Path, *drawings: Drawing, image: Image = IMAGE, images: tuple[Image, ...] = ()) -> StagedMasks:
    """Stage drawings that may be on any of the images."""
    known = images or (image,)
    planned: Any = [
        SimpleNamespace(
            row=SimpleNamespace(bids_path=i.path, stack_id=i.path),
            harmonised=SimpleNamespace(stack=SimpleNamespace(instances=())),
        )
        for i in known
    ]
    return stage_masks(folder / "staged", planned, known, [Placed(d, tuple(i.path for i in known)) for d in drawings])


def names(staged: StagedMasks) -> list[str]:
    return [path.rpartition("/")[2] for path in staged.paths if path.endswith(".nii.gz")]


def content(folder: Path, staged: StagedMasks, name: str) -> dict[str, Any]:
    path = next(path for path in staged.paths if path.endswith(f"{name}.json"))
    return json.loads((folder / "staged" / "/".join(path.split("/")[4:])).read_bytes())


def test_a_mask_on_its_grid_keeps_its_voxels_and_says_what_it_is(tmp_path: Path) -> None:
    staged = stage(tmp_path, replace(REGION, shape=saved(tmp_path, MIDDLE), lesion=2))
    assert names(staged) == ["sub-A_ses-01_label-lesion2_desc-R1_mask.nii.gz"] and staged.faults == ()
    written = nibabel.load(next((tmp_path / "staged").rglob("*.nii.gz")))
    assert isinstance(written, nibabel.Nifti1Image)
    assert np.array_equal(np.asanyarray(written.dataobj), MIDDLE) and np.array_equal(np.asarray(written.affine), AFFINE)
    assert content(tmp_path, staged, "mask") == {
        "Type": "ROI",
        "Label": "lesion",
        "LabelCode": {"CodeValue": "52988006", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Lesion"},
        "Lesion": 2,
        "Reader": "R1",
        "Method": "manual",
        "Sources": [f"bids:raw:{IMAGE.path}"],
    }


@pytest.mark.parametrize(
    ("voxels", "affine", "check"),
    [
        (np.ones((6, 5, 3), np.uint8), AFFINE, "A01"),
        (MIDDLE, AFFINE + np.array([[0, 0, 0, 1.0]] + [[0.0] * 4] * 3), "A01"),
        (MIDDLE, AFFINE @ np.diag([-1.0, 1, 1, 1]), "A01"),
        (inside(), AFFINE, "A02"),
        (MIDDLE * 7, AFFINE, "F03"),
    ],
    ids=["other size", "half a voxel beside", "mirrored", "empty", "no mask"],
)
def test_a_mask_that_does_not_fit_is_refused_and_listed(
    tmp_path: Path, voxels: NDArray[np.uint8], affine: NDArray[np.float64], check: str
) -> None:
    staged = stage(tmp_path, replace(REGION, shape=saved(tmp_path, voxels, affine)))
    (fault,) = staged.faults
    assert staged.paths == () and (fault.check, fault.severity, fault.series_uid) == (check, "error", UID)
    assert fault.message.startswith("line 2: ")


@pytest.mark.parametrize(
    ("changes", "voxels", "check"),
    [
        ({"label": Label("oddity"), "is_listed": False}, MIDDLE, "A03"),
        ({}, inside((0, 2, 1)), "A04"),
        ({}, inside((2, 2, 3)), "A04"),
        ({}, inside((1, 1, 1), (4, 3, 2)), "A05"),
        ({"reader": "R0"}, MIDDLE, "A06"),
    ],
    ids=["label not in the dictionary", "at the border", "on the last slice", "two islands", "no annotator"],
)
def test_what_is_doubtful_is_released_and_listed_and_says_so(
    tmp_path: Path, changes: dict[str, Any], voxels: NDArray[np.uint8], check: str
) -> None:
    staged = stage(tmp_path, replace(REGION, shape=saved(tmp_path, voxels), **changes))
    (fault,) = staged.faults
    assert (fault.check, fault.severity) == (check, "warning")
    assert content(tmp_path, staged, "mask")["Checks"] == [check]


def test_voxels_that_touch_by_a_corner_are_one_part(tmp_path: Path) -> None:
    assert stage(tmp_path, replace(REGION, shape=saved(tmp_path, inside((2, 2, 1), (3, 3, 2))))).faults == ()


def test_an_image_of_one_slice_has_no_border_along_it(tmp_path: Path) -> None:
    voxels = np.zeros((6, 5, 1), np.uint8)
    voxels[2, 2] = 1
    staged = stage(tmp_path, replace(REGION, shape=saved(tmp_path, voxels)), image=replace(IMAGE, shape=(6, 5, 1)))
    assert len(names(staged)) == 1 and staged.faults == ()


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({}, "second one of the same label by the same reader"),
        ({"label": Label("Lesion")}, "upper and lower case"),
        ({"reader": "r1"}, "upper and lower case"),
    ],
)
def test_names_that_are_one_name_on_some_disks_are_refused(tmp_path: Path, second: dict[str, Any], words: str) -> None:
    first = replace(REGION, shape=saved(tmp_path, MIDDLE))
    staged = stage(tmp_path, first, replace(first, origin="line 3", **second))
    (fault,) = staged.faults
    assert len(names(staged)) == 1 and words in fault.message and "line 3" in fault.message


def test_of_several_images_the_one_with_the_grid_is_taken(tmp_path: Path) -> None:
    other = replace(IMAGE, path=IMAGE.path.replace("T2w", "T1w"), shape=(9, 9, 9))
    region = replace(REGION, shape=saved(tmp_path, MIDDLE))
    assert names(stage(tmp_path, region, images=(other, IMAGE))) == ["sub-A_ses-01_label-lesion_desc-R1_mask.nii.gz"]
    (fault,) = stage(tmp_path, region, images=(replace(other, shape=SHAPE), IMAGE)).faults
    assert fault.check == "A01" and "2 images" in fault.message


def test_an_image_that_was_held_back_takes_its_masks_with_it(tmp_path: Path) -> None:
    staged = stage_masks(tmp_path / "staged", [], [], [Placed(REGION, ("gone",))])
    assert [f.check for f in staged.faults] == ["A01"] and "not among the exported images" in staged.faults[0].message


def of_one_map(folder: Path, *voxels: NDArray[np.uint8]) -> list[Region]:
    return [
        replace(
            REGION, origin=f"line {n}", shape=saved(folder, mask), lesion=n, value=n * 200, source="map", set="organs"
        )
        for n, mask in enumerate(voxels, start=1)
    ]  # fmt: skip


def test_a_label_map_leaves_as_one_too(tmp_path: Path) -> None:
    staged = stage(tmp_path, *of_one_map(tmp_path, MIDDLE, inside((4, 3, 2))))
    assert names(staged)[-1] == "sub-A_ses-01_seg-organs_desc-R1_dseg.nii.gz" and len(names(staged)) == 3
    written = nibabel.load(next((tmp_path / "staged").rglob("*dseg.nii.gz")))
    assert isinstance(written, nibabel.Nifti1Image)
    voxels = np.asanyarray(written.dataobj)
    assert voxels.dtype == np.uint16 and np.array_equal(
        voxels, MIDDLE * np.uint16(200) + inside((4, 3, 2)) * np.uint16(400)
    )
    table = next((tmp_path / "staged").rglob("*dseg.tsv")).read_text(encoding="utf-8").splitlines()
    assert table[0].split("\t")[:3] == ["index", "name", "abbreviation"]
    assert table[1].split("\t") == ["200", "lesion1", "lesion", "SCT", "52988006", "Lesion"]


@pytest.mark.parametrize("numbers", [(0, 1), (1, 70_000), (2**40, -5)], ids=["from 0", "beyond 16 bit", "odd"])
def test_regions_of_a_label_map_have_numbers_of_their_own(tmp_path: Path, numbers: tuple[int, int]) -> None:
    drawn = of_one_map(tmp_path, MIDDLE, inside((4, 3, 2)))
    staged = stage(tmp_path, *(replace(r, value=n) for r, n in zip(drawn, numbers, strict=True)))
    assert staged.faults == () and names(staged)[-1].endswith("_dseg.nii.gz")
    written = nibabel.load(next((tmp_path / "staged").rglob("*dseg.nii.gz")))
    voxels = np.asanyarray(written.dataobj)  # pyright: ignore[reportAttributeAccessIssue]
    table = next((tmp_path / "staged").rglob("*dseg.tsv")).read_text(encoding="utf-8").splitlines()[1:]
    index = {line.split("\t")[1]: int(line.split("\t")[0]) for line in table}
    assert sorted(index.values()) == [1, 2]
    assert np.array_equal(voxels == index["lesion1"], MIDDLE)
    assert np.array_equal(voxels == index["lesion2"], inside((4, 3, 2)))


def test_regions_that_overlap_are_no_label_map_even_if_one_is_called_0(tmp_path: Path) -> None:
    first, second = of_one_map(tmp_path, MIDDLE, inside((2, 2, 2)))
    staged = stage(tmp_path, replace(first, value=0), replace(second, value=1))
    assert len(names(staged)) == 2 and not any("dseg" in path for path in staged.paths)


@dataclass(frozen=True)
class Odd:
    """A shape whose reading or placing fails in a way that nobody foresaw."""

    error: type[Exception]

    def on(self, grid: Grid) -> NDArray[np.uint8]:
        raise self.error("of Grey^Anna")


@pytest.mark.parametrize("error", [MemoryError, OverflowError, ValueError, OSError, AttributeError, struct.error])
def test_whatever_a_drawing_raises_refuses_it_and_takes_the_others(tmp_path: Path, error: type[Exception]) -> None:
    good = replace(REGION, shape=saved(tmp_path, MIDDLE), origin="line 3")
    staged = stage(tmp_path, replace(REGION, shape=Odd(error)), good)
    (fault,) = staged.faults
    assert (fault.check, fault.severity) == ("F03", "error") and error.__name__ in fault.message
    assert fault.message.startswith("line 2: ") and "Grey" not in fault.message
    assert names(staged) == ["sub-A_ses-01_label-lesion_desc-R1_mask.nii.gz"]


def test_an_object_that_cannot_be_read_any_more_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Path:
        raise AnnotationError("unreadable", "the object cannot be read as DICOM")

    monkeypatch.setattr("trialbids.exporter.annotations.objectshapes.source_of", broken)
    instance: Any = SimpleNamespace()
    (fault,) = stage(tmp_path, replace(REGION, shape=ObjectShape(instance, 1))).faults
    assert fault.check == "F03" and fault.message == "line 2: the object cannot be read as DICOM"


def test_a_drawing_that_fails_on_its_way_into_a_file_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr("trialbids.exporter.release.drawn.files.encode", full)
    staged = stage(tmp_path, *of_one_map(tmp_path, MIDDLE, inside((4, 3, 2))))
    assert staged.paths == () and [f.check for f in staged.faults] == ["F03", "F03"]


def test_a_point_without_a_place_is_refused(tmp_path: Path) -> None:
    point = Marked(
        origin="line 2", target=REGION.target, label=LESION, reader="R1", method="manual", low=(math.nan, 0, 0)
    )
    staged = stage(tmp_path, point)
    assert staged.paths == () and [f.check for f in staged.faults] == ["F03"]


def test_slices_that_contours_leave_out_are_told(tmp_path: Path) -> None:
    def square(number: int) -> NDArray[np.float64]:
        index = np.array([[0.5, 0.5, number], [3.5, 0.5, number], [3.5, 3.5, number], [0.5, 3.5, number]])
        return index * [-2.0, -2.0, 3.0]

    image = replace(IMAGE, shape=(6, 5, 9))
    shape = ContoursShape((square(1), square(3), square(7)))
    staged = stage(tmp_path, replace(REGION, shape=shape), image=image)
    said = [f.message for f in staged.faults if f.check == "A05"]
    assert any(message == "line 2: 4 slices between contoured ones have no contour" for message in said)
    assert content(tmp_path, staged, "mask")["Checks"] == ["A05"]
    whole = stage(tmp_path / "whole", replace(REGION, shape=ContoursShape((square(1), square(2)))), image=image)
    assert whole.faults == ()


def test_labels_that_overlap_are_no_label_map_but_are_all_there(tmp_path: Path) -> None:
    staged = stage(tmp_path, *of_one_map(tmp_path, MIDDLE, inside((2, 2, 2))))
    assert len(names(staged)) == 2 and not any("dseg" in path for path in staged.paths)


def test_a_mask_on_a_pet_image_lies_where_the_standard_wants_it(tmp_path: Path) -> None:
    pet = replace(IMAGE, path="sub-A/ses-01/pet/sub-A_ses-01_trc-FDG_rec-ac_pet.nii.gz", datatype="pet", suffix="pet")
    staged = stage(tmp_path, replace(REGION, shape=saved(tmp_path, MIDDLE)), image=pet)
    assert staged.paths[0].endswith("/anat/sub-A_ses-01_rec-ac_space-pet_label-lesion_desc-R1_mask.nii.gz")
    assert content(tmp_path, staged, "mask")["SpatialReference"] == f"bids:raw:{pet.path}"


def test_entities_that_no_mask_may_have_are_left_out(tmp_path: Path) -> None:
    vfa = replace(IMAGE, path="sub-A/ses-01/anat/sub-A_ses-01_acq-x_flip-1_VFA.nii.gz", suffix="VFA")
    staged = stage(tmp_path, replace(REGION, shape=saved(tmp_path, MIDDLE)), image=vfa)
    assert names(staged) == ["sub-A_ses-01_acq-x_label-lesion_desc-R1_mask.nii.gz"]


def test_a_fault_of_the_machine_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("trialbids.exporter.annotations.volume.VolumeShape.on", full)
    (fault,) = stage(tmp_path, replace(REGION, shape=saved(tmp_path, MIDDLE))).faults
    assert (fault.check, fault.may_pass) == ("F03", True)
    monkeypatch.undo()
    (empty,) = stage(tmp_path, replace(REGION, shape=saved(tmp_path, MIDDLE * 0))).faults
    assert (empty.check, empty.may_pass) == ("A02", False)
