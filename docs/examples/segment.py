"""Learn to outline a lesion on T2 from patches; write what the network says back into the tree.

python segment.py BIDS_ROOT [--cache FOLDER]
"""

import argparse

import torch
from monai.inferers import sliding_window_inference
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from monai.transforms import Compose, NormalizeIntensityd, Orientationd, RandCropByPosNegLabeld, RandFlipd, SpatialPadd
from torch.utils.data import DataLoader

from trialbids.datasets import Cache, CohortDataset, CohortSampler, Database, PredictionWriter, Q, collate

KEYS = ("t2", "lesion")
PATCH = (48, 48, 16)


def main(root: str, cache: str | None = None, epochs: int = 1) -> None:
    db = Database(root)
    cohort = db.cohort(
        images={"t2": Q("T2w", plane="sag")},
        labels={"lesion": Q(label="lesion")},
        missing="drop",
        duplicates="first",
        qc="warn",
    )
    train, val, _ = cohort.split(k=3, seed=0)[0]

    prepare = [Orientationd(KEYS, axcodes="LPS"), SpatialPadd(KEYS, PATCH), NormalizeIntensityd("t2")]
    augment = [
        RandCropByPosNegLabeld(KEYS, label_key="lesion", spatial_size=PATCH, num_samples=2),
        RandFlipd(KEYS, prob=0.5, spatial_axis=0),
    ]
    # What stands before the first random transform is kept in the cache, under a key of voxels and parameters.
    kept = Cache(cache) if cache else None
    training = CohortDataset(train, Compose([*prepare, *augment]), seed=0, cache=kept)
    sampler = CohortSampler(train, seed=0)
    loader = DataLoader(training, batch_size=2, sampler=sampler, collate_fn=collate)

    network = UNet(spatial_dims=3, in_channels=1, out_channels=1, channels=(8, 16, 32), strides=(2, 2))
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    criterion = DiceCELoss(sigmoid=True)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for batch in loader:
            loss = criterion(network(batch["t2"].as_tensor()), batch["lesion"].as_tensor().float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"epoch {epoch}: loss {loss.item():.3f}")

    network.eval()
    writer = PredictionWriter(
        db, "unet", labels="lesion", image="t2", version="0.1", cohort=val, part="val", empty="write", overwrite=True
    )
    with torch.no_grad():
        for sample in CohortDataset(val, Compose(prepare)):
            logits = sliding_window_inference(sample["t2"][None], PATCH, 4, network)
            for path in writer.write(logits[0].sigmoid() > 0.5, sample):  # on the grid of the original image
                print(path.relative_to(db.root))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("--cache")
    options = parser.parse_args()
    main(options.root, options.cache)
