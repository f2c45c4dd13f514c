"""Datalists and the spreadsheet: the same participants in the same folds, and the same voxels through MONAI."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data.decathlon_datalist import load_decathlon_datalist
from monai.transforms.io.dictionary import LoadImaged
from treemaker import AFFINE, TreeMaker, small_trial, voxels

from trialbids.datasets import Categorical, Cohort, CohortDataset, Database, Q, Times
from trialbids.datasets.cohorts.policies import Resample
from trialbids.datasets.errors import ExportError
from trialbids.datasets.exports import datalist, tsv
from trialbids.datasets.splits.splits import Splits


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_trial(tmp_path_factory.mktemp("tree") / "bids")


@pytest.fixture(scope="module")
def cohort(tree: Path) -> Cohort:
    return Database(tree).cohort(
        images={"adc": Q("ADC"), "dce": Q("DCE", phases=Times([0, 60])), "trace": Q("trace", bvalues=[800])},
        targets={"orads": Categorical("orads_score")},
        qc="warn",
        missing="drop",
    )


@pytest.fixture(scope="module")
def masked(tree: Path) -> Cohort:
    return Database(tree).cohort(images={"t2": Q("T2w")}, labels={"lesion": Q(label="lesion")}, qc="warn")


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def ids(part: Cohort | None) -> set[str]:
    return set() if part is None else {sample["sample_id"] for sample in part}


def test_a_k_fold_is_one_number_an_item_and_its_test_part_is_apart(masked: Cohort, tmp_path: Path) -> None:
    splits = masked.split(k=2, test=0.34, seed=3)
    datalist.write(masked, splits, tmp_path / "list.json")
    body = read(tmp_path / "list.json")
    for number, (train, val, test) in enumerate(splits):
        assert {i["sample_id"] for i in body["training"] if i["fold"] == number} == ids(val)
        assert {i["sample_id"] for i in body["training"] if i["fold"] != number} == ids(train)
        assert {i["sample_id"] for i in body["testing"]} == ids(test)
    assert body["provenance"]["cohort"] == masked.fingerprint
    assert body["provenance"]["splits"]["design"]["seed"] == 3
    assert (body["numTraining"], body["numTest"]) == (4, 2)


def test_one_division_has_lists_of_training_validation_and_testing(masked: Cohort, tmp_path: Path) -> None:
    splits = masked.split(val=0.34, test=0.17)
    datalist.write(masked, splits, tmp_path / "list.json")
    body = read(tmp_path / "list.json")
    (split,) = splits
    for name, part in zip(("training", "validation", "testing"), split, strict=True):
        assert {item["sample_id"] for item in body[name]} == ids(part)
        assert not any("fold" in item for item in body[name])


def test_a_site_left_out_at_a_time_is_a_fold(masked: Cohort, tmp_path: Path) -> None:
    datalist.write(masked, masked.leave_one_out("site"), tmp_path / "list.json")
    items = read(tmp_path / "list.json")["training"]
    assert {(item["site"], item["fold"]) for item in items} == {("S01", 0), ("S02", 1)}


def test_inner_folds_need_one_to_be_named(masked: Cohort, tmp_path: Path) -> None:
    nested = masked.split(k=2, nested=2)
    with pytest.raises(ExportError, match=r"sub-0\d_ses-01: of 4 folds .* one fold at a time"):
        datalist.write(masked, nested, tmp_path / "list.json")
    datalist.write(masked, nested, tmp_path / "list.json", fold=3)
    body = read(tmp_path / "list.json")
    assert {item["sample_id"] for item in body["testing"]} == ids(nested[2].test)
    assert body["provenance"]["splits"]["folds"] == ["fold2.1"]
    with pytest.raises(ExportError, match="fold 9: the splits have 4"):
        datalist.write(masked, nested, tmp_path / "other.json", fold=9)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_monai_reads_what_the_cohort_serves(cohort: Cohort, tree: Path, tmp_path: Path) -> None:
    done = datalist.write(cohort, None, tmp_path / "list.json")
    items = load_decathlon_datalist(tmp_path / "list.json", base_dir=tree)
    for item, served in zip(items, CohortDataset(cohort), strict=True):
        loaded = LoadImaged(("image", "adc", "dce", "trace"), ensure_channel_first=True)(item)
        for key in ("adc", "dce", "trace"):
            np.testing.assert_allclose(loaded[key].numpy(), served[key].numpy(), rtol=1e-6)
            np.testing.assert_allclose(loaded[key].affine.numpy(), served[key].affine.numpy(), atol=1e-5)
        together = torch.cat([served[key].as_tensor() for key in ("adc", "dce", "trace")])
        np.testing.assert_allclose(loaded["image"].numpy(), together.numpy(), rtol=1e-6)
        assert item["dce.times"] == pytest.approx(served["dce.times"].tolist())
        assert item["orads"] == served["orads"]
    assert any("adc" in note and "scaled to 1e-6 mm2/s" in note for note in done.notes)
    assert any("trace" in note and "some of its volumes" in note for note in done.notes)
    assert not any("dce" in note for note in done.notes)
    files = [path for path in (tmp_path / "list_files").iterdir() if path.is_file()]
    assert done.files == 1 + len(files)


def test_what_the_tree_holds_as_it_is_served_is_not_copied(masked: Cohort, tree: Path, tmp_path: Path) -> None:
    assert datalist.write(masked, None, tmp_path / "list.json").files == 1
    assert not (tmp_path / "list_files").exists()
    (first, *_) = read(tmp_path / "list.json")["training"]
    assert (tree / first["image"]).is_file()
    assert first["image"] == first["t2"].replace(str(tree), "") and not first["image"].startswith("/")
    copied = datalist.write(masked, None, tmp_path / "copy.json", copy=True)
    assert copied.files == 1 + 2 * len(masked)
    assert all(not path.is_symlink() for path in (tmp_path / "copy_files").iterdir())


def test_auto3dseg_has_image_and_label_only(masked: Cohort, cohort: Cohort, tmp_path: Path) -> None:
    datalist.write_auto3dseg(masked, masked.split(k=2), tmp_path / "list.json")
    (first, *_) = read(tmp_path / "list.json")["training"]
    assert set(first) == {"image", "label", "fold", "sample_id", "participant_id", "session_id", "site"}
    with pytest.raises(ExportError, match="one label, a mask or a label map; the cohort has 0: none"):
        datalist.write_auto3dseg(cohort, None, tmp_path / "none.json")


@pytest.fixture
def two_grids(tmp_path: Path) -> Database:
    """Two participants whose ADC is coarser than the T2, and a lesion on the ADC."""
    maker = TreeMaker(tmp_path / "bids")
    coarse = AFFINE.copy()
    coarse[:3, :3] *= 2
    for label in ("01", "02"):
        maker.image(label, "T2w", {"sequence": "T2w"}, array=voxels((8, 8, 6), seed=1))
        adc = maker.image(
            label, "ADC", {"sequence": "ADC"}, datatype="dwi", array=voxels((4, 4, 3), seed=2), affine=coarse,
            sidecar={"ADCScale": 1e-6}, acquisition_id="a02",
        )  # fmt: skip
        mask = np.zeros((4, 4, 3), np.uint8)
        mask[1:3, 1:3, 1] = 1
        maker.mask(adc, array=mask)
    return Database(maker.finish())


def test_images_on_two_grids_are_no_channels_until_they_are_resampled(two_grids: Database, tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "images": {"t2": Q("T2w"), "adc": Q("ADC")},
        "labels": {"lesion": Q(label="lesion")},
    }
    apart = two_grids.cohort(**asked)
    with pytest.raises(ExportError, match=r"sub-01 ses-01: the grid of sub-01_ses-01_ADC.nii.gz differs"):
        datalist.write_auto3dseg(apart, None, tmp_path / "list.json")
    assert not (tmp_path / "list.json").exists()
    noted = datalist.write(apart, None, tmp_path / "apart.json")
    assert "image" not in read(tmp_path / "apart.json")["training"][0]
    assert any("no key 'image': in 2 samples" in note for note in noted.notes)

    together = two_grids.cohort(**asked, grid=Resample(to="t2"))
    datalist.write_auto3dseg(together, None, tmp_path / "list.json")
    items = load_decathlon_datalist(tmp_path / "list.json", base_dir=two_grids.root)
    for item, served in zip(items, CohortDataset(together), strict=True):
        loaded = LoadImaged(("image", "label"), ensure_channel_first=True)(item)
        torch.testing.assert_close(
            loaded["image"].as_tensor(), torch.cat([served["t2"], served["adc"]]).as_tensor().float()
        )
        np.testing.assert_array_equal(loaded["label"].numpy(), served["lesion"].numpy())


@pytest.mark.parametrize("place", ["list.json", "bids/list.json", "file/list.json"])
def test_a_place_that_is_taken_is_refused(masked: Cohort, tree: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "list.json").write_text("mine")
    (tmp_path / "file").write_text("mine")
    out = tree / "list.json" if place.startswith("bids") else tmp_path / place
    with pytest.raises(ExportError, match=r"is there already|lies inside the BIDS tree|is a file, not a folder"):
        datalist.write(masked, None, out)
    assert (tmp_path / "list.json").read_text() == "mine"
    assert not (tree / "list.json").exists()


def test_splits_of_another_cohort_are_refused(masked: Cohort, cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="are in the splits but not in the cohort"):
        datalist.write(cohort, masked.split(k=2), tmp_path / "list.json")


def test_the_spreadsheet_has_a_row_a_sample_with_its_parts(cohort: Cohort, tree: Path, tmp_path: Path) -> None:
    splits: Splits = cohort.split(k=2)
    tsv.write(cohort, splits, tmp_path / "cohort.tsv")
    with (tmp_path / "cohort.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["sample_id"] for row in rows] == list(cohort.column("sample_id"))
    assert [row["orads"] for row in rows] == [str(score) for score in cohort.column("orads")]
    assert all((tree / path).is_file() for row in rows for path in row["dce"].split(" "))
    for name, split in zip(splits.names, splits, strict=True):
        assert {row["sample_id"] for row in rows if row[name] == "val"} == ids(split.val)


def test_a_key_with_a_name_of_the_decathlon_is_refused(tree: Path, tmp_path: Path) -> None:
    db = Database(tree)
    for images in ({"t2": Q("T2w"), "image": Q("ADC")}, {"label": Q("T2w")}):
        cohort = db.cohort(images=images, qc=None, missing="drop")
        with pytest.raises(ExportError, match=r"(image|label): in a datalist that is the name .* another name"):
            datalist.write(cohort, None, tmp_path / "list.json")
    datalist.write(db.cohort(images={"image": Q("T2w")}, qc=None, missing="drop"), None, tmp_path / "one.json")
