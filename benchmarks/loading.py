"""How fast samples reach a training loop: trialbids against MONAI, TorchIO and pybids, on the same tree, in one run.

    python benchmarks/loading.py [--quick] [--subjects 40] [--workers 2] [--repeats 5] [--only volumes patches …]

Writes a tree into a temporary folder, reads it in each way in turn, and prints samples a second and ratios: the median
of the repeats, with the smallest and the largest. Figures are ratios within one run; the machine is never quiet.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from training import index, patches, pipeline, staleness, volumes
from training.tree import SEQUENCES, SHAPE, write_tree

from trialbids.datasets import Database, Q

SECTIONS = {"volumes": volumes.run, "patches": patches.run, "pipeline": pipeline.run}


def main(say: Callable[[str], object] = lambda line: sys.stdout.write(line + "\n")) -> None:
    """Run the sections that are asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--subjects", type=int, default=40)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--images", type=int, default=10_000, help="of the trees to index; growth to ten times that")
    options.add_argument("--quick", action="store_true", help="8 subjects, 2 repeats, 1,000 images to index")
    every = [*SECTIONS, "staleness", "index"]
    options.add_argument("--only", nargs="+", choices=every, default=every)
    args = options.parse_args()
    subjects, repeats = (8, 2) if args.quick else (args.subjects, args.repeats)
    with tempfile.TemporaryDirectory() as folder:
        root, scratch = Path(folder) / "bids", Path(folder) / "scratch"
        write_tree(root, subjects)
        cohort = Database(root).cohort(images={name.lower(): Q(name) for name in SEQUENCES}, qc=None)
        say(f"{subjects} subjects x {len(SEQUENCES)} volumes {SHAPE} int16, {args.workers} workers, {repeats} repeats")
        for name in args.only:
            scratch.mkdir(exist_ok=True)
            if name == "staleness":
                lines = staleness.run(scratch / name)
            elif name == "index":
                lines = index.lines(1_000 if args.quick else args.images)
            else:
                lines = SECTIONS[name](cohort, scratch / name, args.workers, repeats)
            for line in lines:
                say(line)


if __name__ == "__main__":
    main()
