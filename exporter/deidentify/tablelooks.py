"""The inspection of released tables: known columns, each cell in the form of its column, no foreign metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialbids.mappings.vocabulary import vocabulary

from ..qc.metricnames import METRIC_NAMES
from ..select.flow import COLUMNS
from ..tables import read_tsv
from . import shapes
from .curatedlooks import CURATED, SEARCHED
from .documents import DRAWN_COLUMNS, is_drawn_cell
from .flowlooks import is_flow_cell
from .layout import is_image_path
from .look import Leak, Look

if TYPE_CHECKING:
    from pyarrow import ChunkedArray

_VERDICTS = ("pass", "warn", "waived")
_SEX = ("F", "M", "O", "female", "male", "other", "n/a")
_ABSENT = ("n/a", "")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
LONGEST_TEXT = 200
"""Characters of a cell of free text; a longer one is no remark of a clinical table."""

Cell = Callable[[str], bool]


def _table(
    look: Look, path: Path, cell_shape: Callable[[str], Cell | None], free: Iterable[str] = ()
) -> Iterator[Leak]:
    """A table: each column by its form; what has its form is not searched, but for the columns in ``free``."""
    look.read(path).decode("utf-8")
    rows = read_tsv(path)
    header = path.read_bytes().decode("utf-8").partition("\n")[0].split("\t")
    unknown = [column for column in header if cell_shape(column) is None]
    for column in unknown:
        yield look.odd(f"column {header.index(column) + 1}", "unknown-key", column)
        yield from look.text(f"column {header.index(column) + 1}", column)
    for line, row in enumerate(rows, start=2):
        for column, cell in row.items():
            shape = cell_shape(column)
            place = f"line {line}, column {header.index(column) + 1}"
            is_right = cell in _ABSENT or (shape is not None and shape(cell))
            if not is_right and shape is not None:
                yield look.odd(place, "odd-value", cell)
            if not is_right or column in free:
                yield from look.number(place, cell) if _is_number(cell) else look.text(place, cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def look_into_scans(look: Look, path: Path) -> Iterator[Leak]:
    stamp = partial(shapes.is_stamp, keep_dates=look.rules.keep_dates)
    own: dict[str, Cell] = {
        "filename": is_image_path,
        "acq_time": stamp,
        "acquisition_id": lambda c: shapes.ACQUISITION.fullmatch(c) is not None,
        "qc_verdict": _VERDICTS.__contains__,
    }

    def shape(column: str) -> Cell | None:
        if column in own:
            return own[column]
        return partial(shapes.is_cell, column) if column in (*vocabulary(), "confidence") else None

    return _table(look, path, shape, free=("filename",))


def _described(look: Look, name: str) -> dict[str, Any]:
    """The dictionary of a table at the tree's root, {} where there is none."""
    try:
        found = json.loads((look.root / name).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _clinical(look: Look, dictionary: dict[str, Any], column: str) -> Cell | None:
    """A clinical column is a number, a day, one of the levels that the table's dictionary lists, or, where the trial
    has said that it may be, a short text.
    """
    entry = dictionary.get(column)
    if not isinstance(entry, dict):
        return None
    if entry.get("Format") == "date":
        return partial(_is_day, keep_dates=look.rules.keep_dates)
    if entry.get("Format") == "string":
        return _is_short if column in look.rules.text_columns else None
    return _levels(dictionary, column) or _is_number


def _is_day(cell: str, *, keep_dates: bool) -> bool:
    return _DAY.fullmatch(cell) is not None and shapes.is_stamp(cell, keep_dates=keep_dates)


def _is_short(cell: str) -> bool:
    return len(cell) <= LONGEST_TEXT and cell.isprintable()


def look_into_participants(look: Look, path: Path) -> Iterator[Leak]:
    dictionary = _described(look, "participants.json")
    own: dict[str, Cell] = {
        "participant_id": lambda c: re.fullmatch(r"sub-[0-9A-Za-z]+", c) is not None,
        "site": lambda c: shapes.LABEL.fullmatch(c) is not None,
        "sex": _SEX.__contains__,
        "age": lambda c: shapes.AGE.fullmatch(c) is not None,
        "weight": _is_number,
    }
    free = ("participant_id", *dictionary)
    return _table(look, path, lambda c: _levels(dictionary, c) or own.get(c) or _clinical(look, dictionary, c), free)


def _levels(dictionary: dict[str, Any], column: str) -> Cell | None:
    """The levels of a column, None where its dictionary lists none."""
    entry = dictionary.get(column)
    levels = entry.get("Levels") if isinstance(entry, dict) else None
    return levels.__contains__ if isinstance(levels, dict) else None


def look_into_sessions(look: Look, path: Path) -> Iterator[Leak]:
    dictionary = _described(look, "sessions.json")
    stamp = partial(shapes.is_stamp, keep_dates=look.rules.keep_dates)
    own: dict[str, Cell] = {
        "session_id": lambda c: re.fullmatch(r"ses-[0-9A-Za-z]+", c) is not None,
        "acq_time": stamp,
        "days": lambda c: re.fullmatch(r"-?\d{1,5}", c) is not None,
        "age": lambda c: shapes.AGE.fullmatch(c) is not None,
        "weight": _is_number,
        "injection": ("yes", "no").__contains__,
    }
    free = ("session_id", *(c for c in dictionary if c not in own))
    return _table(look, path, lambda c: own.get(c) or _clinical(look, dictionary, c), free)


def look_into_phenotype(look: Look, path: Path) -> Iterator[Leak]:
    """A clinical table of its own: each column by what the dictionary beside it says."""
    dictionary = _described(look, f"phenotype/{path.stem}.json")
    own: dict[str, Cell] = {
        "participant_id": lambda c: re.fullmatch(r"sub-[0-9A-Za-z]+", c) is not None,
        "session_id": lambda c: re.fullmatch(r"ses-[0-9A-Za-z]+", c) is not None,
    }
    return _table(look, path, lambda c: own.get(c) or _clinical(look, dictionary, c), (*own, *dictionary))


def look_into_drawn(look: Look, path: Path) -> Iterator[Leak]:
    """A table of a label map, of boxes or of points; people wrote the labels, so they are searched."""
    columns = DRAWN_COLUMNS[path.stem.rpartition("_")[2]]

    def shape(column: str) -> Cell | None:
        return partial(is_drawn_cell, column) if column in columns else None

    return _table(look, path, shape, free=("label", "name", "abbreviation", "code", "meaning"))


def look_into_flow(look: Look, path: Path) -> Iterator[Leak]:
    """The counts of the flow: ids and sentences of steps, labels of sites, numbers."""
    criteria = look.rules.criteria

    def shape(column: str) -> Cell | None:
        return (lambda cell: is_flow_cell(column, cell, criteria)) if column in COLUMNS else None

    return _table(look, path, shape, free=("step", "site", "sentence"))


def look_into_curated(look: Look, path: Path) -> Iterator[Leak]:
    """A table of quality: codes, closed words, labels of the release and counts."""
    return _table(look, path, CURATED[look.relative].get, free=SEARCHED)


MANIFEST = frozenset(
    (
        *("path", "participant_id", "session_id", "site", "acquisition_id", "datatype", "suffix", "confidence"),
        *("qc_verdict", "shape", "zooms", "affine", "dtype", "slope", "inter", "voxels_sha256", "file_bytes"),
    )
)
"""The columns of the manifest beside those of the record (docs/on-disk.md)."""


QUALITY = frozenset(
    (
        *("path", "participant_id", "session_id", "site", "scanner", "sequence", "qc_verdict"),
        *("errors", "warnings", "infos", "waived", "outliers"),
        *METRIC_NAMES,
    )
)
"""The columns of the table of quality."""

_COLUMNS_OF = {"curation/manifest.parquet": MANIFEST | {*vocabulary()}, "curation/qc.parquet": QUALITY}
_CODE = re.compile(r"[A-Z]\d\d")


LEAST_NUMBER = 10**5
"""Numbers of fewer digits are nobody's."""


def _numbers(column: ChunkedArray) -> list[int]:
    """The whole numbers of a numeric column that are long enough to be somebody's."""
    if str(column.type) not in ("double", "float", "int64", "int32"):
        return []
    values = {value for value in column.to_pylist() if value is not None and value == value}
    return sorted({int(value) for value in values if LEAST_NUMBER <= abs(value) < 1e18 and value == int(value)})


def look_into_parquet(look: Look, path: Path) -> Iterator[Leak]:
    """The manifest, or the table of quality: texts are searched, hashes are hashes, lists hold codes of checks, and the
    file has no metadata but its own schema."""
    from pyarrow import ArrowException, parquet

    data = look.read(path)
    try:
        file = parquet.ParquetFile(BytesIO(data))
        table = file.read()
    except ArrowException as error:
        raise ValueError("no Parquet") from error
    for key in file.metadata.metadata or {}:
        if key != b"ARROW:schema":
            yield look.odd("metadata", "odd-header", key.decode("utf-8", "replace"))
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = set(column.to_pylist()) if str(column.type) == "string" else set()
        is_hash = name.endswith("sha256") and all(re.fullmatch(r"[0-9a-f]{64}", v or "") for v in values)
        yield from look.text(f"column {name}", name)
        if name not in _COLUMNS_OF[look.relative]:
            yield look.odd(f"column {name}", "unknown-key", name)
        if str(column.type).startswith("list<") and "string" in str(column.type):
            words = {word for cell in column.to_pylist() for word in cell or ()}
            for word in sorted(w for w in words if w not in METRIC_NAMES and not _CODE.fullmatch(w)):
                yield look.odd(f"column {name}", "unknown-text", word)
        for value in _numbers(column):
            yield from look.number(f"column {name}", value)
        for value in () if is_hash else values:
            if value and not shapes.is_cell(name, value):
                yield from look.text(f"column {name}", value)
    for hit in look.searcher.in_bytes(data):
        yield look.leak(f"byte {hit.offset}", hit)
