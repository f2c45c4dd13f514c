"""A folder that Hugging Face's library reads offline, with the same splits, types and values."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from treemaker import small_trial, write_json

from trialbids.datasets import Categorical, Cohort, CohortDataset, Database, Q
from trialbids.datasets.errors import ExportError
from trialbids.datasets.exports import huggingface
from trialbids.datasets.exports.files import check_own_grids


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Nothing is asked of the Hub, and nothing is written outside of the test."""
    import datasets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        datasets.disable_progress_bars()
        yield


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    db = Database(small_trial(tmp_path_factory.mktemp("hub") / "bids"), index=None)
    return db.cohort(
        images={"t2": Q("T2w"), "adc": Q("ADC"), "dce": Q("DCE")},
        labels={"lesion": Q(label="lesion", scope="annotations")},
        targets={"orads": Categorical("orads_score")},
        qc=None,
        missing="drop",
    )


def load(folder: Path, name: str, cache: Path) -> Any:
    from datasets import load_dataset

    return load_dataset(str(folder), name, cache_dir=str(cache))


def test_every_fold_is_read_back_with_its_parts_values_and_types(cohort: Cohort, tmp_path: Path) -> None:
    import datasets

    splits = cohort.split(k=2, test=0.25, seed=3)
    huggingface.write(cohort, splits, tmp_path / "out")
    for name, (train, val, test) in zip(("fold1", "fold2"), splits, strict=True):
        found = load(tmp_path / "out", name, tmp_path / "cache")
        for part, members in (("train", train), ("validation", val), ("test", test)):
            assert found[part]["sample_id"][:] == [sample["sample_id"] for sample in members]
    rows = found["train"]
    assert isinstance(rows.features["orads"], datasets.ClassLabel) and rows.features["orads"].names == ["2", "3", "4"]
    assert isinstance(rows.features["t2"], datasets.Nifti)
    for row, tensors in zip(rows, CohortDataset(train), strict=True):
        for key in cohort.keys:
            expected = np.moveaxis(tensors[key].numpy(), 0, -1)
            assert np.array_equal(np.asarray(row[key].dataobj).reshape(expected.shape), expected)
        assert row["dce.times"] == pytest.approx(tensors["dce.times"].tolist())
        assert row["orads"] == int(tensors["orads"])


def test_without_splits_there_is_one_part_and_missing_images_are_none(cohort: Cohort, tmp_path: Path) -> None:
    db = Database(cohort.root, index=None)
    masked = db.cohort(images={"t2": Q("T2w"), "adc": Q("ADC")}, qc=None, missing="mask", grid="same")
    huggingface.write(masked, None, tmp_path / "out")
    found = load(tmp_path / "out", "default", tmp_path / "cache")
    assert list(found) == ["unsplit"] and len(found["unsplit"]) == 6
    absent = [row["sample_id"] for row in found["unsplit"] if row["adc"] is None]
    assert absent == ["sub-03_ses-01"]


def test_a_copy_goes_elsewhere_and_does_not_hold_a_file_twice(cohort: Cohort, tmp_path: Path) -> None:
    huggingface.write(cohort, cohort.split(k=2, seed=0), tmp_path / "out", copy=True)
    files = [path for path in (tmp_path / "out").rglob("*.nii.gz") if path.is_file()]
    assert not any(path.is_symlink() for path in files)
    assert len(files) == 2 * 16 and len({path.stat().st_ino for path in files}) == 16
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    assert load(tmp_path / "elsewhere", "fold1", tmp_path / "cache")["train"][0]["t2"].shape == (6, 5, 4)


def test_what_the_tree_holds_is_linked_not_copied(cohort: Cohort, tmp_path: Path) -> None:
    written = huggingface.write(cohort, None, tmp_path / "out")
    assert all(path.is_symlink() for path in (tmp_path / "out").rglob("t2.nii.gz"))
    assert "dce: 4 written anew: several files as one." in written.notes


def test_the_licence_is_that_of_the_tree_and_its_lack_is_said(tmp_path: Path) -> None:
    root = small_trial(tmp_path / "bids")
    cohort = Database(root, index=None).cohort(images={"t2": Q("T2w")}, qc=None)
    assert any("licence" in note for note in huggingface.write(cohort, None, tmp_path / "without").notes)
    for licence, expected in (("CC0", {"license": "cc0-1.0"}), ("Ours", {"license": "other", "license_name": "Ours"})):
        write_json(root / "dataset_description.json", {"Name": "small", "BIDSVersion": "1.11.1", "License": licence})
        written = huggingface.write(cohort, None, tmp_path / licence)
        head = yaml.safe_load((tmp_path / licence / "README.md").read_text().split("---")[1])
        assert expected.items() <= head.items() and written.notes == ()


def test_a_place_that_is_taken_or_in_the_tree_is_refused(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").write_text("mine")
    with pytest.raises(ExportError, match="is there already"):
        huggingface.write(cohort, None, tmp_path / "out")
    with pytest.raises(ExportError, match="inside the BIDS tree"):
        huggingface.write(cohort, None, Path(str(cohort.root)) / "export")


def test_a_cohort_that_resamples_is_refused_rather_than_linked_as_it_is(cohort: Cohort) -> None:
    from trialbids.datasets.cohorts.policies import Resample

    db = Database(cohort.root, index=None)
    with pytest.raises(ExportError, match="own grid"):
        check_own_grids(db.cohort(images={"t2": Q("T2w")}, qc=None, grid=Resample(to="t2")))
    check_own_grids(cohort)
