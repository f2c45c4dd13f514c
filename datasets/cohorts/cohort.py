"""A cohort: the samples a model is to see, as plain values and paths."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ..errors import QueryError
from ..files.places import Place
from .columnar import Columnar
from .common import Common
from .grids import raise_off_grid
from .packing import packed, unpacked
from .policies import Resample
from .report import Report
from .rows import paths_of
from .targets import Target

if TYPE_CHECKING:
    from ..splits.splits import Splits

IDENTITY = ("sample_id", "participant_id", "session_id", "site")


class Cohort(Sequence[dict[str, Any]]):
    """An immutable sequence of samples: ``cohort[0]`` is a dict, a slice or a list of positions is a cohort.

    A sample holds ``sample_id``, ``participant_id``, ``session_id``, ``site``, the targets, and for every key of
    images and labels the path of its file, a list of paths (the phases of a DCE), or ``""`` where it is missing and
    to be masked. Beside an image key stand ``<key>.unit`` and ``<key>.factor`` (from rescaled values to the unit),
    ``<key>.qc`` (its verdict, the worst of several) and, where they apply, ``<key>.times`` (s), ``<key>.bvalues``
    (s/mm²), ``<key>.volumes`` and ``<key>.fields`` (a dict of the sidecar fields asked for); ``present`` has a flag
    for every key where missing ones are masked, and ``<key>.dtype`` the type of their zeros. A label that is made of
    several masks has ``<key>.union``, one from regions of a label map ``<key>.indices``, a table of boxes or points
    ``<key>.table`` and ``<key>.rows``; what is to be resampled has ``<key>.onto``. A :class:`MultiLabel` or
    :class:`Survival` target is a list of floats. :class:`LoadSequencesd` reads such a dict; so does MONAI's
    ``LoadImaged``, without factor, volumes and resampling.

    Two cohorts are equal where their fingerprints are. Cohorts are made by :meth:`Database.cohort`.
    """

    def __init__(
        self, common: Common, samples: Columnar, facts: Columnar | None = None, odd: Sequence[str] = ()
    ) -> None:
        """``facts`` are the clinical columns of the samples, ``odd`` the image key of each that lies on another grid
        than its first image, or ""."""
        self._common = common
        self._samples = samples
        self._facts = facts or Columnar({}, samples.length)
        self._odd = tuple(odd) or ("",) * samples.length
        self.part = ""
        """Which part of a split it is, ``fold1/train``, or ""."""

    @property
    def root(self) -> Place:
        """Where the tree lies: a folder, or an address."""
        return self._common.root

    @property
    def image_keys(self) -> tuple[str, ...]:
        """The keys of ``images=``."""
        return self._common.image_keys

    @property
    def label_keys(self) -> tuple[str, ...]:
        """The keys of ``labels=``."""
        return self._common.label_keys

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that become tensors: images, then labels; ``present`` has this order."""
        return (*self.image_keys, *self.label_keys)

    @property
    def targets(self) -> Mapping[str, Target]:
        """The targets by name, with their classes."""
        return MappingProxyType(dict(self._common.targets))

    @property
    def classes(self) -> Mapping[str, tuple[Any, ...]]:
        """The classes of every target that has some, by its name."""
        return MappingProxyType({name: t.classes for name, t in self._common.targets.items() if t.classes})

    @property
    def resample(self) -> Resample | None:
        """The grid that every sample is brought to when it is read, None where images stay as they are."""
        return self._common.resample

    def __len__(self) -> int:
        return self._samples.length

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int]) -> Cohort: ...
    def __getitem__(self, index: int | slice | Sequence[int]) -> dict[str, Any] | Cohort:
        if isinstance(index, slice):
            return self._part(range(len(self))[index])
        if isinstance(index, Iterable):
            return self._part([range(len(self))[_position(i)] for i in index])
        return self._absolute(self._samples.row(range(len(self))[_position(index)]))

    def __repr__(self) -> str:
        return f"Cohort({len(self)} samples: {', '.join(self.keys)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cohort):
            return NotImplemented
        return self is other or self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def report(self) -> Report:
        """How many samples were left after each condition, by site, when the cohort was made."""
        return self._common.report

    def column(self, name: str) -> tuple[Any, ...]:
        """One value a sample: of ``sample_id``, ``participant_id``, ``session_id`` or ``site``; of a target, as the
        table gives it (a tuple where it reads several columns); or of any clinical column. None where it is empty.

        Raises :class:`QueryError` for a column that is not there, or has no one value for a sample.
        """
        if name in IDENTITY:
            return self._samples.columns[name]
        if (target := self._common.targets.get(name)) is not None:
            parts = [self._facts.columns[column] for column in target.columns]
            return parts[0] if len(parts) == 1 else tuple(zip(*parts, strict=True))
        if name in self._facts.columns:
            return self._facts.columns[name]
        if name in self._common.refused:
            raise QueryError(self._common.refused[name])
        known = sorted({*IDENTITY, *self._common.targets, *self._facts.columns})
        guess = get_close_matches(name, known, n=1)
        raise QueryError(
            f"cohort.column({name!r}): there is no such column; there are: {' '.join(known)}"
            + (f"; did you mean {guess[0]!r}?" if guess else "")
        )

    @cached_property
    def identities(self) -> Mapping[str, str]:
        """The SHA-256 of the voxels of every file that the manifest knows, by its path in the tree."""
        return self._of_files(self._common.sha256)

    @cached_property
    def studies(self) -> Mapping[str, str]:
        """The keyed StudyInstanceUID of every image whose sidecar has one, by its path in the tree."""
        return self._of_files(self._common.studies)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The paths of all files that the samples read, relative to the root, sorted."""
        columns = (self._samples.columns[key] for key in self.keys)
        return tuple(sorted({path for column in columns for value in column for path in paths_of(value)}))

    @cached_property
    def fingerprint(self) -> str:
        """A SHA-256 over the samples, the queries and the content of their files; the place of the tree is no part.

        Where the manifest does not know a file, or is not believed (in a copy that did not keep the times of change),
        the checksum of the file itself is read, once.
        """
        words = self._common.content.words(self.files)
        body = [self._common.description, self.classes, self._samples.columns, words]
        return hashlib.sha256(json.dumps(body, sort_keys=True, default=dict).encode()).hexdigest()

    def as_part(self, name: str) -> Cohort:
        """The same samples, as the part of a split with that name: ``fold1/train``."""
        same = Cohort(self._common, self._samples, self._facts, self._odd)
        same.part = name
        return same

    def split(
        self,
        *,
        k: int | None = None,
        test: float | None = None,
        val: float | None = None,
        nested: int | None = None,
        stratify: str | Sequence[str] | None = None,
        groups: str | Mapping[str, Any] | None = None,
        aliases: str | Path | Mapping[str, str] | None = None,
        seed: int | None = None,
        previous: str | Path | Splits | None = None,
    ) -> Splits:
        """Divide the participants; all samples of one stay together. ``train, val, test = splits[0]``.

        ``k``         folds, each left out once as ``val``; None for one division by ``val`` and ``test``
        ``test``      share of all participants for a test part that is the same in all folds
        ``val``       share for validation; with ``k``, of those whom a fold does not leave out, and what it leaves out
                      is its ``test`` then
        ``nested``    inner folds of each of the ``k`` folds, which validate; what the outer fold leaves out is ``test``
        ``stratify``  targets or clinical columns in which the parts shall be alike: classes and words by their values,
                      numbers by quantiles, a survival by event and time
        ``groups``    who stays together: a column, or the group of each participant (families, twins)
        ``aliases``   who is one person: a mapping of participants, or a table with the columns ``id`` and ``is``
        ``seed``      another division for another number (0 where it is not given)
        ``previous``  an earlier split, or its TSV, that is continued: nobody moves, who is new fills the parts up.
                      Other arguments may then be left out, and must agree where they are given

        Raises :class:`QueryError` for what cannot be meant, :class:`SplitError` for too few participants, and
        :class:`LeakError` where what belongs together stands in two parts (:meth:`Splits.check`).
        """
        from ..splits.splitting import split_cohort

        return split_cohort(
            self, k=k, test=test, val=val, nested=nested, leave=None, stratify=stratify, groups=groups,
            aliases=aliases, seed=seed, previous=previous,
        )  # fmt: skip

    def leave_one_out(
        self,
        column: str,
        *,
        val: float | None = None,
        nested: int | None = None,
        stratify: str | Sequence[str] | None = None,
        groups: str | Mapping[str, Any] | None = None,
        aliases: str | Path | Mapping[str, str] | None = None,
        seed: int | None = None,
        previous: str | Path | Splits | None = None,
    ) -> Splits:
        """One fold for every value of a column, mostly ``site``; a fold leaves out who has that value, as ``test``.

        ``val`` (a share of the others) or ``nested`` (inner folds of the others) makes a part for validation; without
        them ``val`` is None. Who has several values is left out with each. The rest as in :meth:`split`.
        """
        from ..splits.splitting import split_cohort

        return split_cohort(
            self, k=None, test=None, val=val, nested=nested, leave=column, stratify=stratify, groups=groups,
            aliases=aliases, seed=seed, previous=previous,
        )  # fmt: skip

    def check_stackable(self) -> None:
        """Whether all images of a sample can be one ``image``: they lie on one grid, or are brought to one.

        Raises :class:`CohortError` naming participant, session and both files.
        """
        if self.resample is not None or not any(self._odd):
            return
        raise_off_grid(self.image_keys, map(self._samples.row, range(len(self))), self._odd)

    def __getstate__(self) -> bytes:
        """Small, as workers get it: only the files of its own samples, hashes as bytes, all compressed."""
        bare = replace(self._common, sha256={}, studies=dict(self.studies))
        rest = (bare, self._samples, self._facts, self._odd, self.__dict__.get("fingerprint"), self.part)
        return packed(rest, self.files, self.identities)

    def __setstate__(self, state: bytes) -> None:
        (common, samples, facts, odd, fingerprint, part), sha256 = unpacked(state)
        self.__init__(replace(common, sha256=sha256), samples, facts, odd)
        self.part = part
        if fingerprint is not None:
            self.__dict__["fingerprint"] = fingerprint

    def _of_files(self, known: Mapping[str, str]) -> Mapping[str, str]:
        return MappingProxyType({path: known[path] for path in self.files if path in known})

    def _part(self, positions: Sequence[int]) -> Cohort:
        odd = [self._odd[n] for n in positions]
        return Cohort(self._common, self._samples.take(positions), self._facts.take(positions), odd).as_part(self.part)

    def _absolute(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A fresh dict with full paths, which the caller may change."""
        sample = {key: _fresh(value) for key, value in row.items()}
        root = str(self.root).rstrip("/")
        for key in self.keys:
            value = sample[key]
            sample[key] = [f"{root}/{p}" for p in value] if isinstance(value, list) else value and f"{root}/{value}"
            if self.resample is not None and key != self.resample.to:
                way = "label" if key in self.label_keys else self.resample.interpolation
                sample[f"{key}.onto"] = [self.resample.to, way]
        return sample


def _fresh(value: Any) -> Any:
    """A value whose lists and dicts are the caller's own."""
    if isinstance(value, tuple | list):
        return [_fresh(each) for each in value]
    return {name: _fresh(each) for name, each in value.items()} if isinstance(value, dict) else value


def _position(index: Any) -> int:
    """A place in the cohort. Raises :class:`QueryError` for True and False, which Python counts as 1 and 0."""
    if isinstance(index, bool | np.bool_):
        raise QueryError(
            f"cohort[{index}]: a sample is asked for by its position; of a mask take the positions, as "
            "numpy.flatnonzero(mask) gives them"
        )
    return operator.index(index)
