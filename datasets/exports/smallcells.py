"""Counts of people that may be shown: none that is small, and none from which a small one could be computed.

Primary and complementary suppression of tables of frequencies: Hundepool et al., Statistical Disclosure Control,
Wiley 2012, doi:10.1002/9781118348239, chapter 4.
"""

from __future__ import annotations

from collections.abc import Sequence

LEAST = 5
"""The smallest count of people that is shown; the certificate of a release calls groups below it small."""

HIDDEN = "-"
"""A share that is not told."""


def shown_alone(count: int, least: int = LEAST) -> str:
    """A count whose complement and sum are not told.

    >>> shown_alone(3), shown_alone(0), shown_alone(1200)
    ('<5', '0', '1,200')
    """
    return f"<{least}" if 0 < count < least else f"{count:,}"


def shown(counts: Sequence[int], least: int = LEAST) -> list[str]:
    """The counts of groups that have no member in common, whose sum is told elsewhere.

    A count below ``least`` is hidden. Where a hidden one could be computed from the sum, as one alone could, the next
    larger are told only as "at least"; where that is not enough, all of them only as "more than none".

    >>> shown([40, 12, 3])
    ['40', '>=5', '<5']
    >>> shown([40, 0, 12])
    ['40', '0', '12']
    """
    hidden = [count for count in counts if 0 < count < least]
    others = sorted((n for n, count in enumerate(counts) if count >= least), key=lambda n: counts[n])
    n_wide = next(
        (n for n in range(len(others) + 1) if not _is_told(hidden, [counts[o] for o in others[:n]], least)), -1
    )
    if n_wide < 0 and len(hidden) + len(others) > 1:
        return [">0" if count else "0" for count in counts]
    wide = others[: max(n_wide, 0)]
    return [f">={least}" if n in wide else shown_alone(count, least) for n, count in enumerate(counts)]


def _is_told(hidden: Sequence[int], wide: Sequence[int], least: int) -> bool:
    """Whether the sum of all hidden counts tells what one of them is: fewer than two values are possible for it."""
    if not hidden:
        return False
    total, others = sum(hidden) + sum(wide), len(hidden) - 1
    lowest = others + least * len(wide)
    highest = total if wide else others * (least - 1)
    return sum(lowest <= total - value <= highest for value in range(1, least)) < 2


def share(count: int, of: int, least: int = LEAST) -> str:
    """A share in whole per cent, ``-`` where either count is not told.

    >>> share(12, 40), share(3, 40), share(40, 40), share(6, 1000)
    ('30 %', '-', '100 %', '<1 %')
    """
    if of < least or 0 < count < least:
        return HIDDEN
    return percent(count / of)


def percent(part: float) -> str:
    """A part of one in whole per cent; 100 only where nothing is left, and 0 only where nothing is there."""
    whole = round(100 * part)
    if whole == 0 and part > 0:
        return "<1 %"
    return "99 %" if whole == 100 and part < 1 else f"{whole} %"
