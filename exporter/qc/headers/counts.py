"""What counts and numbers say of slices that are not there (G12), series by series."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from ...harmonise import Harmonised
from ...inventory.instance import Instance
from ...stacks.stack import Stack
from ..check import WARNING, Check, Evidence
from ..views import Series
from .layout import layout_of

HIGHEST_START = 1000
ROUND_START = 100
"""Numbers that begin at 101 or 1001 are a scanner's own way of counting."""


def fewer_than_said(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """A volume has fewer slices than the vendor says it has."""
    said = max((i.slices_said or 0 for i in series.instances), default=0)
    if not said:
        return
    by_plane: dict[str, list[Stack]] = defaultdict(list)
    for h in series.stacks:
        by_plane[dict(h.stack.split).get("orientation", "")].append(h.stack)
    there = sum(max(s.n_slices for s in stacks) for stacks in by_plane.values())
    lost = said - there - inner_losses(series.stacks) if 0 < there < said else 0
    if lost > 0:
        yield lost_slices(lost, "said", f"the scanner counts {said} slices, {there} are there")


def fewer_than_acquired(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """The acquisition has fewer images than ImagesInAcquisition says.

    It counts the images of one volume or of all, so what is there may be a multiple or, where products lie in series
    of their own, a part.
    """
    told = Counter(i.ImagesInAcquisition or 0 for i in series.instances)
    said = told.most_common(1)[0][0] if told else 0
    images = sum(len(h.stack.instances) for h in series.stacks if h.stack.first.SeriesInstanceUID == series.uid)
    if said <= 0 or not images or any(i.frame or i.mosaic_tiles for i in series.instances):
        return
    numbers = [i.InstanceNumber for i in series.instances if i.InstanceNumber is not None]
    slices = max(h.stack.n_slices for h in series.stacks)
    if images < said:
        lost = said - images - inner_losses(series.stacks)
        left_out = bool(numbers) and min(numbers) == 1 and max(numbers) > images
        if lost > 0 and (said % images or left_out):
            yield lost_slices(lost, "acquired", f"ImagesInAcquisition says {said}, {images} are there")
    elif images > said > slices and said % slices:
        lost = said - slices - inner_losses(series.stacks)
        if lost > 0:
            yield lost_slices(lost, "acquired", f"ImagesInAcquisition says {said}, a volume has {slices}")


def numbers_with_holes(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """InstanceNumber does not begin at 1, or leaves numbers out, where no gap between the slices tells why.

    Numbers that go on from series of as many images begin after a multiple of that.
    """
    rows = [i for i in series.instances if i.pixel_length]
    numbers = [i.InstanceNumber for i in rows if i.InstanceNumber is not None]
    if len(rows) < 2 or len(set(numbers)) != len(rows) or any(i.frame or i.mosaic_tiles for i in rows):
        return
    if max((h.stack.n_slices for h in series.stacks), default=0) < 2:
        return
    first, last = min(numbers), max(numbers)
    before = first - 1
    if 0 < before < HIGHEST_START and before % ROUND_START and before % len(rows):
        yield lost_slices(before, "start", f"InstanceNumber begins at {first}")
    left_out = last - first + 1 - len(rows)
    if 0 < left_out <= len(rows) and left_out > inner_losses(series.stacks):
        yield lost_slices(left_out, "hole", f"InstanceNumber leaves out {left_out} between {first} and {last}")


def fewer_than_frames(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """A multi-frame object has fewer frames than NumberOfFrames says."""
    objects: dict[tuple[str, str], list[Instance]] = defaultdict(list)
    for i in series.instances:
        if i.frame:
            objects[i.path, i.member].append(i)
    for n, rows in enumerate(objects.values()):
        said = rows[0].NumberOfFrames or 0
        if said > len(rows):
            message = f"NumberOfFrames says {said}, {len(rows)} are described"
            yield lost_slices(said - len(rows), f"frames {n + 1}", message)


def lost_slices(lost: int, key: str, why: str) -> Evidence:
    """Evidence that slices are not there."""
    return Evidence(f"a first or last slice is probably lost: {why}", key, (("lost", lost),))


def inner_losses(stacks: Sequence[Harmonised]) -> int:
    """How many slices are missing between others: check G04 tells of these."""
    layouts = (layout_of(h.stack) for h in stacks if h.stack.n_slices > 1)
    return sum(n for layout in layouts for column in layout.columns for _, n in column.holes)


COUNTS: tuple[Check[Series], ...] = (
    Check("G12", "series", WARNING, "fewer slices than the vendor counts", fewer_than_said),
    Check("G12", "series", WARNING, "fewer images than ImagesInAcquisition", fewer_than_acquired),
    Check("G12", "series", WARNING, "InstanceNumber with holes", numbers_with_holes),
    Check("G12", "series", WARNING, "fewer frames than NumberOfFrames", fewer_than_frames),
)
