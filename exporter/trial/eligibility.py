"""Criteria of inclusion and exclusion, as a user writes them in ``trial.yaml``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from trialbids.mappings.criteria import Condition, ConditionError

from ..tables import CONTROL
from .parts import Model

Level = Literal["subject", "session", "series", "stack"]
LONGEST_SENTENCE = 200
AFTER_CONVERSION = ("session", "stack")
"""The levels at which a criterion can ask what came out of the conversion: it is made stack by stack, for a session."""

REASON = "criterion-"
"""What stands before the id of a criterion in the column ``reason`` of the plan."""


class Criterion(Model):
    """One criterion: who or what is in (``include``) or out (``exclude``), at one level, with a sentence for people.

    ``id`` and ``sentence`` leave with the flow of the release; the condition may name ids, and stays private. What
    cannot be told is set aside (``unknown: quarantine``) or taken as fulfilled (``unknown: include``). ``after`` says
    whether headers and tables decide, before a pixel is read, or the images that came out.

    >>> Criterion(id="adult", level="subject", include="age >= 18", sentence="Adults").reason
    'criterion-adult'
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    level: Level
    include: str | None = None
    exclude: str | None = None
    sentence: str = Field(min_length=1, max_length=LONGEST_SENTENCE)
    after: Literal["plan", "conversion"] = "plan"
    unknown: Literal["quarantine", "include"] = "quarantine"
    _place: str = PrivateAttr("")

    @field_validator("id")
    @classmethod
    def _one_line(cls, value: str) -> str:
        """A pattern's end also matches before the end of a line."""
        if value.endswith("\n"):
            raise ValueError("ends with a line end; write it in one line")
        return value

    @field_validator("include", "exclude")
    @classmethod
    def _readable(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            try:
                Condition(value)
            except ConditionError as error:
                raise ValueError(f"criterion {info.data.get('id', '?')}: {error}") from error
        return value

    @field_validator("sentence")
    @classmethod
    def _plain(cls, value: str) -> str:
        if CONTROL.search(value) or not value.isprintable():
            raise ValueError("holds a control character or a line end; write one plain line")
        if not value.strip():
            raise ValueError("is empty; say in one line what the criterion asks for")
        return value.strip()

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if (self.include is None) == (self.exclude is None):
            raise ValueError(f"criterion {self.id}: give either include or exclude, a condition each")
        if self.after == "conversion" and self.level not in AFTER_CONVERSION:
            levels = " or ".join(AFTER_CONVERSION)
            raise ValueError(f"criterion {self.id}: after: conversion goes with level {levels}, not with {self.level}")
        return self

    @property
    def text(self) -> str:
        """The condition, whichever way it is meant."""
        return self.include or self.exclude or ""

    @property
    def asks(self) -> Literal["include", "exclude"]:
        """Whether the condition says who is in, or who is out."""
        return "exclude" if self.include is None else "include"

    @property
    def reason(self) -> str:
        """The reason in the plan of what it takes out."""
        return f"{REASON}{self.id}"

    @property
    def place(self) -> str:
        """Where it stands, for sentences: file and line where they are known."""
        return f"{self._place or 'criteria'}: criterion {self.id}"

    def placed(self, place: str) -> Self:
        """The same, which knows where it stands."""
        copy = self.model_copy()
        copy._place = place
        return copy


def check_criteria(criteria: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
    """The criteria, each with an id of its own. Raises ``ValueError`` for one that stands twice."""
    ids = [c.id for c in criteria]
    for number, name in enumerate(ids):
        if name in ids[:number]:
            raise ValueError(f"the id {name} stands twice; give every criterion an id of its own")
    return criteria
