"""A Croissant description of a cohort: JSON-LD that says which files there are, and what a record of them holds.

Format: Akhtar et al., Croissant: A Metadata Format for ML-Ready Datasets, doi:10.1145/3650203.3663326,
http://mlcommons.org/croissant/1.0; written and validated by its own library, ``mlcroissant``.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExportError
from .about import About
from .columns import known_type, rows_of
from .files import check_own_grids, extension, place
from .flat import flat_fields
from .notes import Noted
from .parts import parts_of
from .whole import whole_folder
from .written import Written, new_place

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort
    from ..splits.splits import Splits

FILES = "files"
PARQUET = "application/x-parquet"
"""As mlcroissant knows it."""

MEANINGS: Mapping[str, str] = {
    "sample_id": "The name of the sample",
    "participant_id": "The participant; samples of one participant never stand in two parts",
    "session_id": "The visit, empty where a sample is a whole participant",
    "site": "Where the participant was imaged, as a label",
    "present": "Which of the keys the sample has, in their order",
    "fold": "The name of the fold",
    "part": "train, val or test",
    "key": "What the file is in its sample",
    "path": "The file, relative to croissant.json",
    "bytes": "The size of the file",
    "sha256": "The SHA-256 of the file, where it was read",
}
SIDES: Mapping[str, str] = {
    ".unit": "The unit of the values of {key}",
    ".times": "The time of each volume of {key}, in seconds",
    ".bvalues": "The b-value of each volume of {key}, in s/mm2",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a person says of the dataset where the tree says nothing, or something else.

    ``licence`` and ``url`` as addresses where they have one, ``published`` as an ISO 8601 day.
    """

    licence: str = ""
    creators: tuple[str, ...] = ()
    published: str = ""
    url: str = ""
    cite_as: str = ""


def write(
    cohort: Cohort,
    splits: Splits | None,
    out: Path,
    *,
    copy: bool = False,
    checksums: bool = False,
    told: Told | None = None,
) -> Written:
    """Write a folder that ``mlcroissant.Dataset(jsonld="out/croissant.json")`` reads offline.

    ::

        out/
        ├── croissant.json
        ├── samples.parquet     record set ``samples``: ids, targets, units, times, the file of each key
        ├── splits.parquet      record set ``splits``: sample, fold, part
        ├── files.parquet       record set ``files``: sample, key, path, bytes, sha256
        └── files/<sample_id>/<key>.nii.gz

    Name, licence, creators, citation, version and day come from the tree, else from ``told``; what neither says is a
    note. ``checksums`` reads every file for its SHA-256; otherwise those written anew have one. Voxels are physical.
    Raises :class:`ExportError` where the place is taken, or ``mlcroissant`` (``trialbids[export]``) is not there or
    finds an error.
    """
    _library()
    check_own_grids(cohort)
    target = new_place(out, cohort.root)
    about, told = About.read(cohort.root), told or Told()
    noted = Noted()
    with whole_folder(target) as folder:
        files = _put_files(folder, cohort, copy, checksums, noted)
        tables = _tables(cohort, splits, files)
        for name, rows in tables.items():
            _write_table(folder / f"{name}.parquet", rows)
        _write_described(folder, cohort, tables, about, told)
    notes = (*_unsaid(about, told), *noted.sentences())
    return Written(target, len(cohort), len(files) + len(tables) + 1, notes)


def _library() -> Any:
    try:
        import mlcroissant
    except ImportError as error:
        raise ExportError("mlcroissant is not installed; pip install 'trialbids[export]'.") from error
    return mlcroissant


def _put_files(folder: Path, cohort: Cohort, copy: bool, checksums: bool, noted: Noted) -> list[dict[str, Any]]:
    """Place every file; the rows of the table of files."""
    rows: list[dict[str, Any]] = []
    for sample in cohort:
        for key in cohort.keys:
            name = f"{FILES}/{sample['sample_id']}/{key}{extension(sample, key)}"
            placed = place(sample, key, folder / name, copy=copy)
            noted.add(key, placed)
            if placed.path is not None:
                known = checksums or placed.anew
                rows.append(
                    {
                        "sample_id": sample["sample_id"],
                        "key": key,
                        "path": name,
                        "bytes": placed.path.stat().st_size,
                        "sha256": _sha256(placed.path) if known else None,
                    }
                )
    return rows


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tables(
    cohort: Cohort, splits: Splits | None, files: Sequence[Mapping[str, Any]]
) -> dict[str, Sequence[Mapping[str, Any]]]:
    samples = rows_of(list(cohort), cohort.keys)
    paths = {(row["sample_id"], row["key"]): row["path"] for row in files}
    for row in samples:
        row |= {key: paths.get((row["sample_id"], key)) for key in cohort.keys}
    samples = flat_fields(samples, [f"{key}.fields" for key in cohort.keys])
    tables: dict[str, Sequence[Mapping[str, Any]]] = {"samples": samples, "files": files}
    if splits is not None:
        parts = parts_of(cohort, splits)
        tables["splits"] = [
            {"sample_id": sample, "fold": name, "part": part}
            for name, fold in zip(parts.names, parts.folds, strict=True)
            for sample, part in fold.items()
        ]
    return tables


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([dict(row) for row in rows])
    pq.write_table(table.cast(pa.schema([(field.name, known_type(field.type)) for field in table.schema])), path)


def _write_described(
    folder: Path, cohort: Cohort, tables: Mapping[str, Sequence[Mapping[str, Any]]], about: About, told: Told
) -> None:
    """``croissant.json``, read back by the library that others will read it with."""
    mlc = _library()
    path = folder / "croissant.json"
    try:
        with _without_warnings():
            described = _describe(folder, cohort, tables, about, told)
            path.write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            mlc.Dataset(jsonld=str(path))
    except mlc.ValidationError as error:
        raise ExportError(f"croissant.json: mlcroissant finds errors in it: {error}") from error


@contextmanager
def _without_warnings() -> Iterator[None]:
    """mlcroissant logs what a description lacks, each time that it is looked at; here the notes say so, once."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _describe(
    folder: Path,
    cohort: Cohort,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    about: About,
    told: Told,
) -> dict[str, Any]:
    mlc = _library()
    day = told.published or about.day
    metadata = mlc.Metadata(
        name=about.name or "unnamed",
        description=f"{len(cohort)} samples of a BIDS tree, each with {', '.join(cohort.keys)}. Values are physical.",
        license=[text] if (text := told.licence or about.licence) else None,
        creators=[mlc.Person(name=name) for name in told.creators or about.authors],
        date_published=datetime.fromisoformat(day) if day else None,
        cite_as=told.cite_as or about.citation or None,
        url=told.url or (f"https://doi.org/{about.doi.removeprefix('doi:')}" if about.doi else None),
        version=about.version or None,
        distribution=[
            *(_file_object(mlc, folder / f"{name}.parquet") for name in tables),
            mlc.FileSet(
                id="voxels",
                name="voxels",
                description="The images and masks of the samples, one file a key",
                encoding_formats=["application/x-nifti", "application/gzip"],
                includes=[f"{FILES}/*/*"],
            ),
        ],
        record_sets=[_record_set(mlc, name, rows, cohort) for name, rows in tables.items()],
    )
    return metadata.to_json()


def _file_object(mlc: Any, path: Path) -> Any:
    return mlc.FileObject(
        id=path.name,
        name=path.name,
        content_url=path.name,
        content_size=f"{path.stat().st_size} B",
        encoding_formats=[PARQUET],
        sha256=_sha256(path),
    )


def _record_set(mlc: Any, name: str, rows: Sequence[Mapping[str, Any]], cohort: Cohort) -> Any:
    columns = rows[0] if rows else {}
    return mlc.RecordSet(
        id=name,
        name=name,
        description=f"The {name} of the cohort",
        key=["files/path"] if name == "files" else [f"{name}/sample_id"] if name == "samples" else None,
        fields=[
            mlc.Field(
                id=f"{name}/{column}",
                name=column,
                description=_meaning(column, cohort),
                data_types=[_kind(mlc, rows, column)],
                is_array=_is_list(rows, column) or None,
                array_shape="-1" if _is_list(rows, column) else None,
                source=mlc.Source(file_object=f"{name}.parquet", extract=mlc.Extract(column=column)),
            )
            for column in columns
        ],
    )


def _meaning(column: str, cohort: Cohort) -> str:
    if column in MEANINGS:
        return MEANINGS[column]
    if column in cohort.classes:
        return f"A class: the place in {json.dumps(list(cohort.classes[column]), ensure_ascii=False)}, from 0"
    if column in cohort.keys:
        return f"The file of {column}, relative to croissant.json"
    for key in cohort.keys:
        if column.startswith(f"{key}.fields."):
            return f"The field {column.removeprefix(f'{key}.fields.')} of the sidecar of {key}"
    for side, text in SIDES.items():
        if column.endswith(side) and (key := column.removesuffix(side)) in cohort.keys:
            return text.format(key=key)
    return f"The column {column} of the cohort"


def _values(rows: Sequence[Mapping[str, Any]], column: str) -> list[Any]:
    cells = [row[column] for row in rows if row[column] is not None]
    return [entry for cell in cells for entry in (cell if isinstance(cell, list) else [cell]) if entry is not None]


def _is_list(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    return any(isinstance(row[column], list) for row in rows)


def _kind(mlc: Any, rows: Sequence[Mapping[str, Any]], column: str) -> Any:
    kinds = {type(value) for value in _values(rows, column)}
    if kinds == {bool}:
        return mlc.DataType.BOOL
    if kinds == {int}:
        return mlc.DataType.INTEGER
    return mlc.DataType.FLOAT if kinds and kinds <= {int, float} else mlc.DataType.TEXT


def _unsaid(about: About, told: Told) -> tuple[str, ...]:
    """What Croissant asks of a dataset and nobody has said, with where to say it."""
    said = {
        "licence (License, --licence)": told.licence or about.licence,
        "creators (Authors, --creator)": told.creators or about.authors,
        "day of publication (CHANGES)": told.published or about.day,
        "address (DatasetDOI)": told.url or about.doi,
        "citation (HowToAcknowledge)": told.cite_as or about.citation,
    }
    lacks = [what for what, text in said.items() if not text]
    if not lacks:
        return ()
    return (
        f"Croissant asks for what nobody has said: {', '.join(lacks)}; say it in the named place of "
        "dataset_description.json (the day in CHANGES), or by the option.",
    )
