"""What of an image is looked at: slices through the stack, three planes, the volumes or the phases of its scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from isal import igzip, isal_zlib
from nibabel import Nifti1Image
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from ...errors import UsageError
from . import picture
from .orient import Page, page, plane_name
from .picture import Grey
from .population import Released

TILE, COLUMNS, MOST_SLICES = 164, (5, 6), 24
LARGE, WIDE = 400, 960
"""Pixels of the greatest height and width of the three planes."""

STRIP, MOST_IN_STRIP = 138, 12
MOSAIC_BYTES, PLANES_BYTES, STRIP_BYTES = 72_000, 37_000, 38_000
"""Characters of the data URIs, so that a page of many images can still be sent and printed."""

DAMAGED: type[Exception] = isal_zlib.error  # pyright: ignore[reportAssignmentType]
"""What isal raises for bytes that are no gzip stream."""

LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture (a data URI, its size in pixels) with what it shows."""

    uri: str
    size: tuple[int, int]
    caption: str


@dataclass(frozen=True, slots=True)
class Middle:
    """The middle slice of an image with the page that it lies on; small, kept for the strips of its scan."""

    image: Released
    plane: NDArray[np.float32]
    page: Page


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """An image in memory: ``volumes`` are [x, y, z, t] as stored, which a slope above zero only scales."""

    image: Released
    volumes: NDArray[Any]
    affine: NDArray[np.float64]

    @property
    def middle(self) -> Middle:
        """The middle slice of the first volume."""
        across = page(self.affine, 2)
        plane = across.lay(self.volumes[..., 0], self.volumes.shape[2] // 2)
        return Middle(self.image, np.array(plane, np.float32), across)


def load(root: Path, image: Released) -> Look:
    """Read an image of the tree, once. Raises ``UsageError`` where it cannot be read."""
    path = root / image.path
    try:
        nifti = Nifti1Image.from_bytes(igzip.decompress(path.read_bytes()))
        stored: Any = nifti.dataobj  # an array proxy, as of every image that was read
        data, slope = np.asanyarray(stored.get_unscaled()), float(stored.slope)
    except (OSError, EOFError, ValueError, DAMAGED, ImageFileError, HeaderDataError, WrapStructError) as error:
        raise UsageError(f"{path}: cannot be read as NIfTI; the tree is damaged, export the trial again") from error
    if data.dtype.names:
        shares = zip(data.dtype.names, LUMINANCE, strict=False)
        data = np.sum([np.float32(share) * data[colour] for colour, share in shares], axis=0)
    if np.iscomplexobj(data):
        data = np.abs(data)
    volumes = np.asarray(data).reshape(*data.shape[:3], *[1] * (3 - data.ndim), -1)
    affine = np.asarray(nifti.affine, np.float64)
    return Look(image, -volumes.astype(np.float32) if slope < 0 else volumes, affine)


def slices(look: Look) -> Figure:
    """Slices through the stack as it was acquired, the first and the last among them."""
    volume, through = look.volumes[..., 0], page(look.affine, 2)
    count = volume.shape[2]
    shown = spread(count, MOST_SLICES)
    columns = _columns(len(shown))
    side = TILE if len(shown) > 2 else LARGE
    levels = picture.window(volume)
    tiles: list[Grey] = []
    for n in shown:
        made = picture.tile(through.lay(volume, n), through.mm, (side, side), levels)
        made = picture.centred(made, (side, side))
        picture.write(made, str(n + 1), "corner")
        tiles.append(picture.lettered(made, (through.marks[0], "", through.marks[2], "")))
    left, _, top, _ = through.marks
    which = f"all {count} slices" if len(shown) == count else f"{len(shown)} of {count} slices"
    also = ", first volume" if look.volumes.shape[3] > 1 else ""
    caption = f"{which.capitalize()} through the stack ({plane_name(look.affine, 2)}{also}), numbered as in the file"
    return _figure(picture.mosaic(tiles, columns), MOSAIC_BYTES, f"{caption}; {left} at the left, {top} at the top.")


def planes(look: Look) -> Figure | None:
    """The middle of the image in three planes at one scale; None where it has one slice."""
    volume = look.volumes[..., 0]
    if volume.shape[2] < 2 or min(volume.shape) < 2:
        return None
    levels = picture.window(volume)
    pages = [page(look.affine, axis) for axis in (2, 1, 0)]
    native, *others = [(volume.shape[p.down] * p.mm[0], volume.shape[p.across] * p.mm[1]) for p in pages]
    stacked = sum(height for height, _ in others) <= native[0]
    wide = native[1] + (max if stacked else sum)(width for _, width in others)
    scale = min(LARGE / max(native[0], *(height for height, _ in others)), WIDE / wide)
    made = []
    for p in pages:
        grey = picture.scaled(p.lay(volume, volume.shape[p.through] // 2), p.mm, scale, levels)
        made.append(picture.bordered(grey, p.marks))
    together = picture.beside([made[0], picture.above(made[1:])] if stacked else made)
    names = ", ".join(plane_name(look.affine, p.through) for p in pages)
    zooms = np.linalg.norm(look.affine[:3, :3], axis=0)
    size = " × ".join(f"{n * d:.0f}" for n, d in zip(volume.shape, zooms, strict=True))
    return _figure(together, PLANES_BYTES, f"The middle in three planes ({names}), one scale: {size} mm.")


def volumes(look: Look) -> Figure | None:
    """The middle slice of every volume, each in a window of its own; None where there is one volume."""
    count = look.volumes.shape[3]
    if count < 2:
        return None
    shown, through = spread(count, MOST_IN_STRIP), page(look.affine, 2)
    names = look.image.words["bvalues"].split()
    tiles = []
    for n in shown:
        plane = through.lay(look.volumes[..., n], look.volumes.shape[2] // 2)
        made = picture.tile(plane, through.mm, (STRIP, STRIP), picture.window(plane))
        made = picture.centred(made, (STRIP, STRIP))
        picture.write(made, f"b {names[n]}" if len(names) == count else str(n + 1), "corner", 0.38)
        tiles.append(made)
    which = f"all {count} volumes" if len(shown) == count else f"{len(shown)} of {count} volumes"
    caption = f"The middle slice of {which}, each in its own window."
    return _figure(picture.mosaic(tiles, min(len(tiles), 6)), STRIP_BYTES, caption)


def phases(image: Released, middles: Sequence[Middle]) -> Figure | None:
    """The middle slices of the scan's phases in one window, this image framed; None where it has no others."""
    if len(middles) < 2:
        return None
    levels = picture.window(np.concatenate([middle.plane.ravel() for middle in middles]))
    tiles = []
    for middle in middles:
        made = picture.tile(middle.plane, middle.page.mm, (STRIP, STRIP), levels)
        made = picture.centred(made, (STRIP, STRIP))
        picture.write(made, _moment(middle.image), "corner", 0.38)
        tiles.append(picture.framed(made) if middle.image.path == image.path else made)
    caption = "The middle slice of the phases of this scan, all in one window; this image is framed."
    return _figure(picture.mosaic(tiles, min(len(tiles), 6)), STRIP_BYTES, caption)


def of_strip(image: Released, scan: Sequence[Released]) -> list[Released]:
    """The images of a scan that stand in the strip of one of them: phases of the same kind, this one among them."""
    kind = [i for i in scan if i.sequence == image.sequence and i.words["phase_index"]]
    if image not in kind:
        return []
    shown = {kind[n].path for n in spread(len(kind), MOST_IN_STRIP - 1)} | {image.path}
    return [i for i in kind if i.path in shown]


def _columns(count: int) -> int:
    """Tiles in a row: as many as leave the fewest places empty."""
    return count if count <= max(COLUMNS) else min(COLUMNS, key=lambda c: (-count % c, -c))


def spread(count: int, most: int) -> list[int]:
    """Positions from the first to the last, evenly, at most so many.

    >>> spread(3, 5), spread(10, 4)
    ([0, 1, 2], [0, 3, 6, 9])
    """
    return list(range(count)) if count <= most else [round(k * (count - 1) / (most - 1)) for k in range(most)]


def _moment(image: Released) -> str:
    time = image.words["phase_time_s"]
    return f"{image.words['phase_index']}: {float(time):.0f} s" if time else image.words["phase_index"]


def _figure(grey: Grey, most: int, caption: str) -> Figure:
    return Figure(picture.jpeg(grey, most), (grey.shape[1], grey.shape[0]), caption)
