"""Two training steps on an exported tree: what a training script on the curated data looks like, whole.

``python -m trialbids.datasets.demo BIDS_ROOT`` prints the cohort's report and the loss of each step.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from monai.losses.dice import DiceCELoss
from monai.networks.nets.unet import UNet
from monai.transforms.compose import Compose
from monai.transforms.intensity.dictionary import NormalizeIntensityd
from monai.transforms.spatial.dictionary import Resized
from monai.utils.misc import set_determinism
from torch.utils.data import DataLoader

from . import Cohort, CohortDataset, Database, Q, collate

GRID = (48, 48, 16)


def lesion_cohort(root: Path) -> Cohort:
    """Every session with a sagittal T2 that passed the checks and a lesion drawn on it."""
    return Database(root).cohort(
        unit="session",
        images={"t2": Q("T2w", plane="sag")},
        labels={"lesion": Q(label="lesion", scope="annotations")},
        qc="warn",
        missing="drop",
        duplicates="first",  # of the readers who drew it
    )


def losses(cohort: Cohort, steps: int = 2, seed: int = 0) -> Iterator[float]:
    """Train a small U-Net to find the lesion; yields the loss of each step."""
    set_determinism(seed)
    transform = Compose(
        [
            Resized(("t2", "lesion"), GRID, mode=("trilinear", "nearest")),
            NormalizeIntensityd("t2"),
        ]
    )
    dataset = CohortDataset(cohort, transform=transform, seed=seed)
    loader = DataLoader(dataset, batch_size=min(4, len(cohort)), collate_fn=collate)
    network = UNet(spatial_dims=3, in_channels=1, out_channels=1, channels=(8, 16, 32), strides=(2, 2))
    criterion = DiceCELoss(sigmoid=True)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    done = 0
    while done < steps:
        for batch in loader:
            optimiser.zero_grad()
            loss = criterion(network(batch["t2"].as_tensor()), batch["lesion"].as_tensor().float())
            loss.backward()
            optimiser.step()
            yield float(loss.detach())
            done += 1
            if done == steps:
                return


def main() -> None:
    """Print the report of the cohort and the losses."""
    parser = argparse.ArgumentParser(prog="trialbids.datasets.demo", description=__doc__)
    parser.add_argument("root", type=Path, help="the root of a BIDS tree that holds lesion masks")
    cohort = lesion_cohort(parser.parse_args().root)
    out = [str(cohort.report()), f"training a small U-Net on {len(cohort)} sessions:"]
    print("\n".join(out))  # noqa: T201 - a program that prints
    for step, loss in enumerate(losses(cohort), start=1):
        print(f"  step {step}: loss {loss:.4f}")  # noqa: T201


if __name__ == "__main__":
    main()
