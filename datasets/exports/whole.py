"""A folder that is there whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ExportError


@contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """A folder beside ``place`` to write into, which takes its name when all is written.

    What fails in between leaves nothing behind. Raises :class:`ExportError` where the place cannot be written.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=place.parent, prefix=f".{place.name}.", ignore_cleanup_errors=True
        ) as above:
            folder = Path(above) / place.name
            folder.mkdir()
            yield folder
            folder.rename(place)
    except OSError as error:
        raise ExportError(f"{place}: cannot be written ({error.strerror or error}).") from error
