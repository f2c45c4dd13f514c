"""Annotations in the forms of known public collections: one adapter a form, from files to regions, boxes and points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from trialbids.mappings.labels import Labels

from ...errors import UsageError
from ...pipeline import Plan
from ...trial.annotations import Collection
from ..readers import Readers
from .drawn import Drawn, together
from .nodules import draw_lidc
from .opacities import draw_rsna
from .prostates import draw_picai

Adapter = Callable[[Path, Plan, Labels, Readers], Drawn]

ADAPTERS: Mapping[str, Adapter] = {"lidc": draw_lidc, "picai": draw_picai, "rsna": draw_rsna}
"""By the word of ``form`` in ``trial.yaml``."""


def draw_collections(collections: Sequence[Collection], plan: Plan, labels: Labels, readers: Readers) -> Drawn:
    """Everything drawn in the trial's collections.

    Raises ``UsageError`` where one is not there, holds no file of its form, or is a table of another form.
    """
    for n, collection in enumerate(collections):
        if not collection.path.exists():
            raise UsageError(f"annotations.collections.{n}.path: there is no file or folder {collection.path}")
    return together(ADAPTERS[c.form](c.path, plan, labels, readers) for c in collections)
