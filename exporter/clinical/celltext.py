"""Cells of workbooks and Parquet files as the text that a CSV would hold."""

from __future__ import annotations

from datetime import date, datetime, time


def cell_text(cell: object) -> str:
    """Whole numbers without a point, days in ISO's form, nothing for nothing.

    >>> cell_text(3.0), cell_text(None), cell_text(True)
    ('3', '', 'true')
    """
    if isinstance(cell, str):
        return cell.strip()
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    return cell.isoformat() if isinstance(cell, date) else str(cell)
