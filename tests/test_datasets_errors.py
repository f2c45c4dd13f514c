"""Files that are damaged in the middle of an epoch: raised, or left out and said; never zeros in silence."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader
from treemaker import TreeMaker, voxels

from trialbids.datasets import Cohort, CohortDataset, Database, Q, ReadError, collate
from trialbids.datasets.errors import QueryError
from trialbids.datasets.reading.draws import Draw


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    """Four participants, of whom the second and third have damaged files."""
    tree = TreeMaker(tmp_path / "bids")
    paths = [tree.image(f"{n:02d}", "T2w", {"sequence": "T2w"}, array=voxels((20, 20, 10), seed=n)) for n in range(4)]
    made = Database(tree.finish()).cohort(images={"t2": Q("T2w")})
    paths[1].write_bytes(paths[1].read_bytes()[:3000])
    paths[2].write_bytes(b"no image")
    return made


def test_raising_names_participant_session_and_file_also_from_a_worker(cohort: Cohort) -> None:
    loader = DataLoader(CohortDataset(cohort), batch_size=2, num_workers=1, collate_fn=collate)
    with pytest.raises(ReadError, match=r"sub-01 ses-01: t2: .*sub-01_ses-01_T2w\.nii\.gz"):
        list(loader)


@pytest.mark.parametrize("workers", [0, 2])
def test_skipping_leaves_out_and_says_so(cohort: Cohort, workers: int) -> None:
    dataset = CohortDataset(cohort, errors="skip")
    loader = DataLoader(dataset, batch_size=2, num_workers=workers, collate_fn=collate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, second = list(loader)
    assert first["sample_id"] == ["sub-00_ses-01"] and first["t2"].shape[0] == 1 and bool(first["t2"].any())
    assert second["sample_id"] == ["sub-03_ses-01"]
    assert "sub-01_ses-01_T2w.nii.gz" in first["skipped"][0] and "sub-02 ses-01: t2" in second["skipped"][0]
    assert dataset.skipped == ("sub-01_ses-01", "sub-02_ses-01")


def test_a_batch_of_which_nothing_is_left(cohort: Cohort) -> None:
    dataset = CohortDataset(cohort[[1, 2]], errors="skip")
    with pytest.warns(UserWarning, match="left out") as caught:
        batch = collate([dataset[0], dataset[1], dataset[Draw(0, 5)]])
    assert batch["sample_id"] == [] and len(batch["skipped"]) == 3 and "t2" not in batch
    assert len([w for w in caught if "left out" in str(w.message)]) == 2, "once a sample"


def test_every_batch_tells_of_skipping_where_it_is_asked_for(cohort: Cohort) -> None:
    assert collate([CohortDataset(cohort, errors="skip")[0]])["skipped"] == []
    assert "skipped" not in collate([CohortDataset(cohort)[0]])
    with pytest.raises(QueryError, match="legal: raise skip"):
        CohortDataset(cohort, errors="ignore")


def test_indices_slices_and_draws(cohort: Cohort) -> None:
    dataset = CohortDataset(cohort, lambda sample: {**sample, "drawn": torch.rand(())})
    assert [sample["sample_id"] for sample in dataset[3:4]] == ["sub-03_ses-01"]
    assert [sample["sample_id"] for sample in dataset[[0, 3]]] == ["sub-00_ses-01", "sub-03_ses-01"]
    drawn = [float(dataset[draw]["drawn"]) for draw in (0, Draw(0), Draw(0, 1), Draw(0, 0, 1), Draw(0, 1, 1))]
    assert drawn[0] == drawn[1] and len(set(drawn[1:])) == 4
    dataset.set_epoch(1)
    assert float(dataset[0]["drawn"]) == drawn[2] and float(dataset[Draw(0)]["drawn"]) == drawn[0]
