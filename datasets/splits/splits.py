"""Splits: the parts of a cohort, fold by fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self, overload

from ..cohorts.cohort import Cohort
from ..errors import SplitError, listing
from .bundles import Declared, bundles_of, declared_ties
from .coverage import never_held_out
from .design import PARTS, TEST, TRAIN, VAL, Design
from .guard import check_table, not_compared, ties_of_content
from .making import make_table
from .report import SplitReport, count_parts, rare_levels
from .strata import levels_of
from .table import Table, ordered, read_table, write_table

CHANGED = ("raise", "accept")


class Split(NamedTuple):
    """The parts of one fold: ``train, val, test = splits[0]``. A part that was not asked for is None.

    A part knows which one it is: ``split.train.part`` is ``"fold1/train"``.
    """

    train: Cohort
    val: Cohort | None
    test: Cohort | None


class Splits(Sequence[Split]):
    """The parts of a cohort in every fold, by participant.

    Made by :meth:`Cohort.split` and :meth:`Cohort.leave_one_out`, or read by :meth:`load`; checked against leaks
    (:meth:`check`) in all cases. ``names`` are those of the folds (``fold1``; ``fold1.2`` is the second inner fold of
    the first; ``without S01``), ``design`` is what was asked for, None where a table without its JSON was read.
    """

    def __init__(self, cohort: Cohort, table: Table, design: Design | None = None, notes: Iterable[str] = ()) -> None:
        self.cohort = cohort
        self.table = table
        self.design = design
        self.notes = (*notes, *never_held_out(self.words, design), *not_compared(cohort))
        self._positions: dict[str, list[int]] = {}
        for position, name in enumerate(cohort.column("participant_id")):
            self._positions.setdefault(str(name), []).append(position)
        self._check_people()
        self._check_trained()
        self.check()

    @classmethod
    def make(
        cls,
        cohort: Cohort,
        design: Design,
        *,
        groups: str | Declared | None = None,
        aliases: str | Path | Mapping[str, str] | None = None,
        before: Table | None = None,
    ) -> Self:
        """Divide a cohort, or continue an earlier division: who is in ``before`` keeps all parts."""
        if isinstance(groups, str):
            design, groups = replace(design, groups=groups), None
        ties = [*declared_ties(cohort, design.groups, None), *declared_ties(cohort, groups, aliases)]
        table, notes = make_table(cohort, design, ties, before)
        return cls(cohort, table, design, notes)

    @classmethod
    def load(cls, cohort: Cohort, path: str | Path, *, changed: str = "raise") -> Self:
        """Read what :meth:`save` wrote, or a table by hand: ``participant_id``, perhaps ``group``, ``fold1`` ….

        Participants must be those of the cohort; ``cohort.split(previous=path)`` takes a split along to a cohort
        that has grown or shrunk. With the same participants, ``changed="accept"`` uses the split for other samples of
        theirs (other images, a new export). Raises :class:`SplitError` for a table that does not fit, and
        :class:`LeakError`.
        """
        if changed not in CHANGED:
            raise SplitError(f"Splits.load: changed={changed!r} is not known; legal: {', '.join(map(repr, CHANGED))}.")
        table, origin = read_table(Path(path))
        if origin is None:
            note = f"{path} was read without a JSON beside it: whether the cohort is the same was not checked"
            return cls(cohort, table, None, [note])
        splits = cls(cohort, table, origin.design)
        if origin.fingerprint != cohort.fingerprint and changed == "raise":
            raise SplitError(
                f"{path}: was made of other samples of these participants (fingerprint {origin.fingerprint[:12]}, now "
                f"{cohort.fingerprint[:12]}): the queries, the targets or the files have changed. "
                "Splits.load(…, changed='accept') uses it all the same."
            )
        return splits

    def save(self, path: str | Path) -> Path:
        """Write a TSV with one row a participant and one column a fold, and beside it a JSON with seed, parameters
        and the fingerprint of the cohort. Returns the path of the TSV."""
        path = Path(path)
        people = len(self._positions)
        facts = {"fingerprint": self.cohort.fingerprint, "participants": people, "samples": len(self.cohort)}
        write_table(path, self.table, self.design, facts)
        return path

    def extend(
        self,
        cohort: Cohort,
        *,
        groups: str | Declared | None = None,
        aliases: str | Path | Mapping[str, str] | None = None,
    ) -> Self:
        """The same split of a cohort that has grown or shrunk: nobody moves, who is new fills the parts up.

        Participants that are gone are named in ``notes``, and keep their parts in the table, for the case that they
        come back. Raises :class:`LeakError` where somebody new ties participants of two parts together.
        """
        if self.design is None:
            raise SplitError(
                "This split was read without its JSON, so nobody knows how it was made; use cohort.split(previous=…) "
                "with the same k=, test=, val= and nested= as then."
            )
        return type(self).make(cohort, self.design, groups=groups, aliases=aliases, before=self.table)

    # --- a sequence of folds

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the folds."""
        return self.table.names

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Split: ...
    @overload
    def __getitem__(self, index: slice) -> list[Split]: ...
    def __getitem__(self, index: int | slice) -> Split | list[Split]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        name = self.names[index]
        sides = {part: self._part(name, part) for part in PARTS}
        train = sides[TRAIN]
        if train is None:
            raise SplitError(f"{name}: has no participant for training.")
        return Split(train, sides[VAL], sides[TEST])

    def __repr__(self) -> str:
        return f"Splits({len(self._positions)} participants: {', '.join(self.names)})"

    @cached_property
    def words(self) -> dict[str, dict[str, str]]:
        """By fold, the part of every participant of the cohort."""
        return {
            name: {person: self.table.words[person][number] for person in self.table.present}
            for number, name in enumerate(self.names)
        }

    @property
    def outer(self) -> list[Split]:
        """Of nested folds the outer ones: everybody who is not left out is in ``train``, and ``val`` is None."""
        return [
            Split(self._outer_train(inner[0]), None, self._part(inner[0], TEST)) for inner in self._families().values()
        ]

    def inner(self, fold: int) -> list[Split]:
        """The inner folds of an outer one, which is counted from 0."""
        family = list(self._families().values())[fold]
        return [self[self.names.index(name)] for name in family]

    def _families(self) -> dict[str, list[str]]:
        """The inner folds by the name of the outer one."""
        families: dict[str, list[str]] = {}
        for name in self.names:
            families.setdefault(name.rpartition(".")[0], []).append(name)
        if self.design is None or not self.design.nested:
            raise SplitError("These folds are not nested; ask for nested= to have inner ones.")
        return families

    def _outer_train(self, name: str) -> Cohort:
        kept = [n for person, word in self.words[name].items() if word != TEST for n in self._positions[person]]
        return self.cohort[sorted(kept)].as_part(f"{name.rpartition('.')[0]}/{TRAIN}")

    def _part(self, fold: str, part: str) -> Cohort | None:
        kept = [n for person, word in self.words[fold].items() if word == part for n in self._positions[person]]
        return self.cohort[sorted(kept)].as_part(f"{fold}/{part}") if kept else None

    # --- what is checked and told

    def check(self, content: bool = False) -> None:
        """The leak guard: raise :class:`LeakError` where what belongs together stands in two parts of one fold.

        That are declared groups and aliases, participants with an image of the same voxels, and participants with
        images of one study. Voxels are compared by the hashes of the manifest; of images without a hash only whole
        files are, by the checksum in a ``.nii.gz``, as ``notes`` says, and with ``content=True`` they are read.
        """
        ties = [*self.table.ties(), *ties_of_content(self.cohort, content)]
        if self.design and self.design.groups:
            ties += declared_ties(self.cohort, self.design.groups, None)
        check_table(self.table, ties)

    def report(self, columns: Sequence[str] | None = None) -> SplitReport:
        """Sizes and balance of the parts; ``columns`` are those that were stratified by, and the site."""
        asked = columns if columns is not None else (self.design.stratify if self.design else ())
        sites = ("site",) if any(self.cohort.column("site")) else ()
        shown = tuple(dict.fromkeys((*asked, *sites)))
        parts = self.design.parts if self.design else len(set(self.table.words.values()))
        levels = levels_of(self.cohort, shown, parts)
        order = sorted({level for given in levels.values() for level in given})
        counts = count_parts(self.words, {n: len(at) for n, at in self._positions.items()}, levels, order)
        bundles = bundles_of(self._positions, self.table.ties())
        rare = rare_levels(levels, asked, bundles, parts)
        return SplitReport(tuple(counts), shown, rare, self.notes)

    def _check_people(self) -> None:
        new = [name for name in self._positions if name not in self.table.words]
        lines = [f"{name}: is new, it has no part" for name in ordered(new)]
        lines += [f"{name}: is not in the cohort" for name in self.table.present if name not in self._positions]
        if lines:
            raise SplitError(
                "The split and the cohort have other participants; cohort.split(previous=…) continues it:\n"
                f"{listing(lines)}"
            )

    def _check_trained(self) -> None:
        for name, words in self.words.items():
            held = Counter(words.values())
            if not held[TRAIN]:
                raise SplitError(f"{name}: has no participant for training.")
            if len(held) < 2:
                raise SplitError(f"{name}: everybody is in {TRAIN!r}; a split has a second part.")
