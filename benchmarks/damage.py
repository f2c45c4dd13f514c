"""What damage to the headers costs: points right and wrong against the clean run of the same set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from judging import RIGHT, WITHHELD, WRONG, Cell, Figure, change
from labelled_sets import Answer
from perturb import EXEMPT, TEXT, Changes, swapped, without

from trialbids.exporter.harmonise.decide import Judge

PORTIONS = (0.1, 0.2, 0.4)
GOOD, BAD = (RIGHT, WITHHELD), (WRONG,)


class Labelled(Protocol):
    """A labelled set, of a table or of real files. Its keys name rows or series.

    ``study`` is the study of each key, ``held`` the elements that its header holds, ``texts`` its text.
    """

    @property
    def name(self) -> str: ...

    @property
    def study(self) -> Mapping[str, str]: ...

    @property
    def held(self) -> Mapping[str, frozenset[str]]: ...

    @property
    def texts(self) -> Mapping[str, tuple[str, ...]]: ...

    def shown(self, key: str) -> str: ...

    def answer(self, keys: Sequence[str], changes: Mapping[str, Changes], judge: Judge) -> list[Answer]: ...

    def cells(self, answers: Iterable[Answer]) -> list[Cell]: ...


@dataclass(frozen=True)
class Runner:
    """A labelled set that is harmonised study by study, so that damage runs again only the studies it touches."""

    labelled: Labelled
    judge: Judge

    @cached_property
    def studies(self) -> dict[str, list[str]]:
        """The keys of each study."""
        studies: dict[str, list[str]] = defaultdict(list)
        for key, study in self.labelled.study.items():
            studies[study].append(key)
        return studies

    @cached_property
    def answers(self) -> dict[str, list[Answer]]:
        """The clean records of each study."""
        return {study: self.labelled.answer(keys, {}, self.judge) for study, keys in self.studies.items()}

    @cached_property
    def clean(self) -> list[Cell]:
        """The cells of the clean run."""
        return self.labelled.cells(a for answers in self.answers.values() for a in answers)

    def damaged_answers(self, changes: Mapping[str, Changes]) -> dict[str, list[Answer]]:
        """The records of the touched studies, after changes to the headers of some keys."""
        touched = {self.labelled.study[key] for key in changes}
        return {
            study: self.labelled.answer(keys, changes, self.judge)
            for study, keys in self.studies.items()
            if study in touched
        }

    def damaged(self, changes: Mapping[str, Changes]) -> list[Cell]:
        """All cells after changes to the headers of some keys."""
        again = self.damaged_answers(changes)
        cells = self.labelled.cells(a for answers in again.values() for a in answers)
        return [c for c in self.clean if c.study not in again] + cells


@dataclass(frozen=True, slots=True)
class Loss:
    """What one kind of damage does to one attribute: the change of the share right and of the share wrong."""

    damage: str
    attribute: str
    right: Figure
    wrong: Figure


def loss(damage: str, attribute: str, runner: Runner, runs: Sequence[Sequence[Cell]]) -> Loss:
    """The loss over one or more runs of the same damage."""
    before = of(attribute, runner.clean)
    after = [of(attribute, run) for run in runs]
    return Loss(damage, attribute, change(before, after, GOOD), change(before, after, BAD))


def of(attribute: str, cells: Iterable[Cell]) -> list[Cell]:
    """The cells of one attribute."""
    return [c for c in cells if c.attribute == attribute]


def swaps(runner: Runner, seeds: int) -> list[Loss]:
    """Text swapped between series."""
    texts = runner.labelled.texts
    return [
        loss(
            f"{100 * portion:.0f} % of descriptions swapped",
            "sequence",
            runner,
            [runner.damaged(swapped(texts, portion, seed)) for seed in range(seeds)],
        )
        for portion in PORTIONS
    ]


def blank(runner: Runner) -> list[Cell]:
    """All cells where every free text is blank."""
    return runner.damaged(dict.fromkeys(runner.labelled.texts, without(*TEXT)))


def removals(runner: Runner, only: Sequence[str] = ()) -> list[tuple[str, list[Cell]]]:
    """All cells with each element taken away in turn."""
    return [
        (element, runner.damaged(removal(runner.labelled, element)))
        for element in elements(runner.labelled)
        if not only or element in only
    ]


def elements(labelled: Labelled) -> list[str]:
    """The elements that some header holds."""
    return sorted(frozenset[str]().union(*labelled.held.values()))


def removal(labelled: Labelled, element: str) -> dict[str, Changes]:
    """The change to every header that holds an element."""
    return {key: without(element) for key, held in labelled.held.items() if element in held}


def worst_removals(runner: Runner, runs: Sequence[tuple[str, Sequence[Cell]]]) -> list[Loss]:
    """For each attribute the removal that costs most, those exempt that define it."""
    names = sorted({c.attribute for c in runner.clean})
    before = good_by_attribute(runner.clean)
    worst: dict[str, tuple[int, str, Sequence[Cell]]] = {}
    for element, cells in runs:
        after = good_by_attribute(cells)
        for name in names:
            fallen = before.get(name, 0) - after.get(name, 0)
            if name not in EXEMPT.get(element, ()) and fallen > worst.get(name, (0, "", ()))[0]:
                worst[name] = fallen, element, cells
    return [loss(f"without {element}", name, runner, [cells]) for name, (_, element, cells) in sorted(worst.items())]


def good_by_attribute(cells: Iterable[Cell]) -> dict[str, int]:
    """How many cells of each attribute are right."""
    counts: dict[str, int] = defaultdict(int)
    for c in cells:
        counts[c.attribute] += c.verdict in GOOD
    return counts
