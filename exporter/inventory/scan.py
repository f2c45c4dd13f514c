"""The scan of a trial's sources, with the private list of what could not be read."""

from __future__ import annotations

from collections.abc import Callable

from ..engine import Engine
from ..progress import Progress
from ..trial import Trial
from .lists import UNREADABLE_FILE, write_unreadable
from .run import Inventory, NothingReadable, scan


def scan_trial(
    trial: Trial, engine: Engine, progress: Progress, meanwhile: Callable[[], None] | None = None
) -> Inventory:
    """Find and read every DICOM object below the sources; ``meanwhile`` is as in :meth:`Engine.map`.

    Raises ``UsageError`` where there is none; what was met instead is listed in the work folder.
    """
    try:
        store = trial.work / "inventory"
        return scan(trial.sources, store, engine=engine, progress=progress, meanwhile=meanwhile)
    except NothingReadable as nothing:
        write_unreadable(trial.work / UNREADABLE_FILE, nothing.unreadable)
        raise
