"""Entries beside an image never get in the way of MONAI's transforms, and a plain list of rows reads as the dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from monai.data import CacheDataset, MetaTensor
from monai.transforms import Compose, RandFlipd, Spacingd
from treemaker import AFFINE, TreeMaker, small_trial

from trialbids.datasets import (
    Cohort,
    CohortDataset,
    Database,
    LoadSequencesd,
    Q,
    QueryError,
    Times,
)
from trialbids.datasets.cohorts.policies import Resample
from trialbids.datasets.reading.cache import Cache
from trialbids.datasets.reading.canonical import versioned


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database(small_trial(tmp_path_factory.mktemp("side") / "bids"))


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """T2 with a lesion, and an ADC on another grid, which is to be brought to that of the T2."""
    tree = TreeMaker(tmp_path_factory.mktemp("shifted") / "bids")
    other = AFFINE.copy()
    other[0, 3] += 2.2
    for n in ("01", "02"):
        tree.mask(tree.image(n, "T2w", {"sequence": "T2w"}))
        tree.image(n, "ADC", {"sequence": "ADC"}, datatype="dwi", affine=other, sidecar={"ADCScale": 1e-6})
    return Database(tree.finish()).cohort(
        images={"t2": Q("T2w"), "adc": Q("ADC")}, labels={"lesion": Q(label="lesion")}, grid=Resample("t2", "nearest")
    )


def test_a_dynamic_series_can_be_spaced(db: Database) -> None:
    cohort = db.cohort(images={"dce": Q("DCE", phases=Times([0, 60]))})
    plain = CohortDataset(cohort)[0]
    spaced = CohortDataset(cohort, [Spacingd("dce", (3.0, 3.0, 4.0))])[0]
    assert spaced["dce"].shape[0] == 2 and spaced["dce"].shape[1:] != plain["dce"].shape[1:]
    assert torch.equal(spaced["dce.times"], plain["dce.times"])


def test_the_loader_in_a_dataset_of_monai_resamples_as_ours(shifted: Cohort) -> None:
    theirs: Any = CacheDataset(shifted, Compose([LoadSequencesd(shifted.keys)]), num_workers=1, progress=False)
    own: Any = CohortDataset(shifted)
    for sample, ours in zip(theirs, own, strict=True):
        for key in shifted.keys:
            assert torch.equal(sample[key].as_tensor(), ours[key].as_tensor())
            assert torch.equal(sample[key].affine, ours[key].affine) and sample[key].dtype == ours[key].dtype
        assert torch.equal(sample["adc"].affine, sample["t2"].affine)
    row: Any = shifted[0]
    apart: MetaTensor = LoadSequencesd(shifted.keys, resample=False)(row)["adc"]
    assert not torch.equal(apart.affine, theirs[0]["t2"].affine)


def test_a_key_that_monai_takes_for_metadata_of_another_is_refused(db: Database) -> None:
    with pytest.raises(QueryError, match=r"'t2_lesion' begins with 't2_'"):
        db.cohort(images={"t2": Q("T2w")}, labels={"t2_lesion": Q(label="lesion")})


def with_site(sample: dict[str, Any]) -> dict[str, Any]:
    return {**sample, "place": sample["site"]}


def test_a_kept_step_that_asks_for_the_site_is_named(db: Database, tmp_path: Path) -> None:
    cohort = db.cohort(images={"t2": Q("T2w")}, qc=None)
    step = versioned(with_site, "add-site-v1")
    assert repr(step) == "versioned(with_site, 'add-site-v1')"
    dataset = CohortDataset(cohort, [step], cache=Cache(tmp_path))
    with pytest.raises(
        QueryError, match=r"'add-site-v1'\): there is no entry 'site' for it.* images and labels only: 't2'"
    ):
        dataset[0]
    behind = CohortDataset(cohort, [RandFlipd("t2", prob=0.0), step], cache=Cache(tmp_path))
    assert behind[0]["place"] == "S01"


def test_another_fault_of_a_step_is_not_explained_away(db: Database, tmp_path: Path) -> None:
    def broken(sample: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("no room")

    dataset = CohortDataset(
        db.cohort(images={"t2": Q("T2w")}, qc=None), [versioned(broken, "broken-v1")], cache=Cache(tmp_path)
    )
    with pytest.raises(RuntimeError, match=r"applying transform versioned\(.*'broken-v1'\)"):
        dataset[0]
