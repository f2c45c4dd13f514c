"""How well does a model do at a centre that it has never seen? One fold a centre.

python leave_one_centre_out.py BIDS_ROOT
"""

import argparse

import torch
from monai.transforms import Compose, NormalizeIntensityd, Resized
from torch.utils.data import DataLoader

from trialbids.datasets import CohortDataset, Database, Q, Regression, collate


def main(root: str, steps: int = 3) -> None:
    cohort = Database(root).cohort(
        images={"t2": Q("T2w", plane="sag")},
        targets={"age": Regression("participants__age")},
        missing="drop",
        duplicates="first",
        qc="warn",
    )
    splits = cohort.leave_one_out("site")
    splits.check()
    transform = Compose([Resized("t2", (32, 32, 8)), NormalizeIntensityd("t2")])
    for train, _, test in splits:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(1))
        batch = next(iter(DataLoader(CohortDataset(train, transform), batch_size=len(train), collate_fn=collate)))
        network(batch["t2"].as_tensor())
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        for _ in range(steps):
            loss = (network(batch["t2"].as_tensor())[:, 0] - batch["age"]).abs().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        unseen = next(iter(DataLoader(CohortDataset(test, transform), batch_size=len(test), collate_fn=collate)))
        with torch.no_grad():
            error = (network(unseen["t2"].as_tensor())[:, 0] - unseen["age"]).abs().mean().item()
        (site,) = set(test.column("site"))
        print(f"{site}: {len(train)} sessions of other centres to learn from, error {error:.1f} years on {len(test)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    main(parser.parse_args().root)
