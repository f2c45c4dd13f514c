"""The curve of enhancement inside every lesion: time since the first phase, signal, relative enhancement.

python dce_curves.py BIDS_ROOT > curves.tsv
"""

import argparse
import sys

from trialbids.datasets import CohortDataset, Database, Q, Resample


def main(root: str, out=sys.stdout) -> None:
    cohort = Database(root).cohort(
        images={"dce": Q("DCE"), "t2": Q("T2w", plane="sag")},
        labels={"lesion": Q(label="lesion")},  # drawn on the T2 …
        grid=Resample(to="dce"),  # … and brought onto the grid of the DCE
        missing="drop",
        duplicates="first",
        qc="warn",
    )
    print("participant_id", "session_id", "site", "time_s", "signal", "enhancement", sep="\t", file=out)
    for sample in CohortDataset(cohort):
        inside = sample["lesion"][0] > 0
        if not inside.any():
            print(f"{sample['sample_id']}: the lesion lies outside the DCE", file=sys.stderr)
            continue
        signal = sample["dce"][:, inside].double().mean(dim=1)
        for time, value in zip(sample["dce.times"].tolist(), signal.tolist(), strict=True):
            relative = value / signal[0].item() - 1
            who = (sample["participant_id"], sample["session_id"], sample["site"])
            print(*who, f"{time:g}", f"{value:.1f}", f"{relative:.3f}", sep="\t", file=out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    main(parser.parse_args().root)
