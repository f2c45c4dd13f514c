"""From a design to the part of every bundle in every fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import SplitError, listing
from ..files.names import natural
from .assign import Bundle, assign
from .design import TEST, TRAIN, VAL, Design

Words = Mapping[str, Mapping[str, str]]
"""By fold, the part of every bundle."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be divided.

    ``values`` are, where each value of a column is left out once, those of every bundle. ``before`` are the parts
    that are given by an earlier split, by fold and bundle.
    """

    design: Design
    bundles: Sequence[Bundle]
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    before: Words = field(default_factory=dict)


def divide(task: Task) -> dict[str, dict[str, str]]:
    """The part of every bundle, by the name of the fold: ``fold1`` …, ``fold1.1`` … of nested folds, ``without S01``
    where a value is left out.

    Raises :class:`SplitError` where a part would be empty, or an earlier split cannot be continued.
    """
    design = task.design
    if not design.folds:
        given = {TRAIN: 1 - (design.test or 0) - (design.val or 0), VAL: design.val, TEST: design.test}
        shares = {part: share for part, share in given.items() if share}
        return {"fold1": _dealt(task, task.bundles, shares, "fold1", task.before.get("fold1", {}))}
    words: dict[str, dict[str, str]] = {}
    for name, left_out, always in _outer(task):
        words |= _fold(task, name, left_out, always)
    return words


def _outer(task: Task) -> Iterator[tuple[str, set[str], set[str]]]:
    """Of every fold its name, the bundles that it leaves out, and those that are the test part of all folds."""
    design = task.design
    if design.leave is not None:
        yield from _by_value(task, design.leave)
        return
    folds = [f"fold{n + 1}" for n in range(design.k or 0)]
    kept = 1 - (design.test or 0)
    shares = {**({TEST: design.test} if design.test else {}), **{fold: kept / len(folds) for fold in folds}}
    home = _dealt(task, task.bundles, shares, "folds", _homes(task, folds))
    always = {name for name, fold in home.items() if fold == TEST}
    for fold in folds:
        yield fold, {name for name, other in home.items() if other == fold}, always


def _by_value(task: Task, column: str) -> Iterator[tuple[str, set[str], set[str]]]:
    values = sorted({value for given in task.values.values() for value in given}, key=natural)
    if len(values) < 2:
        raise SplitError(
            f"leave_one_out({column!r}): the column holds only {values[0]!r}, and leaving that out leaves nobody for "
            "training; take another column, or split(k=…)."
        )
    for value in values:
        yield f"without {value}", {name for name, given in task.values.items() if value in given}, set()


def _fold(task: Task, name: str, left_out: set[str], always: set[str]) -> dict[str, dict[str, str]]:
    """One fold, or its inner folds."""
    design = task.design
    fixed = {**dict.fromkeys(left_out, design.left_out), **dict.fromkeys(always, TEST)}
    rest = [bundle for bundle in task.bundles if bundle.name not in fixed]
    if not rest:
        raise SplitError(f"{name}: leaves nobody for training; everybody is left out or tied to who is.")
    if design.nested:
        inner = [f"{name}.{n + 1}" for n in range(design.nested)]
        home = _dealt(
            task, rest, dict.fromkeys(inner, 1 / len(inner)), name, _homes(task, inner, {b.name for b in rest})
        )
        return {fold: {**{n: VAL if h == fold else TRAIN for n, h in home.items()}, **fixed} for fold in inner}
    if design.val:
        placed = {n: word for n, word in task.before.get(name, {}).items() if word in (TRAIN, VAL)}
        return {name: {**_dealt(task, rest, {TRAIN: 1 - design.val, VAL: design.val}, name, placed), **fixed}}
    return {name: {**{bundle.name: TRAIN for bundle in rest}, **fixed}}


def _dealt(
    task: Task, bundles: Sequence[Bundle], shares: Mapping[str, float], stage: str, placed: Mapping[str, str]
) -> dict[str, str]:
    return assign(bundles, shares, seed=f"{task.design.seed}:{stage}", placed=placed)


def _homes(task: Task, folds: Sequence[str], among: set[str] | None = None) -> dict[str, str]:
    """The fold that leaves a bundle out in the earlier split, or TEST; of inner folds the one that validates on it."""
    mark = VAL if among is not None else task.design.left_out
    names = {name for fold in folds for name in _columns(task, fold) if among is None or name in among}
    found: dict[str, str] = {}
    for name in sorted(names):
        words = {fold: _columns(task, fold).get(name) for fold in folds}
        homes = [fold for fold, word in words.items() if word == mark]
        if set(words.values()) == {TEST} and task.design.test:
            found[name] = TEST
        elif len(homes) == 1:
            found[name] = homes[0]
        else:
            said = [f"{fold}: {word or 'nothing'}" for fold, word in words.items()]
            raise SplitError(
                f"The earlier split cannot be continued: {name} must be {mark!r} in exactly one of "
                f"{', '.join(folds)}, found\n{listing(said)}"
            )
    return found


def _columns(task: Task, fold: str) -> Mapping[str, str]:
    """The words of an earlier fold; of one that has inner folds, what all of them say of who is left out."""
    if task.design.nested and fold not in task.before:
        return task.before.get(f"{fold}.1", {})
    return task.before.get(fold, {})
