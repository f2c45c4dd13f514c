"""Files that appear whole or not at all, also where several processes write into one folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4


def write_new(path: Path, data: bytes, dataset: Path) -> None:
    """Write a file that is not there yet. Of several writers one wins, the others get ``FileExistsError``.

    ``dataset`` is the folder of the derivative dataset, where half-written files lie.
    """
    beside = _beside(path, data, dataset)
    try:
        os.link(beside, path)  # unlike a rename it never replaces
    finally:
        beside.unlink()


def write_over(path: Path, data: bytes, dataset: Path) -> None:
    """Write a file, in the place of an older one if there is any; ``dataset`` as of :func:`write_new`."""
    _beside(path, data, dataset).replace(path)


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """JSON as the tree has it: indented, in the given order, with a newline at the end."""
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _beside(path: Path, data: bytes, dataset: Path) -> Path:
    """The bytes on the disk, under a name that no reader takes for an image, where an export clears what was left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = dataset / f".{path.name}.{uuid4().hex[:8]}.tmp"
    with beside.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return beside
