"""What de-identification and its proof cost: an export with them and without them, interleaved, as a ratio.

    python benchmarks/deid.py            three synthetic sessions of benchmarks/many_files.py, some 21,000 files
    python benchmarks/deid.py FOLDER     any folder of DICOM

Without: no identifier is collected, no file inspected, no pixel looked at for text, no certificate written; the
sidecars are the same, since an export must write some. Each run is a process of its own with the serial engine, so that
seconds of CPU are all there is; the validator is not run.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

from many_files import write_session

from trialbids.exporter.deidentify.identifiers import Known
from trialbids.exporter.engine import Serial, quieten
from trialbids.exporter.inventory import rows
from trialbids.exporter.pipeline import plan_trial, scan_trial
from trialbids.exporter.places import workplace
from trialbids.exporter.progress import Silent
from trialbids.exporter.release import export, make, staging
from trialbids.exporter.release.verify import Verification
from trialbids.exporter.trial import trial_for

PATIENTS = 3
NOTHING_FOUND = Verification(0, 0, 0, {}, (), {})
STEPS = {
    "identifiers collected": [(rows, "identities", lambda *_: ""), (export, "known_of", lambda *_: Known())],
    "text in pixels": [(make, "find_text", lambda *_: ())],
    "files inspected": [(make, "inspect_file", lambda *_: ()), (staging, "inspect_file", lambda *_: ())],
    "tree verified, certificate": [(export, "prove", lambda *_: NOTHING_FOUND)],
}


def main() -> int:
    """Run the benchmark, or one run of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help="steps that are left out, separated by semicolons; prints seconds of CPU")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if options.one is not None:
        print(_one(options.source, options.output, [step for step in options.one.split(";") if step]))
        return 0
    with tempfile.TemporaryDirectory(prefix="trialbids-deid-") as name:
        source = options.source
        if source is None:
            source = Path(name, "in")
            for n in range(PATIENTS):
                write_session(source / f"{n}", patient=f"BENCH{n:02d}")
        _compare(source, Path(name), options.repeats)
    return 0


def _compare(source: Path, scratch: Path, repeats: int) -> None:
    cases = {"all steps": "", **{f"without: {step}": step for step in STEPS}, "without all of them": ";".join(STEPS)}
    seconds: dict[str, list[float]] = {case: [] for case in cases}
    for n in range(repeats):
        for k, (case, left_out) in enumerate(cases.items()):
            command = [sys.executable, __file__, str(source), "--one", left_out]
            command += ["--output", str(scratch / f"out{n}-{k}")]
            seconds[case].append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    bare = statistics.median(seconds["without all of them"])
    print(f"{'':40} CPU s   of an export without")
    for case, found in seconds.items():
        median = statistics.median(found)
        print(f"{case:40} {median:5.1f}   {median / bare:.2f}   ({min(found):.1f} to {max(found):.1f})")
    print(f"de-identification and its proof add {statistics.median(seconds['all steps']) / bare - 1:+.0%}")


def _one(source: Path, output: Path, left_out: list[str]) -> float:
    """Seconds of CPU of one export, that of the converter included."""
    quieten()
    trial = trial_for(source, output, None).model_copy(update={"faces": "allow"})
    with ExitStack() as stack:
        for module, attribute, stand_in in (hook for step in left_out for hook in STEPS[step]):
            stack.enter_context(patch.object(module, attribute, stand_in))
        before = _cpu()
        with workplace(trial) as pseudonyms:
            inventory = scan_trial(trial, Serial(), Silent())
            made = plan_trial(trial, inventory, pseudonyms, Silent())
            export.export_plan(made, trial, pseudonyms, Serial(), Silent())
        return _cpu() - before


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)


if __name__ == "__main__":
    raise SystemExit(main())
