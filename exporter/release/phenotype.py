"""The tables of ``phenotype/``: clinical tables that are files of their own, with their dictionaries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..clinical.column import ClinicalColumn
from ..clinical.rows import ClinicalRows, Phenotype
from ..tables import json_bytes, tsv_bytes

FOLDER = "phenotype"
KEYS: dict[str, Any] = {
    "participant_id": {"Description": "The participant that the row speaks of"},
    "session_id": {"Description": "The session that the row speaks of"},
}
FORMATS: Mapping[str, str] = {"number": "number", "integer": "integer", "date": "date", "text": "string"}
"""What BIDS calls our types (Format of a column's dictionary); levels have none."""


def phenotype_files(clinical: ClinicalRows, sessions: Collection[tuple[str, str]]) -> dict[str, bytes]:
    """Every file of ``phenotype/`` by its name: rows of the released sessions (subject and session labels) alone.

    BIDS has one row a participant in such a file, so a table with visits is one file a session label.
    """
    subjects = {subject for subject, _ in sessions}
    files: dict[str, bytes] = {}
    for table in clinical.phenotype:
        keys = [key for key in KEYS if key != "session_id" or table.by_visit]
        parts: dict[str, list[dict[str, str]]] = defaultdict(list)
        for (subject, session), cells in table.rows.items():
            if (subject, session) in sessions if table.by_visit else subject in subjects:
                row = {"participant_id": f"sub-{subject}", "session_id": f"ses-{session}", **cells}
                parts[f"{table.name}_ses-{session}" if table.by_visit else table.name].append(row)
        for stem, rows in parts.items() if table.columns else ():
            files[f"{stem}.tsv"] = tsv_bytes([*keys, *table.columns], rows, empty="n/a")
            files[f"{stem}.json"] = json_bytes(_dictionary(table, keys, clinical.described))
    return files


def _dictionary(table: Phenotype, keys: Collection[str], described: Mapping[str, ClinicalColumn]) -> dict[str, Any]:
    tool = {"MeasurementToolMetadata": {"Description": table.description}} if table.description else {}
    return {**tool, **{key: KEYS[key] for key in keys}, **{name: dictionary(described[name]) for name in table.columns}}


def dictionary(column: ClinicalColumn) -> dict[str, Any]:
    """What the dictionary of a released table says of a clinical column.

    ``MissingValues`` lists the codes of the source that stand as n/a in the table. Bounds of ages are left out, since
    ages may be capped or leave in bands.
    """
    out: dict[str, Any] = {"Description": column.description or f"{column.name}, from the trial's clinical table"}
    if column.kind in FORMATS:
        out["Format"] = FORMATS[column.kind]
    if column.unit:
        out["Units"] = column.unit
    if column.levels:
        out["Levels"] = dict(column.levels)
    if column.missing:
        out["MissingValues"] = ", ".join(column.missing)
    if column.oldest == float("inf"):
        bounds = {"Minimum": column.least, "Maximum": column.most}
        out |= {key: int(v) if v.is_integer() else v for key, v in bounds.items() if v is not None}
    return out


def write_phenotype(root: Path, clinical: ClinicalRows, sessions: Collection[tuple[str, str]]) -> None:
    """Write ``phenotype/`` of a tree, and take away what earlier releases had there and this one has not."""
    from .dataset import write_if_changed

    files = phenotype_files(clinical, sessions)
    hide_phenotype(root, keep=files)
    for name, data in files.items():
        write_if_changed(root / FOLDER / name, data)


def hide_phenotype(root: Path, keep: Collection[str] = ()) -> None:
    """Take the tables away, but for those to keep; the folder goes with the last of them.

    A dictionary goes before its table: one without a table is invalid.
    """
    folder = root / FOLDER
    if not folder.is_dir() or folder.is_symlink():
        return
    for path in sorted(folder.iterdir(), key=lambda path: path.suffix):
        if path.name not in keep and path.suffix in (".tsv", ".json"):
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()
