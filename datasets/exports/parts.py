"""Which part of the splits a sample stands in, in the forms that lists of other frameworks know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import SHOWN, ExportError

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort
    from ..splits.splits import Split

TRAIN, VAL, TEST = "train", "val", "test"


@dataclass(frozen=True, slots=True)
class Parts:
    """For every fold, the part of every sample: ``folds[0]["sub-01_ses-01"]`` is ``train``, ``val`` or ``test``.

    ``names`` are those of the folds. Without splits there is no fold.
    """

    samples: tuple[str, ...]
    folds: tuple[Mapping[str, str], ...]
    names: tuple[str, ...] = ()

    @property
    def tested(self) -> frozenset[str]:
        """The samples that every fold tests on: no model may be trained on them.

        Where folds have no part to validate on, as when one site is left out at a time, what they test on is what they
        are judged by, and is not counted here.
        """
        if not self.folds or self.held_out == TEST:
            return frozenset()
        return frozenset(s for s in self.samples if all(fold.get(s) == TEST for fold in self.folds))

    @property
    def held_out(self) -> str:
        """The part that a fold is judged by: ``val``, or ``test`` where several folds have no part to validate on."""
        validated = any(VAL in fold.values() for fold in self.folds)
        return VAL if validated or len(self.folds) < 2 else TEST

    def fold_numbers(self) -> dict[str, int]:
        """For every sample outside of the common test part the one fold, from 0, that is judged by it.

        Raises :class:`ExportError` where the folds do not share out the samples: a list with one number a sample cannot
        say it.
        """
        numbers: dict[str, int] = {}
        tested = self.tested
        for sample in self.samples:
            if sample in tested:
                continue
            places = [n for n, fold in enumerate(self.folds) if fold.get(sample) == self.held_out]
            trained = sum(fold.get(sample) == TRAIN for fold in self.folds)
            if len(places) != 1 or trained != len(self.folds) - 1:
                held = ", ".join(str(n + 1) for n in places) or "none"
                raise ExportError(
                    f"{sample}: of {len(self.folds)} folds it is held out in {held} and trained on in {trained}; a "
                    "list with one fold number a sample can hold a k-fold only: give one fold at a time (--fold)."
                )
            numbers[sample] = places[0]
        return numbers


def parts_of(cohort: Cohort, splits: Sequence[Split] | None, fold: int | None = None) -> Parts:
    """Where each sample of ``cohort`` stands in ``splits``, or in the one ``fold`` of them, which counts from 1.

    Raises :class:`ExportError` where the splits are of another cohort: a part holds a sample that the cohort has not,
    or no part one that it has.
    """
    samples = tuple(sample_ids(cohort))
    folds = tuple(_fold(split) for split in splits or ())
    if folds:
        known = {sample for fold in folds for sample in fold}
        _refuse("are in the splits but not in the cohort", sorted(known - set(samples)))
        _refuse("are in the cohort but in no part of the splits", sorted(set(samples) - known))
    names = getattr(splits, "names", ()) or tuple(f"fold{n + 1}" for n in range(len(folds)))
    whole = Parts(samples, folds, tuple(names))
    return whole if fold is None else Parts(samples, tuple(split_of(whole, fold)), names[fold - 1 : fold])


def _fold(split: Split) -> dict[str, str]:
    train, val, test = split
    parts: tuple[tuple[str, Cohort | None], ...] = ((TRAIN, train), (VAL, val), (TEST, test))
    return {sample: name for name, part in parts if part is not None for sample in sample_ids(part)}


def _refuse(what: str, samples: list[str]) -> None:
    if samples:
        shown = ", ".join(samples[:SHOWN]) + (f" and {len(samples) - SHOWN} more" if len(samples) > SHOWN else "")
        raise ExportError(f"{shown} {what}; make the splits of this very cohort.")


def sample_ids(cohort: Cohort) -> list[str]:
    """The ids of the samples, in order."""
    return [str(sample["sample_id"]) for sample in cohort]


def split_of(parts: Parts, fold: int | None) -> Sequence[Mapping[str, str]]:
    """All folds, or the one of a number that counts from 1. Raises :class:`ExportError` where there is none such."""
    if fold is None:
        return parts.folds
    if not 1 <= fold <= len(parts.folds):
        raise ExportError(f"fold {fold}: the splits have {len(parts.folds)}, counted from 1.")
    return parts.folds[fold - 1 : fold]


def plain(value: Any) -> Any:
    """A value as JSON has it: tuples as lists, what is not a number as null."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and value != value else value
