"""The parts of a split in Lightning: a training that can be interrupted, and what cannot be meant is known at once."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.transforms import RandFlipd, RandGaussianNoised
from treemaker import small_trial

from trialbids.datasets import Categorical, Cohort, CohortError, Database, DatasetError, Q, QueryError
from trialbids.datasets.training.statistics import IntensityStatistics

pytest.importorskip("lightning")
from lightning.pytorch import Callback, LightningModule, Trainer

from trialbids.datasets.training.lightning import CohortDataModule

AUGMENT = [RandFlipd("t2", prob=0.5, spatial_axis=0), RandGaussianNoised("t2", prob=1.0, std=100.0)]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return Database(small_trial(tmp_path_factory.mktemp("trial") / "bids")).cohort(
        images={"t2": Q("T2w")}, targets={"score": Categorical("orads_score")}, qc="warn", missing="drop"
    )


class Model(LightningModule):
    """One layer, and a list of what it saw: epoch, names, and the sum of the voxels."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(1, 3)
        self.seen: list[tuple[int, tuple[str, ...], float]] = []
        self.evaluated: list[tuple[tuple[str, ...], float]] = []

    def training_step(self, batch: dict[str, Any], index: int) -> torch.Tensor:
        images = batch["t2"].as_tensor().float()
        self.seen.append((self.current_epoch, tuple(batch["sample_id"]), float(images.double().sum())))
        logits = self.layer(images.mean(dim=(1, 2, 3, 4))[:, None] / 1000)
        return torch.nn.functional.cross_entropy(logits, batch["score"])

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        self.evaluated.append((tuple(batch["sample_id"]), float(batch["t2"].as_tensor().double().sum())))

    test_step = validation_step

    def predict_step(self, batch: dict[str, Any], index: int) -> list[str]:
        return batch["sample_id"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


class SaveAndStop(Callback):
    """Save a checkpoint behind one step, and end."""

    def __init__(self, path: Path, step: int) -> None:
        self.path, self.step = path, step

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            raise KeyboardInterrupt


def trainer(*callbacks: Callback, epochs: int = 1) -> Trainer:
    return Trainer(
        max_epochs=epochs, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, callbacks=list(callbacks),
    )  # fmt: skip


def module(cohort: Cohort, **options: Any) -> CohortDataModule:
    split = (cohort[:4], cohort[4:], cohort[4:])
    return CohortDataModule(split, AUGMENT, AUGMENT[:1], seed=0, dtype=torch.float32, **options)


def test_a_training_sees_every_sample_once_an_epoch_and_evaluates_on_the_same(cohort: Cohort) -> None:
    model, data = Model(), module(cohort, batch_size=2)
    trainer(epochs=3).fit(model, data)
    for epoch in range(3):
        names = [name for n, batch, _ in model.seen if n == epoch for name in batch]
        assert sorted(names) == sorted(cohort[:4].column("sample_id"))
    assert len({order for _, order, _ in model.seen}) > 2 and len({voxels for *_, voxels in model.seen}) == 6
    assert len(model.evaluated) == 3 and len(set(model.evaluated)) == 1
    trainer().test(model, data, verbose=False)
    assert trainer().predict(model, data) == [["sub-06_ses-01"]]


@pytest.mark.parametrize("step", [2, 3])
def test_a_checkpoint_resumes_with_the_next_batch(cohort: Cohort, tmp_path: Path, step: int) -> None:
    options: dict[str, Any] = {"balance": "score", "length": 6, "batch_size": 2}  # three batches an epoch
    whole = Model()
    trainer(epochs=3).fit(whole, module(cohort, **options))
    assert len(whole.seen) == 9
    first = Model()
    with pytest.raises(SystemExit):
        trainer(SaveAndStop(tmp_path / "stopped.ckpt", step), epochs=3).fit(first, module(cohort, **options))
    resumed = Model()
    trainer(epochs=3).fit(resumed, module(cohort, **options), ckpt_path=tmp_path / "stopped.ckpt", weights_only=True)
    assert [*first.seen, *resumed.seen] == whole.seen
    assert torch.equal(resumed.layer.weight, whole.layer.weight)


def test_a_checkpoint_between_epochs_resumes_with_the_right_epoch(cohort: Cohort, tmp_path: Path) -> None:
    whole, first, resumed = Model(), Model(), Model()
    trainer(epochs=3).fit(whole, module(cohort, batch_size=2))
    short = trainer(epochs=2)
    short.fit(first, module(cohort, batch_size=2))
    short.save_checkpoint(tmp_path / "two.ckpt")
    trainer(epochs=3).fit(resumed, module(cohort, batch_size=2), ckpt_path=tmp_path / "two.ckpt")
    assert [*first.seen, *resumed.seen] == whole.seen


def test_workers_that_are_kept_see_the_same(cohort: Cohort) -> None:
    alone, helped = Model(), Model()
    trainer(epochs=2).fit(alone, module(cohort, batch_size=2))
    trainer(epochs=2).fit(helped, module(cohort, batch_size=2, workers=1))
    assert helped.seen == alone.seen and helped.evaluated == alone.evaluated


def test_what_cannot_be_meant_is_known_at_once(cohort: Cohort) -> None:
    split = cohort.split(k=2, seed=0)[0]
    with pytest.raises(QueryError, match="draws at random; say eval_transform="):
        CohortDataModule(split, AUGMENT)
    with pytest.raises(QueryError, match="no training part"):
        CohortDataModule((None, cohort, None))
    with pytest.raises(QueryError, match="legal: train val test"):
        CohortDataModule(split, predict="all")
    with pytest.raises(QueryError, match="there is no such column"):
        CohortDataModule(split, balance="scanner")
    other = IntensityStatistics.fit(cohort.split(k=2, seed=0)[1].train)
    with pytest.raises(CohortError, match="fitted on fold2/train"):
        CohortDataModule(split, statistics=other)
    assert CohortDataModule(split).test_dataloader() == []


def test_without_lightning_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    monkeypatch.delitem(sys.modules, "trialbids.datasets.training.lightning")
    with pytest.raises(DatasetError, match=r"needs Lightning: pip install 'trialbids\[lightning\]'"):
        import_module("trialbids.datasets.training.lightning")
