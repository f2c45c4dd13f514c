"""Grids: one for all, or brought to one; what cannot be is said before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from treemaker import AFFINE, TreeMaker, write_json, write_tsv

from trialbids.datasets import CohortError, Database, Q, QueryError, Require
from trialbids.datasets.cohorts.policies import Resample

IMAGES = {"t2": Q("T2w"), "adc": Q("ADC")}


def tree_of(root: Path, shifts: dict[str, float | None]) -> TreeMaker:
    """A T2 a participant, and an ADC that lies so many mm beside it; None for no ADC."""
    tree = TreeMaker(root)
    for label, shift in shifts.items():
        tree.mask(tree.image(label, "T2w", {"sequence": "T2w"}))
        if shift is not None:
            moved = AFFINE.copy()
            moved[0, 3] += shift
            tree.image(label, "ADC", {"sequence": "ADC"}, datatype="dwi", affine=moved, sidecar={"ADCScale": 1e-6})
    return tree


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    root = tmp_path_factory.mktemp("grid") / "bids"
    return Database(tree_of(root, {"01": 0.0, "02": 3.0, "03": None}).finish())


def test_a_cohort_carries_the_grid_it_is_brought_to(db: Database) -> None:
    grid = Resample(to="t2", interpolation="cubic")
    cohort = db.cohort(images=IMAGES, labels={"lesion": Q(label="lesion")}, missing="drop", grid=grid)
    assert cohort.resample == grid == cohort[:1].resample and len(cohort) == 2
    assert db.cohort(images=IMAGES, missing="drop").resample is None


def test_what_is_missing_needs_a_reference_that_is_there(db: Database) -> None:
    grid = Resample(to="t2")
    with pytest.raises(QueryError, match=r"write missing=Require\('t2'\)"):
        db.cohort(images=IMAGES, missing="mask", grid=grid)
    with pytest.raises(QueryError, match=r"write missing=Require\('t2'\)"):
        db.cohort(images=IMAGES, missing=Require("adc"), grid=grid)
    cohort = db.cohort(images=IMAGES, missing=Require("t2"), grid=grid)
    assert [sample["present"] for sample in cohort] == [[True, True], [True, True], [True, False]]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Resample(to="t2", interpolation="bspline"), "legal: 'linear', 'nearest', 'cubic'"),
        (lambda: {"grid": Resample(to="t1")}, "names no key of images=; there are: 't2', 'adc'"),
        (lambda: {"grid": "t2"}, r"legal: 'any', 'same' or Resample\(to='t2'\)"),
    ],
)
def test_a_grid_that_cannot_be_meant(db: Database, make: Any, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        db.cohort(images=IMAGES, missing="drop", **make())


def test_same_names_both_files(db: Database) -> None:
    with pytest.raises(CohortError, match=r"sub-02 ses-01: sub-02/.*ADC\.nii\.gz and sub-02/.*T2w\.nii\.gz"):
        db.cohort(images=IMAGES, missing="drop", grid="same")


def test_one_stacked_image_needs_one_grid(db: Database) -> None:
    cohort = db.cohort(images=IMAGES, missing="drop")
    with pytest.raises(CohortError, match=r"images of 1 samples .*grid=Resample\(to='t2'\)") as error:
        cohort.check_stackable()
    assert "sub-02 ses-01: sub-02/ses-01/dwi/sub-02_ses-01_ADC.nii.gz and sub-02/ses-01/anat/" in str(error.value)
    cohort[:1].check_stackable()
    db.cohort(images=IMAGES, missing="drop", grid=Resample(to="adc")).check_stackable()


def test_images_of_different_places_are_not_resampled_to_nothing(tmp_path: Path) -> None:
    db = Database(tree_of(tmp_path / "bids", {"01": 5.0, "02": 500.0}).finish())
    with pytest.raises(CohortError, match=r"sub-02 ses-01: .*ADC.* and .*T2w.* show no place in common") as error:
        db.cohort(images=IMAGES, missing="drop", grid=Resample(to="t2"))
    assert "sub-01" not in str(error.value)


def test_tables_count_voxels_of_the_reference(tmp_path: Path) -> None:
    tree = tree_of(tmp_path / "bids", {"01": 3.0})
    table = tmp_path / "bids/derivatives/annotations/sub-01/ses-01/anat/sub-01_ses-01_points.tsv"
    write_tsv(table, [{"label": "lesion", "lesion": 1, "i": 1, "j": 1, "k": 1}])
    write_json(table.with_suffix(".json"), {"Sources": ["bids:raw:sub-01/ses-01/anat/sub-01_ses-01_T2w.nii.gz"]})
    db = Database(tree.finish())
    ask: dict[str, Any] = {"images": IMAGES, "labels": {"spots": Q(label="lesion", suffix="points")}}
    assert len(db.cohort(**ask, grid=Resample(to="t2"))) == 1
    with pytest.raises(CohortError, match=r"_points\.tsv counts voxels of another image than .*ADC"):
        db.cohort(**ask, grid=Resample(to="adc"))


def test_turned_images_of_one_place_overlap(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    turned = AFFINE @ np.array([[0, 1, 0, 0], [-1, 0, 0, 5], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=float)
    tree.image("01", "T2w", {"sequence": "T2w"})
    tree.image("01", "ADC", {"sequence": "ADC"}, datatype="dwi", affine=turned, sidecar={"ADCScale": 1e-6})
    assert len(Database(tree.finish()).cohort(images=IMAGES, grid=Resample(to="t2"))) == 1
