"""One draw of a sample: which one, in which epoch, and for which time in it."""

from __future__ import annotations

from typing import NamedTuple


class Draw(NamedTuple):
    """An index of a dataset together with what its random numbers hang on.

    ``index`` is the place in the cohort, ``epoch`` the pass over the data, and ``repeat`` counts how often the sample
    was drawn before in that epoch, which happens where a sampler draws with replacement: each repeat is augmented
    differently. A sampler that yields draws tells the workers the epoch with every single sample, so that a worker
    that lives over epochs, or has fetched the next epoch in advance, can never be wrong about it.

    >>> Draw(3)
    Draw(index=3, epoch=0, repeat=0)
    """

    index: int  # pyright: ignore[reportIncompatibleMethodOverride] - a place, not a search
    epoch: int = 0
    repeat: int = 0
