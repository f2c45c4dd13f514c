"""What all checks of headers cost over a large inventory, against stacking and naming the same instances.

    python benchmarks/qc_headers.py                 100,000 instances: the session of many_files.py, under many patients
    python benchmarks/qc_headers.py --instances N

The inventory is built before the clock starts. Each figure is the median of several runs, in seconds of one core.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.engine import Serial
from trialbids.exporter.harmonise import harmonise
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.run import Inventory, scan
from trialbids.exporter.plan.ledger import Ledger
from trialbids.exporter.plan.visits import find_visits
from trialbids.exporter.progress import Silent
from trialbids.exporter.qc.headers.duplicates import stacking_findings
from trialbids.exporter.qc.headers.run import check_headers, tables_of
from trialbids.exporter.stacks import stack_instances
from trialbids.exporter.trial.model import trial_for
from trialbids.mappings.rules import load_rules

HERE = Path(__file__).resolve().parent
LIMIT_S = 10.0


def main() -> int:
    """Run the benchmark and print its table; exit code 1 where the checks take longer than the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trialbids-bench-") as name:
        inventory = _scanned(Path(name))
    rows = _many(inventory.instances, options.instances)
    trial = trial_for(Path("/source"), Path("/output"))
    stacking, stacked_s = _timed(lambda: stack_instances(rows, lambda instance: ""), 1)
    records, named_s = _timed(lambda: harmonise(stacking.stacks, load_rules(())), 1)
    visits, people_s = _timed(lambda: find_visits(rows, trial, Pseudonyms(bytes(32)), Ledger()), 1)
    tables = tables_of(inventory.layouts)
    found, checked_s = _timed(
        lambda: (*check_headers(stacking, records, visits, tables=tables), *stacking_findings(stacking)),
        options.repeats,
    )
    print(f"{len(rows):,} instances, {len(stacking.stacks):,} stacks, {len(found):,} findings")
    for what, seconds in (("stacking", stacked_s), ("naming", named_s), ("people", people_s), ("checks", checked_s)):
        print(f"{what:10} {seconds:7.2f} s {1e6 * seconds / len(rows):7.1f} us an instance")
    print(f"{'limit':10} {LIMIT_S:7.2f} s for 100,000: {checked_s / (LIMIT_S * len(rows) / 100_000):.2f} of it")
    return int(checked_s > LIMIT_S * len(rows) / 100_000)


def _scanned(folder: Path) -> Inventory:
    sys.path.insert(0, str(HERE))  # PYTHONSAFEPATH keeps the script's own folder off the path
    from many_files import write_session

    write_session(folder / "in")
    return scan((folder / "in",), folder / "inventory", engine=Serial(), progress=Silent())


def _many(instances: tuple[Instance, ...], n: int) -> list[Instance]:
    """The same session under as many patients as make ``n`` instances."""
    out: list[Instance] = []
    copy = 0
    while len(out) < n:
        copy += 1
        end = f".{copy}"
        out += [
            replace(
                i,
                path=f"{copy}/{i.path}",
                PatientID=f"{i.PatientID}{copy}",
                SOPInstanceUID=i.SOPInstanceUID + end,
                SeriesInstanceUID=i.SeriesInstanceUID + end,
                StudyInstanceUID=i.StudyInstanceUID + end,
                FrameOfReferenceUID=i.FrameOfReferenceUID + end,
            )
            for i in instances[: n - len(out)]
        ]
    return out


def _timed(run: Callable[[], object], repeats: int) -> tuple[object, float]:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = run()
        seconds.append(time.process_time() - start)
    return result, statistics.median(seconds)


if __name__ == "__main__":
    sys.exit(main())
