"""What a cohort is asked for, checked before anything is searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import QueryError
from .policies import DUPLICATES, GRIDS, MISSING, QC, UNITS, VERDICTS, Grid, Missing, Require, Resample, check_choice
from .query import MODELS, Q
from .rows import RESERVED
from .targets import Target


@dataclass(frozen=True, slots=True)
class Request:
    """What :meth:`Database.cohort` was asked for. Raises :class:`QueryError` where it cannot be meant."""

    unit: str
    images: Mapping[str, Q]
    labels: Mapping[str, Q]
    targets: Mapping[str, Target]
    where: str | None
    qc: str | QC | None
    missing: Missing
    duplicates: str
    grid: Grid
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_choice("unit", self.unit, UNITS)
        check_choice("qc", self.wanted.verdict, tuple(VERDICTS))
        check_choice("duplicates", self.duplicates, DUPLICATES)
        if not self.images:
            raise QueryError("cohort: images= names no image; give at least one, such as images={'t2': Q('T2w')}")
        if self.unit == "image" and len(self.images) != 1:
            raise QueryError("cohort: with unit='image' a sample is one image, so images= has exactly one key")
        if self.unit == "lesion" and not self.labels:
            raise QueryError(
                "cohort: with unit='lesion' a sample is one mask of the first of labels=, such as "
                "labels={'lesion': Q(label='lesion')}"
            )
        if not all(isinstance(name, str) and name for name in self.fields):
            raise QueryError(f"cohort: fields={self.fields!r} must be a list of the names of sidecar fields")
        self._check_names()
        self._check_missing()
        self._check_grid()

    @property
    def wanted(self) -> QC:
        """``qc`` in full."""
        return self.qc if isinstance(self.qc, QC) else QC(self.qc)

    @property
    def lesion(self) -> str | None:
        """The key of the lesion that a sample is about, None with another unit."""
        return next(iter(self.labels)) if self.unit == "lesion" else None

    @property
    def required(self) -> frozenset[str]:
        """The keys of images and labels that every sample has."""
        if isinstance(self.missing, Require):
            return frozenset(self.missing.keys)
        return frozenset() if self.missing == "mask" else frozenset({*self.images, *self.labels})

    @property
    def masks(self) -> bool:
        """Whether what is missing becomes zeros."""
        return self.missing == "mask" or isinstance(self.missing, Require)

    def _check_names(self) -> None:
        names = [*self.images, *self.labels, *self.targets]
        for name in names:
            if names.count(name) > 1 or name in RESERVED or not name.isidentifier():
                raise QueryError(f"cohort: the key {name!r} is used twice, reserved, or no plain word; choose another")
            if image := next((key for key in (*self.images, *self.labels) if name.startswith(f"{key}_")), None):
                raise QueryError(
                    f"cohort: the key {name!r} begins with {image + '_'!r}, and MONAI's transforms would take it for "
                    f"metadata of {image!r}; choose another"
                )
        for key, query in {**self.images, **self.labels}.items():
            scope = "annotations" if key in self.labels else "raw"
            if not isinstance(query, Q) or not (query.scope == scope or query.scope.startswith(MODELS)):
                raise QueryError(
                    f"cohort: {key!r} must be a Q with scope {scope!r} or '{MODELS}<model>', not {query!r}"
                )
        for name, target in self.targets.items():
            if not isinstance(target, Target):
                raise QueryError(
                    f"cohort: target {name!r} must be Regression, Categorical, MultiLabel or Survival, not {target!r}"
                )

    def _check_missing(self) -> None:
        if not isinstance(self.missing, Require):
            check_choice("missing", self.missing, MISSING)
        elif strange := set(self.missing.keys) - {*self.images, *self.labels, *self.targets}:
            raise QueryError(f"cohort: missing={self.missing!r} names {sorted(strange)}, which is not among the keys")

    def _check_grid(self) -> None:
        if not isinstance(self.grid, Resample):
            check_choice("grid", self.grid, (*GRIDS,), "or Resample(to='t2')")
            if self.masks and self.grid == "any":
                raise QueryError(
                    "cohort: what is missing becomes zeros on the grid of the sample, so missing='mask' and Require "
                    "need grid='same' or Resample"
                )
            return
        if self.grid.to not in self.images:
            raise QueryError(
                f"cohort: grid={self.grid!r} names no key of images=; there are: {', '.join(map(repr, self.images))}"
            )
        if self.grid.to not in self.required:
            raise QueryError(
                f"cohort: every sample is brought to the grid of {self.grid.to!r}, so it must be there; write "
                f"missing=Require({self.grid.to!r}), or missing='drop'"
            )
