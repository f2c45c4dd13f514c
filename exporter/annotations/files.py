"""Files that hold what was drawn: read only when their voxels are wanted, by the reader of their kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .grid import Grid, MaskRefused, Shape
from .headed import data_of, is_headed

DICOM = (".dcm", ".dicom", ".ima")


@dataclass(frozen=True, slots=True)
class FileShape:
    """The mask in a file: of a label map the voxels of one ``value``, of a DICOM object the segment of that number."""

    file: Path
    value: int | None = None

    def on(self, grid: Grid) -> NDArray[np.uint8] | NDArray[np.float32]:
        """As :meth:`.grid.Shape.on`."""
        return self.opened().on(grid)

    def opened(self) -> Shape:
        """The shape that the file's kind of reader gives. Raises ``MaskRefused`` F03."""
        if self.file.suffix.casefold() in DICOM:
            from .objectshapes import part_of  # pydicom: only where a table names objects

            if not self.file.is_file():
                raise MaskRefused("F03", "the object is not there")
            return part_of(self.file, self.value)
        from .volume import VolumeShape  # nibabel: only where voxels are read

        return VolumeShape(self.file, self.value)


def drawn_in(file: Path, value: int | None) -> Shape:
    """The shape in a file."""
    return FileShape(file, value)


def state_of(file: Path) -> str:
    """Changes when the file does, or the one beside it that its header names for the voxels."""
    return " ".join(map(_stat, (file, *_beside(file))))


def _stat(file: Path) -> str:
    try:
        stat = file.stat()
    except (OSError, ValueError):  # ValueError: no path can be so, such as one with a null character
        return "absent"
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _beside(file: Path) -> tuple[Path, ...]:
    if not is_headed(file):
        return (file.with_suffix(".img"),) if file.suffix.casefold() == ".hdr" else ()
    try:
        data = data_of(file)
    except (MaskRefused, OSError, ValueError, LookupError, OverflowError):
        return ()
    return (data,) if data != file else ()
