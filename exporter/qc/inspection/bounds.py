"""Exact bounds of a share from a sample, and of the weighted share of a stratified one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import UsageError
from ..names import CONFIDENCE


def at_most(wrong: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The exact one-sided upper bound of a share after ``wrong`` in ``n`` (Clopper and Pearson, Biometrika 26, 1934).

    With nothing wrong it lies just below the rule of three, 3/n (Hanley and Lippman-Hand, JAMA 249, 1983).

    >>> round(at_most(0, 60), 4), 3 / 60
    (0.0487, 0.05)
    >>> at_most(0, 0)
    1.0
    """
    from scipy.special import betaincinv

    _check(wrong, n)
    return 1.0 if wrong == n else float(betaincinv(wrong + 1, n - wrong, confidence))


def interval(wrong: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact two-sided interval of Clopper and Pearson.

    >>> [round(x, 4) for x in interval(1, 20)]
    [0.0013, 0.2487]
    """
    from scipy.special import betaincinv

    _check(wrong, n)
    tail = (1 + confidence) / 2
    low = 0.0 if wrong == 0 else float(betaincinv(wrong, n - wrong + 1, 1 - tail))
    return low, at_most(wrong, n, tail)


def needed(error: float, confidence: float = CONFIDENCE) -> int:
    """How many must be looked at, and found right, to say that at most this share is wrong: the rule of three, exactly.

    Raises ``UsageError`` where the share is none.

    >>> needed(0.05), needed(0.01)
    (59, 299)
    """
    if not 0 < error < 1:
        raise UsageError(f"--max-error {error:g}: expected a share between 0 and 1, such as 0.05")
    n = max(1, math.ceil(math.log1p(-confidence) / math.log1p(-error)) - 1)
    while at_most(0, n, confidence) > error:
        n += 1
    return n


@dataclass(frozen=True, slots=True)
class Counted:
    """A stratum of ``size`` images of which ``right`` + ``wrong`` were drawn at random and judged."""

    size: int
    right: int
    wrong: int

    @property
    def n(self) -> int:
        """How many were judged."""
        return self.right + self.wrong


def weighted_share(strata: Sequence[Counted]) -> float:
    """The share of wrong ones: the mean of the strata's shares, each weighted by its size. All were looked at."""
    return sum(s.size * s.wrong / s.n for s in strata) / sum(s.size for s in strata)


def weighted_at_most(strata: Sequence[Counted], confidence: float = CONFIDENCE) -> float:
    """An upper bound of the weighted share, true with this confidence or more, whatever share of the strata was drawn.

    The number of wrong ones in a stratified sample varies no more than a binomial one of the same mean (Hoeffding, Ann.
    Math. Stat. 27, 1956; that drawing without replacement is such a sum of trials: Vatutin and Mikhailov, Theory
    Probab. Appl. 27, 1982), so Clopper and Pearson bound the sum of what was to be expected, Σ n·p, by n times their
    bound of the whole sample. The result is the greatest weighted share that this sum allows, where no stratum holds
    fewer wrong or fewer right images than were seen. Where the same share of each stratum was drawn it is their bound
    itself, and where all was looked at it is what was seen.
    """
    n, wrong = sum(s.n for s in strata), sum(s.wrong for s in strata)
    left = n * at_most(wrong, n, confidence) - sum(s.n * s.wrong / s.size for s in strata)
    worst = float(wrong)
    for s in sorted(strata, key=lambda s: s.size / s.n, reverse=True):
        unseen = s.size - s.n
        more = min(unseen, max(left, 0.0) * s.size / s.n)
        worst, left = worst + more, left - more * s.n / s.size
    return min(1.0, worst / sum(s.size for s in strata))


def _check(wrong: int, n: int) -> None:
    if not 0 <= wrong <= n:
        raise ValueError(f"{wrong} wrong of {n}")
