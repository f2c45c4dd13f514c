"""Checks of what the pixels were before: their colours, their rescale, text that was allowed, the DICOM's pixels."""

from __future__ import annotations

from collections.abc import Iterator

from ...convert.proof import same_values
from ...errors import ConversionError
from ...inventory.instance import Instance
from ..check import Evidence
from .view import Pixels

GREY = frozenset({"MONOCHROME2"})
GREY_EITHER_WAY = frozenset({"MONOCHROME1", "MONOCHROME2"})
SECTIONAL = frozenset({"MR", "CT", "PT", "NM"})
"""Modalities whose originals are MONOCHROME2 (PS3.3 C.8.3.1, C.8.2.1, C.8.9.1, C.8.4.9)."""
PROJECTIONS = frozenset({"CR", "DX", "MG", "RG", "XA", "RF", "PX", "IO"})
"""Modalities whose originals are grey; some of them show bone dark (PS3.3 C.8.11.3)."""
SAME_SCALE = 1e-4
"""Rescales that differ by less than this share are one, written with other digits."""


def odd_colours(pixels: Pixels, _tolerance: float) -> Iterator[Evidence]:
    """PhotometricInterpretation is not what the modality measures, or differs within the stack."""
    rows = pixels.stack.instances
    met = {i.PhotometricInterpretation.upper() for i in rows if i.PhotometricInterpretation}
    if len(met) > 1:
        yield Evidence(f"{len(met)} photometric interpretations in one stack", "several")
    expected = _expected_colours(pixels)
    odd = tuple(i.key for i in rows if expected and i.PhotometricInterpretation.upper() not in (*expected, ""))
    if odd:
        message = f"{len(odd)} of {len(rows)} images of an original have another photometric interpretation than grey"
        if met & GREY_EITHER_WAY:
            message = f"{len(odd)} of {len(rows)} images of an original show high values dark"
        yield Evidence(message, "odd", (("images", len(odd)),), odd)


def _expected_colours(pixels: Pixels) -> frozenset[str]:
    """Empty where anything goes."""
    modality = pixels.stack.first.Modality
    if not pixels.is_original:
        return frozenset()
    return GREY if modality in SECTIONAL else GREY_EITHER_WAY if modality in PROJECTIONS else frozenset()


def rescale_not_applied(pixels: Pixels, share: float) -> Iterator[Evidence]:
    """Images of one volume have each its own rescale, and the voxels are stored values: they do not compare."""
    volume = pixels.picture.volume
    scales = {(i.RescaleSlope or 1.0, i.RescaleIntercept or 0.0) for i in pixels.stack.instances}
    if len(scales) < 2 or volume.voxels.dtype.kind not in "iu":
        return
    slopes, inters = zip(*scales, strict=True)
    _, highs = pixels.extremes
    range_ = float(abs(highs).max()) * max(map(abs, slopes)) or 1.0
    if max(slopes) - min(slopes) > share * max(map(abs, slopes)) or max(inters) - min(inters) > share * range_:
        message = f"{len(scales)} different rescales in one stack, and the voxels hold stored values"
        yield Evidence(message, "", (("rescales", len(scales)),))


def allowed_text(pixels: Pixels, _tolerance: float) -> Iterator[Evidence]:
    """Text was detected in the pixels, or the header says that it is there, and a person let it pass."""
    if pixels.texts:
        message = f"text was detected at {pixels.texts} places, and a person allowed it"
        yield Evidence(message, "pixels", (("places", pixels.texts),))
    burned = tuple(i.key for i in pixels.stack.instances if i.BurnedInAnnotation.upper() == "YES")
    if burned:
        message = f"BurnedInAnnotation says that {len(burned)} images show text, and they were kept"
        yield Evidence(message, "header", (("images", len(burned)),), burned)


def other_voxels(pixels: Pixels, _tolerance: float) -> Iterator[Evidence]:
    """The image does not hold the DICOM's pixels: all those of its first, middle and last slice, of the first and of
    the last volume, are compared. Nothing is said where the files are not at hand.

    Conversion has compared the first and a middle slice already (:mod:`...convert.proof`), and refused an image that
    differed; this is the proof of what is released, made again after all that happened in between.
    """
    if pixels.reader is None:
        return
    if pixels.grid is None:
        yield Evidence("the image does not lie where the headers say", "grid")
        return
    grid, placement = pixels.grid
    volume = pixels.picture.volume
    voxels = placement.undo(volume.voxels).reshape(*grid.shape, pixels.n_volumes)
    last = grid.shape[2] - 1
    wanted = sorted(
        {(0, 0), (0, last // 2), (0, last), (pixels.n_volumes - 1, last // 2), (pixels.n_volumes - 1, last)}
    )
    wrong, undecided = [], 0
    for n, k in wanted:
        instance = _instance_of(pixels, n, k)
        try:
            tiles = pixels.reader.slices(instance)
        except ConversionError:
            undecided += 1  # a codec that only the converter has
            continue
        seen = tiles[k if instance.mosaic_tiles else 0][::-1].T
        if not same_values(voxels[:, :, k, n], seen, volume.slope, volume.inter, instance):
            wrong.append((n, k))
    if wrong:
        message = f"{len(wrong)} of {len(wanted) - undecided} compared slices differ from the pixels of the DICOM"
        yield Evidence(message, "", (("slices", len(wrong)),), pixels.places(wrong))


def _instance_of(pixels: Pixels, n: int, k: int) -> Instance:
    rows = [i for i, volume in zip(pixels.stack.instances, pixels.stack.volume, strict=True) if volume == n]
    return rows[0] if rows[0].mosaic_tiles else rows[k]
