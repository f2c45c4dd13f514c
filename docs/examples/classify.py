"""Predict a score from T2, ADC and three phases of a DCE; sequences that are missing are learnt with.

python classify.py BIDS_ROOT
"""

import argparse

import torch
from monai.networks.nets import DenseNet
from monai.transforms import Compose, RandAffined, RandFlipd, ResizeWithPadOrCropd
from torch.utils.data import DataLoader

from trialbids.datasets import (
    Categorical,
    CohortDataset,
    CohortSampler,
    Database,
    DropSequencesd,
    IntensityStatistics,
    Q,
    Require,
    Resample,
    Times,
    class_weights,
    collate,
)

KEYS = ("t2", "adc", "dce")


def main(root: str, epochs: int = 1) -> None:
    db = Database(root)
    cohort = db.cohort(
        images={
            "t2": Q("T2w", plane="sag"),
            "adc": Q("ADC"),
            "dce": Q("DCE", phases=Times([0, 30, 60], tolerance=12)),
        },
        targets={"score": Categorical("orads_score", classes=(1, 2, 3, 4, 5))},
        missing=Require("t2"),  # a session without ADC or DCE stays, with zeros and a flag in `present`
        grid=Resample(to="t2"),
        duplicates="first",
        qc="warn",
    )
    print(cohort.report())
    train, val, _ = cohort.split(k=3, stratify=["score", "site"], seed=0)[0]

    # Fitted on the training part; a fit on any other part is refused.
    intensities = IntensityStatistics.fit(train, KEYS)
    weights = class_weights(train, "score", absent="zero")
    size = (64, 64, 16)
    prepare = [intensities.transform(), ResizeWithPadOrCropd(KEYS, size)]
    augment = [DropSequencesd(KEYS, prob=0.2), RandFlipd(KEYS, prob=0.5, spatial_axis=1), RandAffined(KEYS, prob=0.5)]
    training = CohortDataset(train, Compose([*prepare, *augment]), seed=0)
    validation = CohortDataset(val, Compose(prepare))

    network = DenseNet(
        spatial_dims=3, in_channels=5, out_channels=5, init_features=8, growth_rate=4, block_config=(2, 2)
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    criterion = torch.nn.CrossEntropyLoss(weight=weights)
    sampler = CohortSampler(train, seed=0, balance="score")
    loader = DataLoader(training, batch_size=2, sampler=sampler, collate_fn=collate)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for batch in loader:
            loss = criterion(network(stacked(batch)), batch["score"])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"epoch {epoch}: loss {loss.item():.3f}")

    network.eval()
    with torch.no_grad():
        for batch in DataLoader(validation, batch_size=1, collate_fn=collate):
            said = network(stacked(batch)).argmax(1).item()
            print(batch["sample_id"][0], "given", batch["score"].item() + 1, "predicted", said + 1)


def stacked(batch: dict) -> torch.Tensor:
    """T2, ADC and the phases as channels."""
    return torch.cat([batch[key].as_tensor().float() for key in KEYS], dim=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    main(parser.parse_args().root)
