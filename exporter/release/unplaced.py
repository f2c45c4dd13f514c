"""Masks whose image is not in the tree."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..annotations.table import MaskRow
from .session import MaskFault


def unplaced(masks: Mapping[str, Sequence[MaskRow]], placed_series: Collection[str]) -> tuple[MaskFault, ...]:
    """The masks, by the series they name, that name none of the series that became an image, in the table's order."""
    rows = [row for uid, rows in masks.items() if uid not in placed_series for row in rows]
    sentence = "the series is not among the exported images: it is unknown, left out or in quarantine"
    return tuple(
        MaskFault("A01", row.series_uid, f"line {row.line}: {sentence}")
        for row in sorted(rows, key=lambda row: row.line)
    )
