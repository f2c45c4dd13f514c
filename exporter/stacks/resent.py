"""Series that were sent again under new identifiers: the same number, times, places and pixels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence

from ..inventory.instance import Instance

Digest = Callable[[Instance], str]
Object = tuple[Instance, ...]
Series = tuple[str, str, str]


def resent_objects(objects: Sequence[Object], digest: Digest) -> set[tuple[str, str]]:
    """The objects (path, member) of series all of whose images another series of the study holds too.

    Of two equal series the one whose first path sorts first is kept; of two unequal ones the more complete.
    ``digest`` is called only for images that share their header with those of a series that shares all of them.
    """
    series: dict[Series, list[Object]] = defaultdict(list)
    keys = [measured(rows) for rows in objects]
    homes: dict[Hashable, set[Series]] = defaultdict(set)
    for rows, key in zip(objects, keys, strict=True):
        series[home_of(rows)].append(rows)
        homes[key].add(home_of(rows))
    alone = {home_of(r) for r, key in zip(objects, keys, strict=True) if key is None or len(homes[key]) == 1}
    asked = {key for key, together in homes.items() if key is not None and together - alone and len(together) > 1}
    pixels: dict[Series, Counter[Hashable]] = defaultdict(Counter)
    holders: dict[Hashable, set[Series]] = defaultdict(set)
    for rows, key in zip(objects, keys, strict=True):
        if key in asked:
            image = key, digest(rows[0])
            pixels[home_of(rows)][image] += 1
            holders[image].add(home_of(rows))
    kept_first = sorted(pixels, key=lambda s: (-len(series[s]), min(rows[0].key for rows in series[s])))
    rank = {home: n for n, home in enumerate(kept_first)}
    return {
        (rows[0].path, rows[0].member)
        for home in pixels.keys() - alone
        if any(
            rank[other] < rank[home] and not pixels[home] - pixels[other]
            for other in set.intersection(*(holders[image] for image in pixels[home]))
        )
        for rows in series[home]
    }


def home_of(rows: Object) -> Series:
    """The series of an object, within its patient and study."""
    return rows[0].PatientID, rows[0].StudyInstanceUID, rows[0].SeriesInstanceUID


def measured(rows: Object) -> Hashable | None:
    """What an image and its copy share whatever they are called now; None where no time of acquisition is told."""
    first = rows[0]
    if first.pixel_length is None or not (first.AcquisitionTime or first.AcquisitionDateTime):
        return None
    return (
        (first.PatientID, first.StudyInstanceUID, first.SeriesNumber, first.Modality, first.ImageType, len(rows)),
        (first.AcquisitionTime, first.AcquisitionDateTime, first.TriggerTime, first.TemporalPositionIdentifier),
        (first.ImagePositionPatient, first.ImageOrientationPatient, first.Rows, first.Columns),
        (first.EchoTime, first.b_value, first.b_direction),
    )
