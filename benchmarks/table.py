"""How fast a table is judged: seconds and rows per second for 100,000 rows, on all cores and on one.

    python benchmarks/table.py [ROWS]

The rows are made here: scans as scanners write them, described by words, a plane, options and a running number, so that
nine descriptions in ten are met once, with TR, TE and flip angles that are hardly ever the same. A fifth of the rows
come as studies of twelve.
"""

from __future__ import annotations

import csv
import random
import sys
import tempfile
import time
from pathlib import Path

from trialbids.exporter.engine import engine
from trialbids.exporter.harmonise.listing import harmonise_listing, open_listing
from trialbids.exporter.progress import Silent

FULL = ["PatientID", "StudyInstanceUID", "Modality", "Manufacturer", "MagneticFieldStrength", "SeriesDescription",
        "BodyPartExamined", "ImageType", "ScanningSequence", "MRAcquisitionType", "RepetitionTime", "EchoTime",
        "FlipAngle", "EchoTrainLength", "DiffusionBValue", "ImageOrientationPatient"]  # fmt: skip
SCANS = [
    ("t2 tse", r"ORIGINAL\PRIMARY\M\ND", "SE", "2D", (2500, 7000), (80, 130), (120, 180), ""),
    ("T1 vibe dixon", r"ORIGINAL\PRIMARY\W", "GR", "3D", (3.5, 8), (1.1, 2.6), (8, 15), ""),
    ("eTHRIVE", r"ORIGINAL\PRIMARY\M_FFE\M\FFE", "GR", "3D", (3, 6), (1, 2.5), (9, 12), ""),
    ("Ax LAVA", r"ORIGINAL\PRIMARY\OTHER", "GR", "3D", (3, 8), (1, 3), (10, 15), ""),
    ("ep2d_diff", r"ORIGINAL\PRIMARY\DIFFUSION\NONE", "EP", "2D", (3000, 9000), (50, 95), (90, 90), r"50\400\800"),
    ("DWI", r"ORIGINAL\PRIMARY\DIFFUSION\TRACEW", r"EP\SE", "2D", (3000, 9000), (50, 95), (90, 90), "1000"),
    ("ADC", r"DERIVED\PRIMARY\DIFFUSION\ADC", "EP", "2D", (3000, 9000), (50, 95), (90, 90), ""),
    ("FLAIR", r"ORIGINAL\PRIMARY\M\SE", r"SE\IR", "2D", (8000, 11000), (90, 140), (150, 180), ""),
    ("STIR", r"ORIGINAL\PRIMARY\M\IR", r"SE\IR", "2D", (3000, 6000), (30, 70), (150, 180), ""),
    ("t1 mprage", r"ORIGINAL\PRIMARY\M\ND\NORM", r"GR\IR", "3D", (1500, 2400), (2, 4), (8, 12), ""),
    ("haste", r"ORIGINAL\PRIMARY\M\ND", "SE", "2D", (900, 1500), (80, 110), (150, 180), ""),
    ("SWI", r"ORIGINAL\PRIMARY\M\SWI", "GR", "3D", (25, 50), (18, 40), (12, 20), ""),
    ("localizer", r"ORIGINAL\PRIMARY\M\ND", "GR", "2D", (5, 9), (2, 5), (15, 25), ""),
    ("T1 se", r"ORIGINAL\PRIMARY\M\SE", "SE", "2D", (400, 700), (8, 15), (70, 90), ""),
]
"""Words, ImageType, ScanningSequence, dimension, ranges of TR, TE and flip angle, b-values."""

PLANES = (("tra", "ax", "axial", "transversal", ""), ("sag", "sagittal", "SAG"), ("cor", "coronal", ""))
OPTIONS = [
    "fs",
    "post",
    "+C",
    "p2",
    "SPAIR",
    "320",
    "breath hold",
    "native",
    "nach KM",
    "sin contraste",
    "apres gado",
    "",
]
COSINES = [r"1\0\0\0\1\0", r"0\1\0\0\0\-1", r"1\0\0\0\0\-1"]


def main() -> None:
    """Make the tables, judge them, print."""
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(f"{n_rows:,} rows")
    with tempfile.TemporaryDirectory() as folder:
        for name, columns in (("description alone", ["SeriesDescription"]), (f"{len(FULL)} columns", FULL)):
            table = Path(folder) / "in.csv"
            distinct = write_table(table, columns, n_rows)
            for how in ("processes", "serial"):
                seconds = judge(table, Path(folder) / "out.csv", how)
                print(
                    f"{name:18} {how:10} {seconds:6.1f} s {n_rows / seconds:9,.0f} rows/s"
                    f"   ({distinct:,} distinct descriptions)"
                )


def judge(table: Path, output: Path, how: str) -> float:
    """Seconds from the file to the file, workers' start included."""
    start = time.perf_counter()
    with engine(how) as running:
        harmonise_listing(open_listing(table, output), output, running, Silent())
    return time.perf_counter() - start


def write_table(path: Path, columns: list[str], n_rows: int) -> int:
    """Write a table and return the number of its distinct descriptions."""
    dice = random.Random(1)
    seen: set[str] = set()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for n in range(n_rows):
            row = series(dice, n)
            seen.add(row["SeriesDescription"])
            writer.writerow([row[c] for c in columns])
    return len(seen)


def series(dice: random.Random, n: int) -> dict[str, str]:
    """One row, as a scanner would write it."""
    words, image_type, scanning, dim, tr, te, flip, b_values = dice.choice(SCANS)
    plane = dice.randrange(3)
    text = f"{words} {dice.choice(PLANES[plane])} {dice.choice(OPTIONS)}"
    study = n // 12 if n % 60 < 12 else -n
    return {
        "PatientID": f"P{study}",
        "StudyInstanceUID": f"1.2.{study}",
        "Modality": "MR",
        "Manufacturer": dice.choice(["SIEMENS", "GE MEDICAL SYSTEMS", "Philips", "Canon", "UIH"]),
        "MagneticFieldStrength": dice.choice(["1.5", "3"]),
        "SeriesDescription": f"{text} {n}" if n % 10 else text,
        "BodyPartExamined": dice.choice(["PELVIS", "BRAIN", "PROSTATE", "ABDOMEN", ""]),
        "ImageType": image_type,
        "ScanningSequence": scanning,
        "MRAcquisitionType": dim,
        "RepetitionTime": f"{dice.uniform(*tr):.2f}",
        "EchoTime": f"{dice.uniform(*te):.2f}",
        "FlipAngle": f"{dice.uniform(*flip):.1f}",
        "EchoTrainLength": str(dice.randint(1, 60)),
        "DiffusionBValue": b_values,
        "ImageOrientationPatient": COSINES[plane],
    }


if __name__ == "__main__":
    main()
