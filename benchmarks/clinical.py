"""How long clinical tables take: 10,000 subjects with 40 columns, read from CSV, XLSX and Parquet and joined.

``python benchmarks/clinical.py [SUBJECTS]`` prints the seconds of each, reading included.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from random import Random

from trialbids.exporter.clinical.join import join_clinical
from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.trial import Clinical

COLUMNS = 40
FIRST = date(2019, 1, 1)
KINDS = ("number", "integer", "level", "date")
LEVELS = ["complete", "partial", "stable", "progress"]


def made_rows(subjects: int) -> list[list[object]]:
    """A header and one row a subject: ids, and ten columns of each type."""
    random = Random(1)
    rows: list[list[object]] = [["id", *(f"{KINDS[n % 4]}_{n}" for n in range(COLUMNS))]]
    for n in range(subjects):
        cells: list[object] = []
        for column in range(COLUMNS):
            day = FIRST + timedelta(days=random.randrange(1500))
            value = (round(random.gauss(50, 20), 2), random.randrange(100), random.choice(LEVELS), day)
            cells.append(value[column % 4])
        rows.append([f"P{n:05}", *cells])
    return rows


def write_tables(folder: Path, rows: list[list[object]]) -> list[Path]:
    """The same table in every form; a workbook needs openpyxl, which only tests and benchmarks do."""
    import pyarrow as pa
    from openpyxl import Workbook
    from pyarrow import parquet

    text, book, columnar = (folder / f"clinical.{ending}" for ending in ("csv", "xlsx", "parquet"))
    with text.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows(rows)
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("data")
    for row in rows:
        sheet.append(row)
    workbook.save(book)
    names, *cells = rows
    columns = zip(*cells, strict=True)
    parquet.write_table(pa.table({str(name): list(c) for name, c in zip(names, columns, strict=True)}), columnar)
    return [text, book, columnar]


def main(subjects: int) -> None:
    """Print the seconds of each form."""
    columns = {f"{KINDS[n % 4]}_{n}": LEVELS if n % 4 == 2 else KINDS[n % 4] for n in range(COLUMNS)}
    visits = [Visit(f"S{n:05}", "01", "A", f"n\0P{n:05}", "20200101", "20200101", 0) for n in range(subjects)]
    with tempfile.TemporaryDirectory() as folder:
        for path in write_tables(Path(folder), made_rows(subjects)):
            table = Clinical.model_validate({"table": path, "subject": "id", "columns": columns})
            started = time.perf_counter()
            rows = join_clinical([table], visits)
            seconds = time.perf_counter() - started
            cells = sum(len(row) for row in rows.participants.values())
            print(f"{path.suffix[1:]:8} {subjects} subjects x {COLUMNS} columns: {seconds:.2f} s, {cells} cells joined")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
