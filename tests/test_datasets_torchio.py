"""TorchIO subjects hold the values of the cohort, in this process, in workers and from a list."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchio
from treemaker import small_trial

from trialbids.datasets import Categorical, Cohort, CohortDataset, Database, Q, Times
from trialbids.datasets.cohorts.policies import Resample
from trialbids.datasets.errors import DatasetError, ExportError
from trialbids.datasets.exports.torchio import read_subjects, subjects, write

KEYS = ("adc", "dce", "trace", "lesion")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_trial(tmp_path_factory.mktemp("tree") / "bids")


@pytest.fixture(scope="module")
def cohort(tree: Path) -> Cohort:
    return Database(tree).cohort(
        images={
            "t2": Q("T2w"), "adc": Q("ADC"), "dce": Q("DCE", phases=Times([0, 60])), "trace": Q("trace", bvalues=[800])
        },
        labels={"lesion": Q(label="lesion")},
        targets={"orads": Categorical("orads_score")},
        qc="warn", missing="drop",
    )  # fmt: skip


def check(found: list[Any], cohort: Cohort) -> None:
    for subject, served in zip(found, CohortDataset(cohort), strict=True):
        assert subject["sample_id"] == served["sample_id"]
        assert subject["orads"] == served["orads"]
        for key in KEYS:
            assert torch.equal(subject[key].data, served[key].as_tensor())
            np.testing.assert_allclose(subject[key].affine, served[key].affine)


def test_subjects_have_the_values_of_the_cohort(cohort: Cohort) -> None:
    found = subjects(cohort)
    check(found, cohort)
    assert isinstance(found[0]["lesion"], torchio.LabelMap)
    assert isinstance(found[0]["adc"], torchio.ScalarImage)
    assert list(found[0]["dce.times"]) == pytest.approx([0.0, 62.0])


def test_subjects_go_to_a_worker_and_through_a_transform(cohort: Cohort) -> None:
    there = pickle.loads(pickle.dumps(subjects(cohort)))
    check(there, cohort)
    dataset = torchio.SubjectsDataset(subjects(cohort), transform=torchio.RescaleIntensity((0, 1)))
    assert float(dataset[0]["adc"].data.max()) == pytest.approx(1.0)


def test_a_list_gives_the_same_subjects_by_fold_and_part(cohort: Cohort, tree: Path, tmp_path: Path) -> None:
    splits = cohort.split(k=2)
    write(cohort, splits, tmp_path / "subjects.json")
    check(read_subjects(tmp_path / "subjects.json", tree), cohort)
    for number, (train, val, _) in enumerate(splits, start=1):
        assert val is not None
        check(read_subjects(tmp_path / "subjects.json", tree, fold=number), train)
        check(read_subjects(tmp_path / "subjects.json", tree, fold=number, part="val"), val)
    with pytest.raises(DatasetError, match="fold 3: there are 2, counted from 1"):
        read_subjects(tmp_path / "subjects.json", tree, fold=3)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DatasetError, match="is no list of subjects"):
        read_subjects(tmp_path / "other.json", tree)


def test_a_cohort_on_one_grid_gives_subjects_on_it(tree: Path) -> None:
    cohort = Database(tree).cohort(
        images={"t2": Q("T2w"), "adc": Q("ADC")}, labels={"lesion": Q(label="lesion")}, qc="warn", missing="drop",
        grid=Resample(to="t2"),
    )  # fmt: skip
    for subject, served in zip(subjects(cohort), CohortDataset(cohort), strict=True):
        for key in ("t2", "adc", "lesion"):
            np.testing.assert_allclose(subject[key].numpy(), served[key].numpy(), rtol=1e-6)


def test_what_a_batch_of_torchio_would_lose_is_refused(tree: Path) -> None:
    cohort = Database(tree).cohort(
        images={"t2": Q("T2w"), "adc": Q("ADC")}, qc="warn", missing="mask", grid="same",
    )  # fmt: skip
    with pytest.raises(ExportError, match="adc: missing in sub-03_ses-01; TorchIO's batches take the keys"):
        subjects(cohort)
