"""Weights of classes and samples, from the training part alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch

from ..cohorts.cohort import Cohort
from ..cohorts.targets import MultiLabel
from ..errors import CohortError, QueryError
from .values import groups, require_train, values


def class_weights(train: Cohort, target: str, *, absent: str = "raise", whole: bool = False) -> torch.Tensor:
    """The weight of each class of a ``Categorical`` target, float32 ``[classes]`` in the order of ``cohort.classes``.

    ``n / (k · n_c)`` for n samples, of which n_c are of the class, and k classes that occur (King & Zeng, Political
    Analysis 2001, doi:10.1093/oxfordjournals.pan.a004868): every class that occurs weighs the same in all, and the
    mean weight of a sample is 1. Samples without a class (``gaps="mask"``) do not count. It is meant for
    ``CrossEntropyLoss(weight=…)``. A class without a sample raises, or weighs 0 with ``absent="zero"``. Of a
    ``MultiLabel`` target: negatives by positives of each label, for ``BCEWithLogitsLoss(pos_weight=…)``; a label that
    no sample has, or that every one has, raises or weighs 0 likewise.

    Raises :class:`QueryError` for a target that has no classes, :class:`CohortError` where the cohort is not the
    training part (``whole=True`` takes a cohort that was not split) or a class does not occur.
    """
    require_train(train, "class_weights", whole=whole)
    if absent not in ("raise", "zero"):
        raise QueryError(f"class_weights: absent={absent!r} is not known; legal: raise zero")
    classes = train.classes.get(target)
    if classes is None:
        raise QueryError(f"class_weights: {target!r} has no classes; there are: {' '.join(train.classes) or 'none'}")
    given = values(train, target)
    if isinstance(train.targets[target], MultiLabel):
        weights, lacking = _of_labels(given, classes)
    else:
        weights, lacking = _of_classes(given, classes)
    if lacking and absent == "raise":
        raise CohortError(
            f"class_weights: no sample of {target!r} is {' or '.join(lacking)}, so it has no weight; make other "
            "splits, join classes, or say absent='zero'."
        )
    return torch.tensor(weights, dtype=torch.float32)


def sample_weights(train: Cohort, column: str, *, whole: bool = False) -> torch.Tensor:
    """The weight of each sample, float64 ``[samples]`` with mean 1: each class, site or word weighs the same in all.

    For losses of single samples, or torch's ``WeightedRandomSampler``; ``CohortSampler(balance=…)`` draws evenly
    without. Raises as :func:`class_weights`.
    """
    require_train(train, "sample_weights", whole=whole)
    given = groups(train, column)
    counts = Counter(given)
    return torch.tensor([len(given) / (len(counts) * counts[value]) for value in given], dtype=torch.float64)


def _of_classes(given: Sequence[Any], classes: Sequence[Any]) -> tuple[list[float], list[str]]:
    """The weights, and the classes that do not occur, in words."""
    found = Counter(given)
    counts = [found[n] for n in range(len(classes))]
    occurring = sum(1 for count in counts if count)
    weights = [sum(counts) / (occurring * count) if count else 0.0 for count in counts]
    return weights, [repr(name) for name, count in zip(classes, counts, strict=True) if not count]


def _of_labels(given: Sequence[Any], classes: Sequence[Any]) -> tuple[list[float], list[str]]:
    """The weights, and what no sample is: with a label, or without it. A flag that is not known (NaN) is neither."""
    weights: list[float] = []
    lacking: list[str] = []
    for n, name in enumerate(classes):
        found = Counter(flags[n] for flags in given)
        yes, no = found[1.0], found[0.0]
        weights.append(no / yes if yes else 0.0)
        lacking += [word for word, count in ((repr(name), yes), (f"without {name!r}", no)) if not count]
    return weights, lacking
