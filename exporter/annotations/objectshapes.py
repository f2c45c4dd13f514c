"""The shapes in a DICOM object: of a file, or of an object among the sources wherever that lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..errors import ConversionError
from ..inventory.instance import Instance
from .grid import Grid, MaskRefused, Shape

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """A part of an object among the sources, read when it is put on a grid."""

    instance: Instance
    number: int

    def on(self, grid: Grid) -> NDArray[Any]:
        """As :meth:`.grid.Shape.on`."""
        return self.opened().on(grid)

    def opened(self) -> Shape:
        """The part as it was read. Raises ``MaskRefused`` F03."""
        from .coded import AnnotationError

        try:
            source = source_of(self.instance)
        except ConversionError as error:
            raise MaskRefused("F03", "the object is no longer where it was") from error
        except AnnotationError as error:
            raise MaskRefused("F03", str(error)) from error
        return part_of(source, self.number)


def source_of(instance: Instance) -> Path | Dataset:
    """The object's file, or what an archive holds. Raises ``ConversionError`` and ``AnnotationError``."""
    return _member(instance) if instance.member else Path(instance.path)


@lru_cache(maxsize=1)
def _member(instance: Instance) -> Dataset:
    """A member of an archive; the last one stays in memory, as its parts are read one after the other."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    from ..inventory.objects import read_object
    from .coded import AnnotationError

    try:
        return dcmread(BytesIO(read_object(instance)))
    except (InvalidDicomError, ValueError, KeyError, OSError) as error:
        raise AnnotationError("unreadable", "the object cannot be read as DICOM") from error


def part_of(source: Path | Dataset, number: int | None) -> Shape:
    """The shape of a segment or structure; of its only one where no number is given.

    Raises ``MaskRefused`` F03 where the object has none of this number, or is no segmentation or structure set.
    """
    from .coded import AnnotationError

    try:
        shapes = _shapes(source) if not isinstance(source, Path) else _shapes_in(source, *_stamp(source))
    except (AnnotationError, OSError) as error:
        raise MaskRefused("F03", str(error) if isinstance(error, AnnotationError) else "it is not there") from error
    if number is None and len(shapes) > 1:
        raise MaskRefused("F03", f"the object holds {len(shapes)} segments; say which is meant by its number in value")
    shape = next(iter(shapes.values())) if number is None else shapes.get(number)
    if shape is None:
        raise MaskRefused("F03", f"the object has no segment {number}")
    return shape


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=2)
def _shapes_in(path: Path, size: int, mtime_ns: int) -> Mapping[int, Shape]:
    del size, mtime_ns  # they are part of the key
    return _shapes(path)


def _shapes(source: Path | Dataset) -> Mapping[int, Shape]:
    """The shapes of all parts by number. Raises ``AnnotationError``."""
    from .coded import AnnotationError
    from .rtstruct import read_rtstruct
    from .seg import read_seg

    try:
        seg = read_seg(source)
    except AnnotationError as error:
        if error.reason != "other-object":
            raise
        return {s.number: s.shape for s in read_rtstruct(source).structures}
    return {s.number: seg.shape_of(s.number) for s in seg.segments}
