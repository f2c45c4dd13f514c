"""What a model predicted is asked for as any other image: as a label of the next model, or as its input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from treemaker import TreeMaker, voxels

from trialbids.datasets import CohortDataset, CohortError, Database, Q, QueryError
from trialbids.datasets.predictions.writer import PredictionWriter

MODEL = "derivatives/unet-v1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two participants with a T2; one of them also has an ADC."""
    tree = TreeMaker(tmp_path / "bids")
    for label in ("01", "02"):
        tree.image(label, "T2w", {"sequence": "T2w"}, array=voxels((6, 5, 4)))
    tree.image("01", "ADC", {"sequence": "ADC"}, datatype="dwi", array=voxels((6, 5, 4)))
    return tree.finish()


def predict(root: Path, participant: str = "sub-01", kind: str = "mask") -> torch.Tensor:
    """Write a prediction for the T2 of one participant."""
    cohort = Database(root).cohort(images={"t2": Q("T2w")}, qc=None)
    sample = next(one for one in CohortDataset(cohort) if one["participant_id"] == participant)
    made = (torch.arange(120).reshape(1, 6, 5, 4) % 7 == 0).float()
    made = made * 0.25 if kind == "probseg" else made
    PredictionWriter(root, "unet-v1", labels="lesion", image="t2", kind=kind).write(made, sample)
    return made


def test_a_prediction_is_a_label(root: Path) -> None:
    made = predict(root)
    query = Q(label="lesion", scope=MODEL)
    cohort = Database(root).cohort(images={"t2": Q("T2w")}, labels={"lesion": query}, qc=None, missing="drop")
    (sample,) = CohortDataset(cohort)
    assert sample["participant_id"] == "sub-01" and np.array_equal(sample["lesion"], made)
    assert np.allclose(sample["lesion"].affine, sample["t2"].affine)
    assert repr(query) == "Q(label='lesion', scope='derivatives/unet-v1')"
    assert Database(root).query(Q(label="lesion", reader="unetv1", scope=MODEL))[0].sources[0].endswith("T2w.nii.gz")


def test_a_prediction_is_an_image_beside_what_it_was_made_of(root: Path) -> None:
    made = predict(root, kind="probseg")
    prior = Q(suffix="probseg", label="lesion", scope=MODEL)
    db = Database(root)
    (sample,) = CohortDataset(db.cohort(images={"prior": prior, "t2": Q("T2w")}, qc="pass", missing="drop"))
    assert np.array_equal(sample["prior"], made) and list(sample["prior"].shape) == list(sample["t2"].shape)
    with pytest.raises(CohortError, match="which is not in this sample"):
        db.cohort(images={"prior": prior, "adc": Q("ADC", units="stored")}, missing="raise")


def test_what_was_predicted_since_is_seen_when_it_is_asked_for_and_after_a_refresh(root: Path) -> None:
    db = Database(root)
    assert not db.query(Q(label="lesion", scope=MODEL)) and not db.annotations
    predict(root)
    assert len(db.refresh().added) == 1
    assert [image.participant_id for image in db.query(Q(label="lesion", scope=MODEL))] == ["sub-01"]
    again = Database(root)
    predict(root, "sub-02")
    assert len(again.query(Q(label="lesion", scope=MODEL))) == 2
    assert Database(root).images == db.images
    assert len(Database(root).query(Q(label="lesion", scope=MODEL))) == 2


def test_nothing_of_it_is_read_before_it_is_asked_for(root: Path) -> None:
    predict(root)
    (damaged,) = (root / MODEL).rglob("*_mask.nii.gz")
    damaged.write_bytes(b"")
    db = Database(root)
    assert not db.problems
    assert db.images_in(MODEL)[0].shape == ()
    assert [problem.path for problem in db.problems] == [damaged.relative_to(root).as_posix()]
    db.refresh()
    assert len(db.problems) == 1


def test_scopes_that_cannot_be_meant(root: Path) -> None:
    for scope in ("derivatives/annotations", "derivatives/", "derivatives/a/b", "models"):
        with pytest.raises(QueryError, match="legal: raw annotations derivatives/<model>"):
            Q(label="lesion", scope=scope)
    with pytest.raises(CohortError, match=r"no image in .* matches"):
        Database(root).cohort(images={"t2": Q("T2w")}, labels={"lesion": Q(label="lesion", scope="derivatives/none")})
