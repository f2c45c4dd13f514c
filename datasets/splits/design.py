"""What a split was asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from ..errors import QueryError

TRAIN, VAL, TEST = "train", "val", "test"
PARTS = (TRAIN, VAL, TEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How parts are made, checked for what cannot be meant. Raises :class:`QueryError`.

    ``k``       number of folds, None: one division (hold-out)
    ``test``    share of all participants for a test part that is the same in all folds
    ``val``     share of all participants for validation; with folds the share of those that a fold does not leave
                out, and what it leaves out is its test part then
    ``nested``  number of inner folds in every fold; what the outer fold leaves out is its test part
    ``leave``   instead of ``k``: a column, each value of which is left out once, as the test part
    ``groups``  a column whose values stay together
    """

    k: int | None = None
    test: float | None = None
    val: float | None = None
    nested: int | None = None
    leave: str | None = None
    groups: str | None = None
    stratify: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.k == 1 and self.k is not True:
            object.__setattr__(self, "k", None)
        for name in ("k", "nested"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 2):
                raise QueryError(f"split: {name}={value!r} must be a whole number from 2 on")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise QueryError(f"split: seed={self.seed!r} must be a whole number")
        self._check_shares()
        self._check_sense()

    def _check_shares(self) -> None:
        for name in (TEST, VAL):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not (0 < value < 1):
                raise QueryError(f"split: {name}={value!r} must be a share between 0 and 1, or None for no such part")
            object.__setattr__(self, name, float(value))
        if not self.folds and math.fsum((self.test or 0, self.val or 0)) >= 1:
            raise QueryError(f"split: test={self.test:g} and val={self.val:g} leave nobody for training")

    def _check_sense(self) -> None:
        if not self.folds and self.test is None and self.val is None:
            raise QueryError("split: ask for folds (k=5), or for a part to hold out (val=0.2, test=0.2)")
        if self.nested is not None and not self.folds:
            raise QueryError("split: nested= counts the inner folds of outer ones; give k= too")
        if self.nested is not None and self.val is not None:
            raise QueryError("split: nested= makes the validation parts, so val= has nothing to say; give one of them")
        if self.left_out == TEST and self.folds and self.test is not None:
            raise QueryError(
                "split: with val= or nested= what a fold leaves out is its test part, so test= has nothing to say; "
                "leave it out, or leave out val= or nested="
            )

    @property
    def folds(self) -> bool:
        """Whether there are folds."""
        return self.k is not None or self.leave is not None

    @property
    def parts(self) -> int:
        """Into how many parts participants are dealt at once."""
        if self.folds:
            return max((self.k or 2) + bool(self.test), self.nested or 0)
        return 1 + bool(self.test) + bool(self.val)

    @property
    def left_out(self) -> str:
        """What the participants that a fold leaves out are to it."""
        return VAL if self.val is None and self.nested is None and self.leave is None else TEST

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "stratify": list(self.stratify)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """From plain values. Raises :class:`QueryError` for a key that is not known."""
        if strange := sorted(values.keys() - {field.name for field in fields(cls)}):
            raise QueryError(f"split: the parameter {strange[0]!r} is not known to this version")
        return cls(**{**values, "stratify": stratified(values.get("stratify", ()))})

    def agreeing(self, **asked: Any) -> Design:
        """This design, where what is asked for agrees with it; other columns to stratify or to group by may be given.

        Raises :class:`QueryError` naming the first that does not.
        """
        columns, groups = asked.pop("stratify", None), asked.pop("groups", None)
        for name, value in asked.items():
            if value is not None and value != getattr(self, name) and not (name == "k" and value == 1):
                raise QueryError(
                    f"split: {name}={value!r}, but the earlier split was made with {name}={getattr(self, name)!r}; "
                    f"leave out {name}=, or make a new split without previous="
                )
        kept = self.stratify if columns is None else stratified(columns)
        return replace(self, stratify=kept, groups=groups or self.groups)


def stratified(columns: str | Sequence[str]) -> tuple[str, ...]:
    """The columns to stratify by, one or several."""
    return (columns,) if isinstance(columns, str) else tuple(columns)
