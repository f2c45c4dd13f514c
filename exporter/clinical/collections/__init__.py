"""Tables of known public collections that say several things in one cell or row, as plain clinical tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..sheet import Sheet
from .chexpert import chexpert_sheet
from .rsna import rsna_sheet

FORMS: Mapping[str, Callable[[Path], Sheet]] = {"chexpert": chexpert_sheet, "rsna": rsna_sheet}
"""By the word of ``form:`` in ``trial.yaml``: reads the collection's own file; each row is one subject (and visit)."""
