"""Boxes and points of one session: a table for each image and reader."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ...annotations.boxes import BOX_COLUMNS, POINT_COLUMNS, VoxelMark
from ...tables import json_bytes, tsv_bytes
from ..image import Image
from .files import DrawnFiles, source_of

FIRST: Mapping[str, str] = {
    "label": "Label of the dictionary, or one that the trial gave",
    "lesion": "Number of the lesion",
    "method": "manual, semiautomatic, automatic or unknown",
    "scheme": "Scheme of the label's code: SCT is SNOMED CT",
    "code": "Code of the label in its scheme",
}
PLACES: Mapping[str, str] = {
    **dict.fromkeys(POINT_COLUMNS, "Voxel coordinate, counted from 0 at the centre of the first voxel"),
    **dict.fromkeys(BOX_COLUMNS[:3], "First voxel of the box along this axis, counted from 0"),
    **dict.fromkeys(BOX_COLUMNS[3:], "Last voxel of the box along this axis, itself inside"),
}


class BoxTables:
    """The tables of one session."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], list[VoxelMark]] = defaultdict(list)
        self._images: dict[str, Image] = {}
        self._checks: dict[tuple[str, str, str], set[str]] = defaultdict(set)

    def add(self, mark: VoxelMark, image: Image, checks: list[str]) -> None:
        """One box or point on its image."""
        key = (image.path, mark.drawing.reader, "boxes" if mark.is_box else "points")
        self._images[image.path] = image
        self._rows[key].append(mark)
        self._checks[key].update(checks)

    def write(self, files: DrawnFiles) -> None:
        """All tables with what their columns mean."""
        for key, marks in self._rows.items():
            path, reader, suffix = key
            image = self._images[path]
            columns = (*FIRST, *(BOX_COLUMNS if suffix == "boxes" else POINT_COLUMNS))
            name = files.stem(image, suffix, {"desc": reader})
            files.write(image, f"{name}.tsv", tsv_bytes(columns, map(_row, marks), empty="n/a"))
            content: dict[str, Any] = {
                "Reader": reader,
                "Sources": [source_of(image)],
                **({"Checks": sorted(self._checks[key])} if self._checks[key] else {}),
                **{column: {"Description": FIRST.get(column) or PLACES[column]} for column in columns},
            }
            files.write(image, f"{name}.json", json_bytes(content))


def _row(mark: VoxelMark) -> dict[str, str]:
    drawing = mark.drawing
    return {
        "label": drawing.label.name,
        "lesion": "" if drawing.lesion is None else str(drawing.lesion),
        "method": drawing.method,
        "scheme": drawing.label.scheme if drawing.label.code else "",
        "code": drawing.label.code,
        **mark.row,
    }
