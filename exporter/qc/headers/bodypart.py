"""Whether two body parts can be those of one image."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from trialbids.mappings.bodyparts import body_parts

WHOLE = "wholebody"
UNKNOWN = "unknown"


@cache
def part_of_tag(tag: str) -> str:
    """The body part that a value of BodyPartExamined names, "" where the list knows none.

    >>> part_of_tag("Prostate "), part_of_tag("CHEST_ABD_PELVIS"), part_of_tag("A7")
    ('prostate', 'chestabdomenpelvis', '')
    """
    word = " ".join(tag.casefold().replace("^", " ").split())
    return next((part.name for part in body_parts().values() if word and word in part.tags), "")


@cache
def can_agree(one: str, other: str) -> bool:
    """Whether an image of one part can be called one of the other: it is the same, it lies in it, it is its neighbour.

    Neighbours are organs of one region, and an organ or region beside a region that is often scanned with it.

    >>> can_agree("prostate", "pelvis"), can_agree("prostate", "abdomen"), can_agree("prostate", "liver")
    (True, True, False)
    >>> can_agree("prostate", "head"), can_agree("brain", "wholebody")
    (False, True)
    """
    outer, inner = set(_around(one)), set(_around(other))
    if one in inner or other in outer:
        return True
    parts = body_parts()
    if parts[one].within == parts[other].within and not parts[one].combined and not parts[other].combined:
        return parts[one].within not in ("", WHOLE)
    scans = {_scan(one), _scan(other)}
    return len(scans) == 1 and not scans & {"", WHOLE} and (_is_region(one) or _is_region(other))


def _around(name: str) -> Iterator[str]:
    """The part and all that it lies in."""
    while name:
        yield name
        name = body_parts()[name].within


def _scan(name: str) -> str:
    """The smallest scan of several parts in which a part lies, "" where there is none."""
    return next((n for n in _around(name) if body_parts()[n].combined), "")


def _is_region(name: str) -> bool:
    """Whether a part lies in nothing smaller than a scan of several parts."""
    within = body_parts()[name].within
    return not within or body_parts()[within].combined
