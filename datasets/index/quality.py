"""What the checks and metrics of quality say of every image: from ``curation/qc.parquet``, else from the sidecars."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ReadError
from ..files.trees import Tree
from .image import Image

TABLE = "curation/qc.parquet"
CODES = ("errors", "warnings", "infos", "waived")
"""The columns of the table that list codes of checks."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of one image: the codes of all checks that found something, also where a person has waived it, its
    metrics by name (what is not defined for it is absent), and those in which it stands apart from its like."""

    codes: frozenset[str]
    metrics: Mapping[str, float]
    outliers: frozenset[str] = frozenset()


class Quality(Mapping[str, Judgement]):
    """The judgements by the path of the image; ``metrics`` are the names of all metrics that the tree knows.

    Sidecars tell no outliers, which only all images together show.
    """

    def __init__(self, judgements: Mapping[str, Judgement], metrics: Iterable[str]) -> None:
        self._judgements = judgements
        self.metrics = tuple(metrics)

    def __getitem__(self, path: str) -> Judgement:
        return self._judgements[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._judgements)

    def __len__(self) -> int:
        return len(self._judgements)

    @classmethod
    def read(cls, tree: Tree, images: Iterable[Image]) -> Quality:
        """Read the table of a tree, or, where it has none, the ``*_qc.json`` beside each image.

        Empty where there is neither. Raises :class:`ReadError` where one of them cannot be read.
        """
        table = tree.local(TABLE)
        if table is not None:
            return _of_table(table)
        found = {image.path: judgement for image in images if (judgement := _of_sidecar(tree, image)) is not None}
        return cls(found, sorted({name for judgement in found.values() for name in judgement.metrics}))


def _of_table(path: Path) -> Quality:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        metrics = [field.name for field in table.schema if pa.types.is_floating(field.type)]
        rows = table.select(["path", *CODES, "outliers", *metrics]).to_pylist()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ReadError(f"{path}: the table of quality cannot be read ({error}).") from error
    return Quality({row["path"]: _of_row(row, metrics) for row in rows}, metrics)


def _of_row(row: Mapping[str, Any], metrics: Iterable[str]) -> Judgement:
    codes = frozenset(code for column in CODES for code in row[column] or ())
    values = {name: row[name] for name in metrics if row[name] is not None}
    return Judgement(codes, values, frozenset(row["outliers"] or ()))


def _of_sidecar(tree: Tree, image: Image) -> Judgement | None:
    path = image.path.partition(".nii")[0] + "_qc.json"
    local = tree.local(path)
    if local is None:
        return None
    try:
        content = json.loads(local.read_bytes())
        codes = frozenset(str(check["check"]) for check in content["checks"])
        return Judgement(codes, {str(name): float(value) for name, value in content["metrics"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReadError(f"{tree.place / path}: the quality sidecar cannot be read ({error}).") from error
