"""Two processes train together: each sees its own samples, both together see the epoch of one, weights stay alike.

Run as a program with the folder of a tree, this file is the training itself: one interpreter that forks, because
importing torch in each process would take longer than all the rest.
"""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
from monai.transforms import RandFlipd, RandGaussianNoised
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from treemaker import small_trial

from trialbids.datasets import Cohort, CohortDataset, Database, Q, collate
from trialbids.datasets.training.sampler import CohortSampler

WORLD = 2


def cohort_of(root: Path) -> Cohort:
    return Database(root).cohort(images={"t2": Q("T2w")}, qc="warn")


def augment() -> list[Any]:
    return [RandFlipd("t2", prob=0.5, spatial_axis=0), RandGaussianNoised("t2", prob=1.0, std=100.0)]


def train(cohort: Cohort, network: torch.nn.Module, batch_size: int) -> dict[str, Any]:
    """Two epochs; what was seen, and the weights after every step."""
    dataset = CohortDataset(cohort, augment(), seed=0, dtype=torch.float32)
    sampler = CohortSampler(cohort, seed=0)
    loader = DataLoader(dataset, batch_size=batch_size, sampler=sampler, collate_fn=collate)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    seen: list[tuple[int, int, str, torch.Tensor]] = []
    weights: list[torch.Tensor] = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for number, batch in enumerate(loader):
            images = batch["t2"].as_tensor()
            seen += [(epoch, number, name, image) for name, image in zip(batch["sample_id"], images, strict=True)]
            loss = (network(images / 1000) - 1).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            weights.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    return {"seen": seen, "weights": weights}


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Conv3d(1, 1, 3, padding=1)


def one_of_two(rank: int, root: Path) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{root}.meeting", rank=rank, world_size=WORLD)
    told = train(cohort_of(root), DistributedDataParallel(network()), batch_size=1)
    torch.save(told, f"{root}.{rank}.pt")
    torch.distributed.destroy_process_group()


def with_lightning(root: Path) -> None:
    """The same in Lightning, which would put a sampler of its own into the place of most others."""
    from lightning.pytorch import LightningModule, Trainer

    from trialbids.datasets.training.lightning import CohortDataModule

    class Model(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.seen, self.evaluated = network(), [], []

        def training_step(self, batch: dict[str, Any], index: int) -> torch.Tensor:
            names = zip(batch["sample_id"], batch["t2"].as_tensor(), strict=True)
            self.seen += [(self.current_epoch, index, name, image) for name, image in names]
            return self.layer(batch["t2"].as_tensor() / 1000).mean()

        def validation_step(self, batch: dict[str, Any], index: int) -> None:
            self.evaluated += batch["sample_id"]

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

        def on_fit_end(self) -> None:
            torch.save({"seen": self.seen, "evaluated": self.evaluated}, f"{root}.lightning{self.global_rank}.pt")

    cohort = cohort_of(root)
    data = CohortDataModule((cohort, cohort[:3], None), augment(), [], seed=0, dtype=torch.float32, batch_size=1)
    Trainer(
        max_epochs=2, accelerator="cpu", devices=WORLD, strategy="ddp_fork", logger=False, num_sanity_val_steps=0,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    ).fit(Model(), data)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree, trained on by two processes."""
    root = small_trial(tmp_path_factory.mktemp("trial") / "bids")
    here = Path(__file__)
    code = f"import sys; sys.path.insert(0, {str(here.parent)!r}); import {here.stem}; {here.stem}.main(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return root


def told(root: Path, name: str) -> dict[str, Any]:
    return torch.load(f"{root}.{name}.pt", weights_only=True)


def same(one: list[Any], two: list[Any]) -> bool:
    by_name = ({(epoch, name): image for epoch, _, name, image in seen} for seen in (one, two))
    first, second = by_name
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_two_processes_share_the_epoch_of_one_and_learn_the_same(root: Path) -> None:
    one = train(cohort_of(root), network(), batch_size=2)
    ranks = [told(root, str(rank)) for rank in range(WORLD)]
    both = [draw for rank in ranks for draw in rank["seen"]]
    assert len(both) == len(one["seen"]) == 12 and same(both, one["seen"])
    batches = {(epoch, number, name) for epoch, number, name, _ in one["seen"]}
    assert {(epoch, number, name) for epoch, number, name, _ in both} == batches  # the n-th batches are the n-th batch
    for mine, theirs, alone in zip(ranks[0]["weights"], ranks[1]["weights"], one["weights"], strict=True):
        assert torch.equal(mine, theirs) and torch.allclose(mine, alone, atol=1e-5)
    assert all(not torch.equal(a, b) for a, b in pairwise(one["weights"]))


def test_lightning_leaves_the_sampler_in_its_place(root: Path) -> None:
    ranks = [told(root, f"lightning{rank}") for rank in range(WORLD)]
    plain = [told(root, str(rank)) for rank in range(WORLD)]
    for mine, other in zip(ranks, plain, strict=True):
        assert [draw[:3] for draw in mine["seen"]] == [draw[:3] for draw in other["seen"]]
        assert same(mine["seen"], other["seen"])
    ids = list(cohort_of(root)[:3].column("sample_id"))
    assert sorted(name for rank in ranks for name in rank["evaluated"]) == sorted(ids * 2)  # each once an epoch


def main(root: str) -> None:
    torch.multiprocessing.start_processes(one_of_two, (Path(root),), nprocs=WORLD, start_method="fork")
    with_lightning(Path(root))
