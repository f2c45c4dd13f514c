"""trialbids against bare dcm2niix, dcm2bids and heudiconv: the same input, one go, interleaved, as ratios.

    python benchmarks/export.py                    the synthetic session of benchmarks/many_files.py, some 7,000 files
    python benchmarks/export.py FOLDER             any folder of DICOM
    TRIALBIDS_TEST_DATA=… python benchmarks/export.py --real      the folder dicom/ of the real test data

Every tool converts everything it can, with compressed output. dcm2niix is the wheel's native binary for all of them.
The two peers live in ``.venv-peers``, which the first run makes from ``peers.txt``. trialbids runs with every check on;
the others check nothing. CPU is user + system of all processes that a tool has started.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / ".venv-peers"
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True)
class Tool:
    """A competitor: its name and the command for (source, an empty output folder)."""

    name: str
    command: Callable[[Path, Path], list[str]]


@dataclass(frozen=True)
class Run:
    """One timed run: seconds of wall and CPU, and the number of images that came out."""

    wall: float
    cpu: float
    images: int


def main() -> int:
    """Run the benchmark and print its table. Ends with a message and exit code 1 where a tool makes no image."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="trialbids-bench-", dir=options.scratch) as name:
        scratch = Path(name)
        source = options.source or _real_data(options.real) or _synthetic(scratch / "in")
        tools = [tool for tool in _tools(scratch) if tool.name in options.tools]
        files = sum(1 for path in source.rglob("*") if path.is_file())
        print(
            f"{files:,} files, {options.repeats} interleaved runs a tool, {len(os.sched_getaffinity(0))} cores",
            flush=True,
        )
        runs: dict[str, list[Run]] = {tool.name: [] for tool in tools}
        for turn in range(options.repeats):
            for tool in tools:
                run = _timed(tool, source, scratch / "out" / tool.name)
                runs[tool.name].append(run)
                print(f"  {turn + 1}. {tool.name:10} {run.wall:7.1f} s wall {run.cpu:7.1f} s CPU", flush=True)
    print(_table(runs))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = ["trialbids", "dcm2niix", "dcm2bids", "heudiconv"]
    parser.add_argument("source", type=Path, nargs="?", help="folder of DICOM; a synthetic session where none is given")
    parser.add_argument("--real", action="store_true", help="the folder dicom/ below TRIALBIDS_TEST_DATA")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tools", nargs="+", choices=names, default=names)
    parser.add_argument("--scratch", type=Path, help="where inputs and outputs are written (default: the system's)")
    return parser.parse_args()


def _real_data(wanted: bool) -> Path | None:
    if not wanted:
        return None
    folder = Path(os.environ.get("TRIALBIDS_TEST_DATA", HERE.parents[1] / "shared" / "data")) / "dicom"
    if not folder.is_dir():
        sys.exit("no real data: TRIALBIDS_TEST_DATA names no folder that holds dicom/")
    return folder


def _synthetic(folder: Path) -> Path:
    sys.path.insert(0, str(HERE))  # PYTHONSAFEPATH keeps the script's own folder off the path
    from many_files import write_session

    print("writing the synthetic session …", flush=True)
    write_session(folder)
    return folder


def _tools(scratch: Path) -> list[Tool]:
    import dcm2niix

    native = str(dcm2niix.bin)
    tools_path = scratch / "path"
    tools_path.mkdir(parents=True)
    (tools_path / "dcm2niix").symlink_to(native)
    os.environ["PATH"] = f"{tools_path}{os.pathsep}{os.environ['PATH']}"
    config = scratch / "dcm2bids.json"
    every = {"id": "all", "datatype": "anat", "suffix": "T1w", "criteria": {"SeriesNumber": "*"}}
    config.write_text(json.dumps({"descriptions": [every]}))
    trialbids, peers = str(Path(sys.executable).parent / "trialbids"), PEERS / "bin"

    def dcm2bids_command(src: Path, out: Path) -> list[str]:
        return [str(peers / "dcm2bids"), "-d", str(src), "-p", "01", "-s", "01", "-c", str(config), "-o", str(out)]

    def heudiconv_command(src: Path, out: Path) -> list[str]:
        heuristic = str(HERE / "heudiconv_heuristic.py")
        chosen = ["-f", heuristic, "-s", "01", "-ss", "01", "-g", "all", "-c", "dcm2niix", "-b"]
        return [str(peers / "heudiconv"), "--files", str(src), *chosen, "-o", str(out)]

    return [
        Tool(
            "trialbids",
            lambda src, out: [trialbids, "export", str(src), str(out / "bids"), "--work", str(out / "work")],
        ),
        Tool("dcm2niix", lambda src, out: [native, "-z", "y", "-f", "%s_%p_%t", "-o", str(out), str(src)]),
        Tool("dcm2bids", dcm2bids_command),
        Tool("heudiconv", heudiconv_command),
    ]


def _timed(tool: Tool, source: Path, out: Path) -> Run:
    """Run a tool into a fresh folder. Its exit code is shown only where no image came out: dcm2niix returns 8 for
    'some files were no images', which is no failure of a conversion."""
    if tool.name in ("dcm2bids", "heudiconv"):
        _make_peers()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    log = out.with_name(f"{out.name}.log")
    with log.open("wb") as sink:
        before, start = _children_cpu(), time.perf_counter()
        code = subprocess.run(tool.command(source, out), stdout=sink, stderr=sink, check=False).returncode
        wall = time.perf_counter() - start
    _reap()
    cpu = _children_cpu() - before
    images = sum(
        1 for path in out.rglob("*.nii.gz") if "/work/" not in path.as_posix() and "tmp_dcm2bids" not in path.parts
    )
    if not images:
        sys.exit(
            f"{tool.name} ended with exit code {code} and made no image:\n{log.read_text(errors='replace')[-2000:]}"
        )
    return Run(wall, cpu, images)


def _make_peers() -> None:
    wanted, stamp = HERE / "peers.txt", PEERS / ".installed"
    if stamp.exists() and stamp.read_text() == wanted.read_text():
        return
    print(f"installing the peers into {PEERS.name} …", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
    subprocess.run([str(PEERS / "bin" / "pip"), "install", "--quiet", "--requirement", str(wanted)], check=True)
    stamp.write_text(wanted.read_text())


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _adopt_orphans() -> None:
    """Become the parent of orphaned grandchildren (a pool's fork server outlives its parent by a moment): without this
    their CPU would be nobody's, and a tool that works in processes would look better than it is."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap() -> None:
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _table(runs: dict[str, list[Run]]) -> str:
    """The table in Markdown: medians, their spread (largest less smallest, of the median), and ratios to trialbids."""
    base = runs.get("trialbids") or next(iter(runs.values()))
    wall0, cpu0 = (statistics.median(getattr(run, key) for run in base) for key in ("wall", "cpu"))
    name0 = "trialbids" if runs.get("trialbids") else next(iter(runs))
    lines = [
        "",
        f"| tool | wall, s | spread | CPU, s | wall, × {name0} | CPU, × {name0} | images |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, of_tool in runs.items():
        walls = [run.wall for run in of_tool]
        wall, cpu = statistics.median(walls), statistics.median(run.cpu for run in of_tool)
        spread = (max(walls) - min(walls)) / wall
        ratios = f"{wall / wall0:.2f} | {cpu / cpu0:.2f}"
        lines.append(f"| {name} | {wall:.1f} | {spread:.0%} | {cpu:.1f} | {ratios} | {of_tool[-1].images} |")
    return "\n".join(lines)


if __name__ == "__main__":
    _adopt_orphans()
    sys.exit(main())
