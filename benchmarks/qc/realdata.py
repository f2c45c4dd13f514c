"""Real series that somebody has looked at and called sound: judged as they are, and made faulty."""

from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from .scans import Drawn, Slice

ROOT = Path(__file__).resolve().parents[2]
TABLE = "expected_series.csv"
FEWEST = 12


@dataclass(frozen=True)
class RealSeries:
    """A sound series: its maker and its files. ``simple`` says that it is one volume of one image a file, not coded."""

    uid: str
    vendor: str
    files: tuple[Path, ...]
    simple: bool


def data_folder() -> Path | None:
    """Where the real data lie, or None."""
    folder = Path(os.environ.get("TRIALBIDS_TEST_DATA", ROOT.parent / "shared" / "data"))
    return folder if (folder / TABLE).is_file() else None


@cache
def sound_series() -> tuple[RealSeries, ...]:
    """Every series of which all rows of the table say that it is sound."""
    folder = data_folder()
    if folder is None:
        return ()
    with (folder / TABLE).open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    unsound = {row["series_uid"] for row in rows if row["sound"] != "yes"}
    found: dict[str, RealSeries] = {}
    for row in rows:
        if row["series_uid"] not in unsound and row["series_uid"] not in found:
            files = _files(folder / "dicom" / row["path_prefix"], row["series_uid"])
            vendor = row["manufacturer"].split()[0].lower() if row["manufacturer"] else "unknown"
            found[row["series_uid"]] = RealSeries(row["series_uid"], vendor, files, _is_simple(files, row))
    return tuple(found.values())


def _files(place: Path, uid: str) -> tuple[Path, ...]:
    kept: list[Path] = []
    for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
        if path.is_file():
            try:
                header = dcmread(path, specific_tags=["SeriesInstanceUID"], stop_before_pixels=True)
            except (InvalidDicomError, EOFError):
                continue
            if header.get("SeriesInstanceUID") == uid:
                kept.append(path)
    return tuple(kept)


def _is_simple(files: tuple[Path, ...], row: dict[str, str]) -> bool:
    if len(files) < FEWEST or row["n_stacks_expected"] != "1" or row["bvalues"] or row["acquisition"]:
        return False
    headers = [dcmread(path, stop_before_pixels=True) for path in files]
    native = {h.file_meta.TransferSyntaxUID for h in headers} <= {ExplicitVRLittleEndian, ImplicitVRLittleEndian}
    places = {str(h.get("ImagePositionPatient")) for h in headers}
    return native and len(places) == len(files) and headers[0].get("BitsAllocated") == 16


def simple_series() -> tuple[RealSeries, ...]:
    """The series into which faults of one volume can be put."""
    return tuple(series for series in sound_series() if series.simple)


def faultless(series: RealSeries, key: str) -> list[Slice]:
    """A real series under another patient and other UIDs, in order of place."""
    slices = [_slice(path, key) for path in series.files]
    cosines = np.array([float(v) for v in slices[0].ImageOrientationPatient])
    normal = np.cross(cosines[:3], cosines[3:])
    slices.sort(key=lambda ds: float(np.array([float(v) for v in ds.ImagePositionPatient]) @ normal))
    for index, ds in enumerate(slices):
        ds.drawn = Drawn("real", "image", index)
    return slices


def _slice(path: Path, key: str) -> Slice:
    read = dcmread(path)
    ds = Slice({element.tag: element for element in read})
    ds.file_meta = read.file_meta
    ds.PatientID, ds.PatientName = key, f"Fault^{key}"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        words = f"{key}/{read.get(keyword)}"
        setattr(ds, keyword, f"2.25.{int.from_bytes(hashlib.sha256(words.encode()).digest()[:15], 'big')}")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds
