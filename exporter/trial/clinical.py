"""The part of ``trial.yaml`` that says what is known of the people: clinical tables, and the schedule of visits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from ..tables import CONTROL
from .parts import LegalPath, Model

RESERVED = frozenset({"participant_id", "session_id", "site", "acq_time", "days", "injection"})
LONGEST = 500
Type = Literal["number", "integer", "level", "date", "text"]


def _legal_form(form: str) -> str:
    """A form of ``strptime`` that tells a whole day."""
    day = date(2019, 10, 31)
    try:
        back = _read(day.strftime(form), form)
    except ValueError as error:
        raise ValueError(f"'{form}' is no form of a date, such as %d.%m.%Y") from error
    if back != day:
        raise ValueError(f"'{form}' does not tell day, month and year")
    return form


def _read(text: str, form: str) -> date:
    from datetime import datetime

    return datetime.strptime(text, form).date()


DateForm = Annotated[str, AfterValidator(_legal_form)]
Said = Annotated[str, Field(max_length=LONGEST)]


def _as_text(value: Any, what: str = "a level") -> str:
    """YAML reads an unquoted ``N`` or ``1`` as a boolean or a number; a level is text."""
    if value is None or isinstance(value, bool):
        how = "nothing" if value is None else "true or false"
        raise ValueError(f"{what} reads as {how} in YAML: put it in quotes")
    return str(value)


class Column(Model):
    """A column of a clinical table: how it is read, and how it leaves.

    Without a type it is what the codebook says, or one of ``levels`` (the codes with their meanings). ``missing`` are
    the table's codes for a value that is not there. With ``release: false`` it is read for criteria alone; ``as`` is
    its released name. Free text leaves only with ``allow_text``.
    """

    type: Type | None = None
    levels: dict[str, Said] = Field(default_factory=dict)
    unit: str = Field(default="", max_length=64)
    description: Said = ""
    missing: tuple[str, ...] = ()
    release: bool = True
    name: str | None = Field(default=None, alias="as")
    allow_text: bool = False
    dates: DateForm | None = None

    @field_validator("levels", mode="before")
    @classmethod
    def _coded(cls, value: Any) -> Any:
        if isinstance(value, list):
            return {_as_text(level): _as_text(level) for level in value}
        if isinstance(value, Mapping):
            return {_as_text(code): _as_text(meaning) for code, meaning in value.items()}
        return value

    @field_validator("levels")
    @classmethod
    def _as_in_the_table(cls, value: dict[str, str]) -> dict[str, str]:
        """A released cell has no control characters, and a level that has would not be its cells' own (BIDS)."""
        for level in value:
            if not level or level != level.strip() or CONTROL.search(level):
                raise ValueError(
                    f"the level {level!r} is empty, begins or ends with a space or holds a tab or a line end: "
                    "no cell of a released table can be so; write it without"
                )
        return value

    @field_validator("missing", mode="before")
    @classmethod
    def _missing_codes(cls, value: Any) -> Any:
        return tuple(_as_text(code, "a code") for code in value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if self.levels and self.type not in (None, "level"):
            raise ValueError(f"has levels and is of type {self.type}; give one of the two")
        if self.type == "level" and not self.levels:
            raise ValueError("is of type level; give its levels")
        if self.type == "text" and self.release and not self.allow_text:
            raise ValueError("free text does not leave: list the levels, say release: false, or say allow_text: true")
        return self

    @property
    def kind(self) -> Type | None:
        """The type that the trial gives, None where the codebook tells."""
        return self.type or ("level" if self.levels else None)


class VisitWindow(Model):
    """When a visit is due: ``day`` after the baseline, and how many days a session may lie before or behind it.

    Nobody is missed at an ``optional`` one.
    """

    day: int = Field(ge=-36_525, le=36_525)
    window: int = Field(default=0, ge=0, le=3_653)
    optional: bool = False


class Clinical(Model):
    """A clinical table, joined by the trial's own subject ids before they are replaced.

    ``columns`` says which columns leave and how: ``number``, the list of the levels, or a :class:`Column`. All others
    stay private. ``visit`` is the column that holds the visit: a name of the schedule, a session's label, or, where the
    trial has no schedule, its number in order of date; ``date`` the column with the visit's day. Without both the
    columns describe the participant.
    ``form`` names the public collection whose own file this is, see :mod:`..clinical.collections`.
    """

    table: LegalPath
    form: Literal["chexpert", "rsna"] | None = None
    sheet: str | None = None
    subject: str
    visit: str | None = None
    date: str | None = None
    window: int | None = Field(default=None, ge=0, le=3_653)
    dates: DateForm | None = None
    columns: dict[str, Column]
    codebook: LegalPath | None = None
    into: str | None = Field(default=None, pattern=r"^(participants|sessions|phenotype/[0-9A-Za-z_]+)$")
    description: Said = ""

    @field_validator("columns", mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        """A type, a list of levels, or nothing where the codebook tells; a list of names is such columns."""
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            return {name: {} for name in value}
        if not isinstance(value, Mapping):
            return value
        return {str(name): _long_form(column) for name, column in value.items()}

    @field_validator("columns")
    @classmethod
    def _legal_names(cls, value: dict[str, Column]) -> dict[str, Column]:
        for released in (column.name or name for name, column in value.items()):
            if not re.fullmatch(r"[A-Za-z][0-9A-Za-z_]*", released):
                words = "letters, digits and _; give another with as"
                raise ValueError(f"'{released}' is no column name for a released table: {words}")
            if released in RESERVED:
                raise ValueError(f"'{released}' is a column that trialbids writes itself")
        return value

    @model_validator(mode="after")
    def _types_are_told(self) -> Self:
        for name, column in self.columns.items():
            if column.kind is None and self.codebook is None:
                raise ValueError(f"columns: '{name}': give its type or its levels, or a codebook that says them")
        if self.sheet is not None and self.table.suffix.casefold() in (".csv", ".tsv", ".txt", ".parquet"):
            raise ValueError("sheet: the table is no workbook, so it has no sheets")
        return self

    @property
    def phenotype(self) -> str:
        """The name of the table's file in ``phenotype/``, "" where it goes to the participants and sessions."""
        return (self.into or "").partition("phenotype/")[2]

    @property
    def has_visits(self) -> bool:
        """Does a row speak of one visit, and not of the participant?"""
        return self.visit is not None or self.date is not None

    def names(self) -> Iterator[tuple[str, Column]]:
        """Every column with the name that it has in the released tables and in criteria."""
        for name, column in self.columns.items():
            yield column.name or name, column


def _long_form(column: Any) -> Any:
    if column is None or column == "codebook":
        return {}
    if isinstance(column, str):
        return {"type": column}
    return {"type": "level", "levels": column} if isinstance(column, list) else column


def is_alike(one: str, other: str) -> bool:
    """Are these two names of columns that differ in nothing but letter case?"""
    return one != other and one.casefold() == other.casefold()


def check_tables(tables: Iterable[Clinical], visits: Mapping[str, VisitWindow], baseline: str | None) -> None:
    """What the tables must be together. Raises ``ValueError``."""
    seen: set[str] = set()
    for table in tables:
        for name, _ in table.names():
            if name in seen:
                raise ValueError(f"clinical: two tables have a column {name}; rename one with as")
            seen.add(name)
        if table.date is not None and table.window is None and not visits:
            raise ValueError("clinical: with date, give window (days), or the trial's visits")
    if baseline is not None:
        column = next((c for table in tables for key, c in table.columns.items() if baseline in (key, c.name)), None)
        if column is None or column.kind not in (None, "date"):
            raise ValueError(f"baseline: '{baseline}' is no column of type date of a clinical table")
        if not visits:
            raise ValueError("baseline: days are counted from it for visits; give these")
