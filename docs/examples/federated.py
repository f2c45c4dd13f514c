"""Federated averaging (McMahan et al., 2017, arXiv:1602.05629): two centres, two processes, no image leaves its own.

    python federated.py BIDS_ROOT S01 S02

Here both processes read one tree and each asks for its own site; at two hospitals each opens the tree that lies there.
"""

import argparse
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from monai.transforms import Compose, NormalizeIntensityd, Resized
from torch.utils.data import DataLoader

from trialbids.datasets import CohortDataset, CohortSampler, Database, Q, Regression, collate


def centre(rank: int, root: str, sites: list[str], meeting: str, rounds: int) -> None:
    """One centre: learn at home, then average the weights, weighed by how many samples each centre has."""
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=len(sites))
    torch.set_num_threads(1)
    cohort = Database(root).cohort(
        images={"t2": Q("T2w", plane="sag")},
        targets={"age": Regression("participants__age")},
        where=f"site == '{sites[rank]}'",
        missing="drop",
        duplicates="first",
        qc="warn",
    )
    dataset = CohortDataset(cohort, Compose([Resized("t2", (32, 32, 8)), NormalizeIntensityd("t2")]), seed=0)
    # All samples of this centre: the sampler shall not share them out over the processes.
    sampler = CohortSampler(cohort, seed=0, rank=0, world=1)
    loader = DataLoader(dataset, batch_size=2, sampler=sampler, collate_fn=collate)
    everybody = torch.tensor([float(len(cohort))])
    dist.all_reduce(everybody)
    share = len(cohort) / everybody.item()

    torch.manual_seed(0)  # all begin with the same weights
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32 * 32 * 8, 1))
    for number in range(rounds):
        sampler.set_epoch(number)
        optimiser = torch.optim.SGD(network.parameters(), lr=1e-5)
        for batch in loader:
            loss = (network(batch["t2"].as_tensor())[:, 0] - batch["age"]).abs().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            for weights in network.parameters():
                weights *= share
                dist.all_reduce(weights)
        print(f"{sites[rank]}: round {number}, {len(cohort)} sessions, loss {loss.item():.1f}", flush=True)
    dist.destroy_process_group()


def main(root: str, sites: list[str], rounds: int = 2) -> None:
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(centre, (root, sites, f"{folder}/meeting", rounds), nprocs=len(sites))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("sites", nargs="+")
    options = parser.parse_args()
    main(options.root, options.sites)
