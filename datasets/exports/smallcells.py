"""Counts of people that may be shown: none that is small, and none from which a small one could be computed.

Primary and complementary suppression of tables of frequencies: Hundepool et al., Statistical Disclosure Control,
Wiley 2012, doi:10.1002/9781118348239, chapter 4.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

LEAST = 5
"""The smallest count of people that is shown; the certificate of a release calls groups below it small."""

HIDDEN = "-"
"""A count or share that is not told."""


def shown_alone(count: int, least: int = LEAST) -> str:
    """A count whose complement and sum are not told.

    >>> shown_alone(3), shown_alone(0), shown_alone(1200)
    ('<5', '0', '1,200')
    """
    return f"<{least}" if 0 < count < least else f"{count:,}"


def closed(counts: Sequence[int], least: int = LEAST, shut: Collection[int] = ()) -> frozenset[int]:
    """The places of the groups of which nothing may be told but a bound, where the sum of all is told elsewhere.

    Those are the groups below ``least``, those of ``shut`` (closed for another reason), and as many of the next larger
    as it takes for each small one to have two possible values. Groups may have members in common: then the sum is a
    bound only, from which less can be computed. A row that is closed is closed in all its cells: images and visits of
    few people tell how many they are.

    >>> sorted(closed([40, 12, 3])), sorted(closed([40, 12])), sorted(closed([9, 3]))
    ([1, 2], [], [0, 1])
    """
    small = [n for n, count in enumerate(counts) if 0 < count < least]
    wide = [n for n in shut if counts[n] >= least]
    others = sorted((n for n, c in enumerate(counts) if c >= least and n not in wide), key=lambda n: counts[n])
    while others and _is_told([counts[n] for n in small], [counts[n] for n in wide], least):
        wide.append(others.pop(0))
    return frozenset((*small, *wide, *shut))


def closed_cells(
    counts: Sequence[Sequence[int]], totals: Sequence[int], shut: Collection[int], least: int = LEAST
) -> set[tuple[int, int]]:
    """The cells (row, column) of a table of two groupings that are not told; of the rows in ``shut`` none is.

    The sum of a column is told elsewhere, and so is how many lack it. The sum of a row is at least its total of
    ``totals``, as everybody is in one column or in several. Cells are closed until neither gives a small one away.
    """
    rows, columns = range(len(counts)), range(len(counts[0]) if counts else 0)
    hidden = {(n, m) for n in shut for m in columns}
    while True:
        before = len(hidden)
        for m in columns:
            there = [row[m] for row in counts]
            lack = [total - count for total, count in zip(totals, there, strict=True)]
            for members in (there, lack):
                hidden |= {(n, m) for n in closed(members, least, [n for n in rows if (n, m) in hidden])}
        for n in (n for n in rows if n not in shut):
            there = [m for m in columns if (n, m) in hidden]
            rest = totals[n] - sum(counts[n][m] for m in columns if m not in there)
            if there and rest >= least - 1:
                hidden |= {(n, m) for m in closed(counts[n], least, there)}
        if len(hidden) == before:
            return hidden


def shown(counts: Sequence[int], least: int = LEAST, shut: Collection[int] = ()) -> list[str]:
    """The counts of groups, those that are :func:`closed` as bounds: "fewer than", "at least" or "more than none".

    >>> shown([40, 12, 3])
    ['40', '>=5', '<5']
    >>> shown([40, 0, 12]), shown([4, 4])
    (['40', '0', '12'], ['>0', '>0'])
    """
    hidden = closed(counts, least, shut)
    small = [counts[n] for n in hidden if counts[n] < least]
    if len(hidden) > 1 and _is_told(small, [counts[n] for n in hidden if counts[n] >= least], least):
        return [">0" if count else "0" for count in counts]
    return [f">={least}" if n in hidden and c >= least else shown_alone(c, least) for n, c in enumerate(counts)]


def are_single(counts: Sequence[int], least: int = LEAST) -> bool:
    """Whether the number of groups tells how many are in each, as each has one: then not even the groups are told."""
    return least > 1 and sum(counts) == sum(count > 0 for count in counts) > 1


def _is_told(hidden: Sequence[int], wide: Sequence[int], least: int) -> bool:
    """Whether the sum of all hidden counts tells what one of them is: fewer than two values are possible for it."""
    if not hidden:
        return False
    total, others = sum(hidden) + sum(wide), len(hidden) - 1
    lowest = others + least * len(wide)
    highest = total if wide else others * (least - 1)
    return sum(lowest <= total - value <= highest for value in range(1, least)) < 2


def is_lacked_by_few(count: int, of: int, least: int = LEAST) -> bool:
    """Whether those who lack something are so few that they are not counted; nobody may be told."""
    return 0 < of - count < least


def most(count: int, of: int, least: int = LEAST) -> str:
    """A count that few lack, as a bound so low that how few they are stays open.

    >>> most(998, 1000), most(6, 7)
    ('>=991', '>0')
    """
    bound = _bound(count, of, least)
    return f">={bound:,}" if bound >= least else ">0"


def _bound(count: int, of: int, least: int) -> int:
    """Twice as many as are few may lack it: that as many images as people are there must not tell."""
    return of - 2 * least + 1 if is_lacked_by_few(count, of, least) else least if count > least else 0


def share(count: int, of: int, least: int = LEAST) -> str:
    """A share in whole per cent; ``-`` where either count is not told, a bound where few lack it.

    >>> share(12, 40), share(3, 40), share(40, 40), share(6, 1000)
    ('30 %', '-', '100 %', '<1 %')
    >>> share(998, 1000), share(6, 7)
    ('>=99 %', '-')
    """
    if of < least or 0 < count < least:
        return HIDDEN
    if is_lacked_by_few(count, of, least):
        bound = _bound(count, of, least)
        return f">={100 * bound // of} %" if bound >= least else HIDDEN
    return percent(count / of)


def percent(part: float) -> str:
    """A part of one in whole per cent; 100 only where nothing is left, and 0 only where nothing is there."""
    whole = round(100 * part)
    if whole == 0 and part > 0:
        return "<1 %"
    return "99 %" if whole == 100 and part < 1 else f"{whole} %"
