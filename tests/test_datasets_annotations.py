"""Annotations as labels: masks, lesions, label maps, fractions, boxes and points, by label and reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import ScaleIntensityd
from treemaker import AFFINE, TreeMaker, write_json, write_nifti, write_tsv

from trialbids.datasets import Cache, CohortDataset, CohortError, Database, Q, ReadError, collate

SHAPE = (6, 5, 4)
T2 = {"t2": Q("T2w")}


class AnnotatedTree(TreeMaker):
    """Two participants with one T2 each, to which annotations are added."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.t2 = {label: self.image(label, "T2w", {"sequence": "T2w", "plane": "ax"}) for label in ("01", "02")}

    def place(self, label: str, tail: str) -> Path:
        folder = self.root / "derivatives" / "annotations" / f"sub-{label}" / "ses-01" / "anat"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"sub-{label}_ses-01_{tail}"

    def annotate(self, label: str, tail: str, array: np.ndarray, affine: np.ndarray = AFFINE, **meta: object) -> Path:
        """Write ``…_<tail>.nii.gz``; the JSON names its source, and what is given."""
        path = self.place(label, f"{tail}.nii.gz")
        write_nifti(path, array, affine)
        source = self.t2[label].relative_to(self.root).as_posix()
        write_json(path.with_name(f"{path.name[:-7]}.json"), {"Sources": [f"bids:raw:{source}"], **meta})
        return path


@pytest.fixture
def tree(tmp_path: Path) -> AnnotatedTree:
    return AnnotatedTree(tmp_path / "bids")


def voxel(*places: tuple[int, int, int], value: int = 1) -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    for place in places:
        array[place] = value
    return array


def served(tree: AnnotatedTree, query: Q, **options: object) -> list[torch.Tensor]:
    cohort = Database(tree.finish()).cohort(images=T2, labels={"seg": query}, **options)  # type: ignore[arg-type]
    return [sample["seg"] for sample in CohortDataset(cohort)]  # type: ignore[misc]


def test_several_lesions_of_one_reader_are_one_mask(tree: AnnotatedTree) -> None:
    for label in ("01", "02"):
        tree.annotate(label, "label-lesion1_desc-R1_mask", voxel((1, 1, 1)), Label="lesion", Reader="R1", Lesion=1)
    tree.annotate("01", "label-lesion2_desc-R1_mask", voxel((3, 2, 2)), Label="lesion", Reader="R1", Lesion=2)
    tree.annotate("01", "label-lesion1_desc-R2_mask", voxel((5, 4, 3)), Label="lesion", Reader="R2", Lesion=1)
    first, second = served(tree, Q(label="lesion", reader="R1"))
    assert torch.equal(first[0], torch.from_numpy(voxel((1, 1, 1), (3, 2, 2))))
    assert torch.equal(second[0], torch.from_numpy(voxel((1, 1, 1))))
    assert first.dtype == second.dtype == torch.uint8
    (only,) = served(tree, Q(label="lesion2", reader="R1"), missing="drop")
    assert torch.equal(only[0], torch.from_numpy(voxel((3, 2, 2))))
    with pytest.raises(CohortError, match=r"More than one acquisition(.|\n)*desc-R1(.|\n)*desc-R2"):
        served(tree, Q(label="lesion"))


def test_lesions_on_different_grids_are_refused(tree: AnnotatedTree) -> None:
    moved = AFFINE.copy()
    moved[0, 3] += 0.75
    for label in ("01", "02"):
        tree.annotate(label, "label-lesion1_desc-R1_mask", voxel((1, 1, 1)), Label="lesion", Reader="R1")
    tree.annotate("01", "label-lesion2_desc-R1_mask", voxel((1, 1, 1)), moved, Label="lesion", Reader="R1")
    with pytest.raises(CohortError, match=r"lesion2_desc-R1_mask.nii.gz: its grid differs"):
        served(tree, Q(label="lesion", reader="R1"))


def test_a_consensus_is_a_reader_and_an_entity_names_one_without_json(tree: AnnotatedTree) -> None:
    for label in ("01", "02"):
        tree.annotate(label, "label-lesion_desc-consensus_mask", voxel((2, 2, 2)), Reader="R1, R2", Label="lesion")
        tree.annotate(label, "label-lesion_desc-R1_mask", voxel((1, 1, 1)))
    assert [int(mask[0, 2, 2, 2]) for mask in served(tree, Q(label="lesion", reader="consensus"))] == [1, 1]
    assert [int(mask[0, 1, 1, 1]) for mask in served(tree, Q(label="lesion", reader="r1"))] == [1, 1]


def organs(tree: AnnotatedTree, label: str, rows: list[dict[str, object]] | None = None) -> Path:
    array = voxel((1, 1, 1), value=3) + voxel((2, 2, 2), value=7) + voxel((3, 3, 3), value=8)
    path = tree.annotate(label, "seg-organs_desc-R1_dseg", array, Reader="R1")
    given = rows or [
        {"index": 3, "name": "prostate", "abbreviation": "P", "SCT": "41216001"},
        {"index": 7, "name": "kidney", "abbreviation": None, "SCT": "64033007"},
        {"index": 8, "name": "kidney", "abbreviation": "KL", "SCT": "64033007"},
    ]
    write_tsv(path.with_name(f"{path.name[:-7]}.tsv"), given)
    return path


def test_a_label_map_is_served_as_its_integers_or_by_region(tree: AnnotatedTree) -> None:
    for label in ("01", "02"):
        organs(tree, label)
    (whole, _) = served(tree, Q(seg="organs"))
    assert sorted(whole.unique().tolist()) == [0, 3, 7, 8]
    (prostate, _) = served(tree, Q(label="prostate"))
    assert torch.equal(prostate[0], torch.from_numpy(voxel((1, 1, 1)))) and prostate.dtype == torch.uint8
    assert torch.equal(served(tree, Q(label="kidney"))[0][0], torch.from_numpy(voxel((2, 2, 2), (3, 3, 3))))
    assert torch.equal(served(tree, Q(label="KL"))[0][0], torch.from_numpy(voxel((3, 3, 3))))
    with pytest.raises(CohortError, match=r"no image .* There are: .*dseg of kidney"):
        served(tree, Q(label="liver"))


def test_a_mask_goes_before_the_region_of_a_label_map(tree: AnnotatedTree) -> None:
    for label in ("01", "02"):
        organs(tree, label)
    tree.annotate("01", "label-prostate_desc-R1_mask", voxel((5, 4, 3)), Label="prostate", Reader="R1")
    drawn, mapped = served(tree, Q(label="prostate"))
    assert torch.equal(drawn[0], torch.from_numpy(voxel((5, 4, 3))))
    assert torch.equal(mapped[0], torch.from_numpy(voxel((1, 1, 1))))
    assert torch.equal(served(tree, Q(label="prostate", suffix="dseg"))[0], served(tree, Q(label="P"))[0])
    cohort = Database(tree.finish()).cohort(images=T2, labels={"seg": Q(label="prostate")})
    assert set(cohort[0]) == set(cohort[1])


def test_fractions_are_asked_for(tree: AnnotatedTree) -> None:
    fraction = np.linspace(0, 1, 120, dtype=np.float32).reshape(SHAPE)
    for label in ("01", "02"):
        tree.annotate(label, "label-lesion_desc-R1_probseg", fraction, Label="lesion", Reader="R1")
        tree.annotate(label, "label-lesion_desc-R1_mask", voxel((1, 1, 1)), Label="lesion", Reader="R1")
    (soft, _) = served(tree, Q(label="lesion", suffix="probseg"))
    assert torch.equal(soft[0], torch.from_numpy(fraction))
    assert torch.equal(served(tree, Q(label="lesion"))[0][0], torch.from_numpy(voxel((1, 1, 1))))


BOXES = [
    {"label": "nodule", "lesion": 1, "i1": 1, "j1": 1, "k1": 1, "i2": 3, "j2": 2, "k2": 1},
    {"label": "node", "lesion": 1, "i1": 0, "j1": 0, "k1": 0, "i2": 5, "j2": 4, "k2": 3},
    {"label": "nodule", "lesion": 2, "i1": 2, "j1": 0, "k1": 2, "i2": 2.5, "j2": 1, "k2": 3},
]


def test_boxes_and_points_are_arrays(tree: AnnotatedTree, tmp_path: Path) -> None:
    for label in ("01", "02"):
        write_tsv(tree.place(label, "desc-R1_boxes.tsv"), BOXES if label == "01" else BOXES[:1])
        write_json(tree.place(label, "desc-R1_boxes.json"), {"Reader": "R1"})
        write_tsv(tree.place(label, "desc-R1_points.tsv"), [{"label": "nodule", "lesion": 1, "i": 1, "j": 2, "k": 3}])
    first, second = served(tree, Q(label="nodule", suffix="boxes", reader="R1"))
    assert first.dtype == torch.float32 and type(first) is torch.Tensor
    assert first.tolist() == [[1, 1, 1, 3, 2, 1], [2, 0, 2, 2.5, 1, 3]]
    assert served(tree, Q(suffix="boxes", scope="annotations"))[0].shape == (3, 6)
    assert served(tree, Q(label="nodule", suffix="points"))[1].tolist() == [[1, 2, 3]]
    with pytest.raises(CohortError, match=r"no image .* matches"):
        served(tree, Q(label="nodule"))
    cohort = Database(tree.finish()).cohort(images=T2, labels={"box": Q(label="nodule", suffix="boxes")})
    batch = collate(list(CohortDataset(cohort)), ragged="list")
    assert [len(boxes) for boxes in batch["box"]] == [2, 1] and batch["t2"].shape == (2, 1, *SHAPE)
    assert set(batch) == {"sample_id", "participant_id", "session_id", "site", "t2", "box"}
    assert second.shape == (1, 6)
    kept = CohortDataset(cohort, [ScaleIntensityd("t2")], cache=Cache(tmp_path / "cache"))
    assert kept[0]["box"].tolist() == kept[0]["box"].tolist() == first.tolist()


def test_who_found_nothing_has_no_boxes(tree: AnnotatedTree) -> None:
    write_tsv(tree.place("01", "desc-R1_boxes.tsv"), BOXES)
    tree.place("02", "desc-R1_boxes.tsv").write_text("label\tlesion\ti1\tj1\tk1\ti2\tj2\tk2\n")
    assert [tuple(box.shape) for box in served(tree, Q(label="nodule", suffix="boxes"))] == [(2, 6), (0, 6)]


def test_missing_boxes_and_masks_are_empty_and_of_the_same_type(tree: AnnotatedTree) -> None:
    write_tsv(tree.place("01", "desc-R1_boxes.tsv"), BOXES)
    tree.annotate("01", "label-lesion_desc-R1_mask", voxel((1, 1, 1)), Label="lesion")
    labels = {"box": Q(label="nodule", suffix="boxes"), "lesion": Q(label="lesion")}
    cohort = Database(tree.finish()).cohort(images=T2, labels=labels, missing="mask", grid="same")
    first, second = list(CohortDataset(cohort))
    assert second["present"].tolist() == [True, False, False]
    assert tuple(second["box"].shape) == (0, 6)
    assert second["lesion"].dtype == first["lesion"].dtype == torch.uint8 and not second["lesion"].any()


def test_zeros_have_the_type_that_other_samples_have(tree: AnnotatedTree) -> None:
    """A batch of int16 images keeps its type although one of them is missing."""
    tree.image("01", "T1w", {"sequence": "T1w", "plane": "ax"}, acquisition_id="a02")
    tree.image("01", "PDw", {"sequence": "PDw", "plane": "ax"}, acquisition_id="a03", scale=(0.5, 1.0))
    images = {**T2, "t1": Q("T1w"), "pd": Q("PDw")}
    cohort = Database(tree.finish()).cohort(images=images, missing="mask", grid="same")
    first, second = list(CohortDataset(cohort))
    assert second["t1"].dtype == first["t1"].dtype == torch.int16
    assert second["pd"].dtype == first["pd"].dtype == torch.float32


@pytest.mark.parametrize("index", ["one", "1.5", ""])
def test_a_damaged_table_of_regions_is_listed(tree: AnnotatedTree, index: str) -> None:
    organs(tree, "01", [{"index": 1, "name": "prostate"}, {"index": index, "name": "kidney"}])
    (problem,) = Database(tree.finish()).problems
    assert problem.path.endswith("_dseg.nii.gz") and "line 3" in problem.reason


def test_a_damaged_coordinate_is_named(tree: AnnotatedTree) -> None:
    for label in ("01", "02"):
        write_tsv(tree.place(label, "desc-R1_boxes.tsv"), [BOXES[0], {**BOXES[2], "j2": "x"}])
    with pytest.raises(ReadError, match=r"sub-01 ses-01: seg: .*_boxes.tsv, line 3: i1 j1 k1 i2 j2 k2 are not all"):
        served(tree, Q(label="nodule", suffix="boxes"))
