"""How fast headers are read: files per second of the inventory's reader against pydicom, as ratios.

    python benchmarks/headers.py [FOLDER]

The folder defaults to ``dicom/picai_prep`` below ``TRIALBIDS_TEST_DATA``. Each reader runs over the files three
times after a warm-up, on one core; the best run counts. pydicom is measured with and without reading the values.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pydicom

from trialbids.exporter.inventory.batch import read_batch
from trialbids.exporter.inventory.decode import decode
from trialbids.exporter.inventory.find import Found, find_files
from trialbids.exporter.inventory.reading import Readings, read_file
from trialbids.exporter.inventory.syntax import read_value
from trialbids.exporter.inventory.tags import FIELDS

RUNS = 3


def main() -> None:
    """Measure and print."""
    default = Path(os.environ.get("TRIALBIDS_TEST_DATA", "../shared/data")) / "dicom" / "picai_prep"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    if not folder.is_dir():
        print(f"skipped: there is no folder {folder}")
        return
    files = [found for found in find_files([folder], folder / "none").files if is_dicom(found)]
    if not files:
        print(f"skipped: there is no DICOM below {folder}")
        return
    readers: dict[str, Callable[[list[Found]], object]] = {
        "trialbids, rows": read_rows,
        "trialbids, Arrow table": read_batch,
        "pydicom, full header": lambda files: [read_full(found) for found in files],
        "pydicom, specific_tags": lambda files: [read_specific(found) for found in files],
        "pydicom, full header and values": lambda files: [read_values(found) for found in files],
    }
    seconds = {name: best(reader, files) for name, reader in readers.items()}
    fastest = seconds["trialbids, rows"]
    print(f"{len(files)} files, best of {RUNS} runs, one core")
    for name, duration in seconds.items():
        print(f"{name:32} {len(files) / duration:8.0f} files/s   {duration / fastest:5.1f} x the time of trialbids")


def best(reader: Callable[[list[Found]], object], files: list[Found]) -> float:
    """Processor seconds of the fastest run; what our reader remembers of values is forgotten before each."""
    reader(files[:20])
    durations: list[float] = []
    for _ in range(RUNS):
        decode.cache_clear()
        read_value.cache_clear()
        start = time.process_time()
        reader(files)
        durations.append(time.process_time() - start)
    return min(durations)


def is_dicom(found: Found) -> bool:
    """Whether pydicom takes the file too."""
    return pydicom.misc.is_dicom(found.path)


def read_rows(files: list[Found]) -> Readings:
    """Instances, by the inventory's reader."""
    readings = Readings()
    for found in files:
        read_file(found, readings)
    return readings


def read_full(found: Found) -> pydicom.Dataset:
    """The whole header."""
    return pydicom.dcmread(found.path, stop_before_pixels=True)


def read_specific(found: Found) -> pydicom.Dataset:
    """The inventory's tags only."""
    return pydicom.dcmread(found.path, stop_before_pixels=True, specific_tags=list(FIELDS))


def read_values(found: Found) -> list[object]:
    """The inventory's tags, with their values decoded."""
    header = read_full(found)
    return [header[tag].value for tag in FIELDS if tag in header]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
