"""What a cohort is asked for, checked before anything is searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import QueryError
from .policies import DUPLICATES, GRIDS, MISSING, QC, UNITS, VERDICTS, Missing, Require, check_choice
from .query import Q
from .rows import RESERVED, SIDE_KEYS
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
    grid: str

    def __post_init__(self) -> None:
        check_choice("unit", self.unit, UNITS)
        check_choice("qc", self.wanted.verdict, tuple(VERDICTS))
        check_choice("duplicates", self.duplicates, DUPLICATES)
        check_choice("grid", self.grid, GRIDS)
        if not isinstance(self.missing, Require):
            check_choice("missing", self.missing, MISSING)
        if not self.images:
            raise QueryError("cohort: images= names no image; give at least one, such as images={'t2': Q('T2w')}")
        if self.unit == "image" and len(self.images) != 1:
            raise QueryError("cohort: with unit='image' a sample is one image, so images= has exactly one key")
        self._check_names()
        self._check_masking()

    @property
    def wanted(self) -> QC:
        """``qc`` in full."""
        return self.qc if isinstance(self.qc, QC) else QC(self.qc)

    def _check_names(self) -> None:
        names = [*self.images, *self.labels, *self.targets]
        taken = RESERVED | {f"{key}{side}" for key in (*self.images, *self.labels) for side in SIDE_KEYS}
        for name in names:
            if names.count(name) > 1 or name in taken or not name.isidentifier():
                raise QueryError(f"cohort: the key {name!r} is used twice, reserved, or no plain word; choose another")
        for key, query in {**self.images, **self.labels}.items():
            scope = "annotations" if key in self.labels else "raw"
            if not isinstance(query, Q) or query.scope != scope:
                raise QueryError(f"cohort: {key!r} must be a Q with scope {scope!r}, not {query!r}")
        if isinstance(self.missing, Require) and (strange := set(self.missing.keys) - set(names)):
            raise QueryError(f"cohort: missing={self.missing!r} names {sorted(strange)}, which is not among the keys")

    def _check_masking(self) -> None:
        masks = self.missing == "mask" or isinstance(self.missing, Require)
        if masks and self.grid == "any":
            raise QueryError(
                "cohort: what is missing becomes zeros on the grid of the sample, so missing='mask' and Require need "
                "grid='same'"
            )
