"""The last proof of an image (P09): its voxels are those of the DICOM, slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...convert.pixels import PixelReader
from ...convert.proof import same_values
from ...errors import ConversionError
from ...inventory.instance import Instance
from ..check import Evidence, about
from .stored import stored_values
from .view import Pixels, instances_by_volume

Place = tuple[int, int]
MOST_DECODED = 12
"""So many slices that have to be decoded are compared, evenly chosen; those that lie plainly in a file all are."""
FEWER = 4
"""Of slices that were scaled every fourth row and column is compared, the first and the middle one wholly."""


def other_voxels(pixels: Pixels, _tolerance: float) -> Iterator[Evidence]:
    """The image does not hold the DICOM's pixels. Every slice of 16 bits that is not compressed is compared, and some
    of all others. Nothing is said where the files are not at hand.

    Conversion has compared the first and a middle slice already (:mod:`...convert.proof`), and refused an image that
    differed; this is the proof of what is released, made again after all that happened in between.
    """
    if pixels.reader is None:
        return
    if pixels.grid is None:
        yield Evidence("the image does not lie where the headers say", "grid")
        return
    comparison = Comparison(pixels, pixels.reader)
    told = {place: comparison.plainly_same(*place) for place in comparison.places}
    for place in spread([place for place, same in told.items() if same is None]):
        told[place] = comparison.same(*place)
    wrong = [place for place, same in told.items() if same is False]
    if wrong:
        n = sum(same is not None for same in told.values())
        message = f"{len(wrong)} of {n} compared slices differ from the pixels of the DICOM"
        yield Evidence(message, "", (("slices", len(wrong)),), pixels.places(wrong), about=about(wrong))


def spread(places: Sequence[Place]) -> list[Place]:
    """At most :data:`MOST_DECODED` of them, evenly, the first and the last among them."""
    if len(places) <= MOST_DECODED:
        return list(places)
    return [places[int(n)] for n in np.linspace(0, len(places) - 1, MOST_DECODED).round()]


class Comparison:
    """An image, turned onto the stack's grid, beside the files of the instances that it should hold."""

    def __init__(self, pixels: Pixels, reader: PixelReader) -> None:
        if pixels.grid is None:
            raise ValueError("an image that has no place has no slices to compare")
        grid, placement = pixels.grid
        volume = pixels.picture.volume
        self._voxels = placement.undo(volume.voxels).reshape(*grid.shape, pixels.n_volumes)
        self._slope, self._inter = volume.slope, volume.inter
        self._reader, self._paths = reader, pixels.paths
        self._instances = instances_by_volume(pixels.stack)
        self.places: list[Place] = [(n, k) for n in range(pixels.n_volumes) for k in range(grid.shape[2])]
        """(volume, slice) of the stack."""

    def plainly_same(self, n: int, k: int) -> bool | None:
        """Whether a slice holds the bytes that lie in its file; None where they have to be decoded first."""
        instance = self._instance(n, k)
        if instance.frame or instance.mosaic_tiles:
            return None
        words = stored_values(instance, self._paths[instance.path, instance.member])
        if words is None or words.size != (instance.Rows or 0) * (instance.Columns or 0):
            return None
        stored = self._voxels[:, :, k, n]
        pixels = words.reshape(instance.Rows or 0, -1)[::-1].T
        if stored.dtype.kind in "iu":
            alike = stored.dtype.itemsize == 2 and np.array_equal(stored.view(np.uint16), pixels)
        else:
            pixels = pixels.view(np.int16) if instance.PixelRepresentation == 1 else pixels
            some = slice(None, None, 1 if k in (0, self._voxels.shape[2] // 2) else FEWER)
            alike = same_values(stored[some, some], pixels[some, some], self._slope, self._inter, instance)
        return alike or self.same(n, k)  # bits beyond BitsStored are blanked by who decodes

    def same(self, n: int, k: int) -> bool | None:
        """Whether a slice holds the decoded pixels of its instance; None where nothing here decodes them."""
        instance = self._instance(n, k)
        try:
            slices = self._reader.slices(instance)
        except ConversionError:
            return None  # a codec that only the converter has, or the fault of another check
        pixels = slices[k if instance.mosaic_tiles else 0][::-1].T
        return same_values(self._voxels[:, :, k, n], pixels, self._slope, self._inter, instance)

    def _instance(self, n: int, k: int) -> Instance:
        rows = self._instances[n]
        return rows[0] if rows[0].mosaic_tiles else rows[k]
