"""One volume that stacking took apart because some of its slices state another grid or thickness (G06, G07)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ...inventory.instance import Instance
from ...stacks.geometry import orientation_groups, position
from ...stacks.headers import upper
from ..check import ERROR, WARNING, Check, Evidence
from ..views import Series
from .layout import MISSING_FACTOR, is_point

LEAST_PLACES = 3
SAME_PLACE_MM = 0.05


def other_grid(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """Slices of one volume have other rows, columns or pixel spacing than the rest."""
    for pieces in torn_volumes(series, lambda i: (i.Rows, i.Columns, tuple(round(s, 4) for s in i.PixelSpacing))):
        yield Evidence(
            f"{len(pieces)} different grids in one volume of {sum(map(len, pieces))} images",
            "shape",
            (("shapes", len(pieces)), ("images", sum(len(rows) for rows in pieces[1:]))),
            tuple(i.key for rows in pieces[1:] for i in rows),
            holders(series, pieces),
        )


def other_thickness(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """Slices of one volume state another thickness than the rest."""
    for pieces in torn_volumes(series, lambda i: -1.0 if i.SliceThickness is None else round(i.SliceThickness, 1)):
        yield Evidence(
            f"{len(pieces)} different slice thicknesses in one volume of {sum(map(len, pieces))} images",
            "thickness",
            (("thicknesses", len(pieces)), ("images", sum(len(rows) for rows in pieces[1:]))),
            tuple(i.key for rows in pieces[1:] for i in rows),
            holders(series, pieces),
        )


def torn_volumes(series: Series, read: Callable[[Instance], Hashable]) -> Iterator[list[list[Instance]]]:
    """The images of one volume by what ``read`` gives, most frequent first, where it gives several values.

    A series may well hold two volumes of different shape. It is one volume that is torn where the images of both
    values together lie evenly, each place met equally often, and those of one value alone do not.
    """
    if len({read(i) for i in series.instances}) < 2:
        return
    alike: dict[Hashable, list[Instance]] = defaultdict(list)
    placed = [i for i in series.instances if i.pixel_length and has_place(i)]
    turned = orientation_groups(placed)
    for i in placed:
        echo = round(i.EchoTime or 0.0, 1)
        alike[i.SeriesNumber, i.SOPClassUID, upper(i.ImageType), echo, turned[i.ImageOrientationPatient]].append(i)
    for rows in alike.values():
        pieces: dict[Hashable, list[Instance]] = defaultdict(list)
        for i in rows:
            pieces[read(i)].append(i)
        if len(pieces) > 1 and is_torn(list(pieces.values())):
            yield sorted(pieces.values(), key=lambda piece: (-len(piece), piece[0].key))


def has_place(instance: Instance) -> bool:
    """Whether position and orientation are there, and one image is one slice."""
    placed = is_point(instance.ImagePositionPatient, 3) and is_point(instance.ImageOrientationPatient, 6)
    return placed and not instance.mosaic_tiles


def is_torn(pieces: Sequence[Sequence[Instance]]) -> bool:
    """Whether the pieces make one even set of slices only together, or are the weightings or times of one image."""
    along = [[position(i) or 0.0 for i in rows] for rows in pieces]
    everywhere = np.unique(np.round([z for piece in along for z in piece], 3))
    starts = everywhere[np.concatenate(([True], np.diff(everywhere) > SAME_PLACE_MM))]
    if len(starts) < LEAST_PLACES:
        return False
    met = [Counter((np.searchsorted(starts, np.array(z) + SAME_PLACE_MM / 2) - 1).tolist()) for z in along]
    if all(is_even(piece, len(starts)) for piece in met):
        return are_volumes(pieces)
    return is_even(sum(met, Counter[int]()), len(starts)) and are_neighbours(starts, met)


def are_neighbours(starts: NDArray[np.float64], met: Sequence[Counter[int]]) -> bool:
    """Whether slices of one piece mostly lie one step from those of another, or at their places, as blocks planned
    apart do not."""
    gaps = np.diff(starts)
    owner = [frozenset(n for n, piece in enumerate(met) if k in piece) for k in range(len(starts))]
    seams = [k for k in range(len(gaps)) if owner[k] != owner[k + 1]]
    close = sum(float(gaps[k]) <= MISSING_FACTOR * float(np.median(gaps)) for k in seams)
    return 2 * close > len(seams) or not seams


def are_volumes(pieces: Sequence[Sequence[Instance]]) -> bool:
    """Whether each piece holds b-values or temporal positions of its own, which are one image or one scan."""
    met = [{(i.b_value, i.TemporalPositionIdentifier) for i in rows} for rows in pieces]
    told = all((None, None) not in values for values in met)
    return told and len(set().union(*met)) == sum(map(len, met))


def is_even(met: Counter[int], places: int) -> bool:
    """Whether every place is met equally often."""
    return len(met) == places and len(set(met.values())) == 1


def holders(series: Series, pieces: Sequence[Sequence[Instance]]) -> tuple[str, ...]:
    """The stacks that hold the pieces."""
    keys = {i.key for rows in pieces for i in rows}
    return tuple(h.stack.stack_id for h in series.stacks if any(i.key in keys for i in h.stack.instances))


TORN: tuple[Check[Series], ...] = (
    Check("G06", "series", WARNING, "thickness varies in a volume", other_thickness),
    Check("G07", "series", ERROR, "rows, columns or spacing vary in a volume", other_grid),
)
