"""What the tables say of a sample: clinical columns, and what a reader says of a lesion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ..errors import CohortError, QueryError
from ..files.tables import Row, Value
from ..index.columns import Columns
from ..index.image import Image
from .columnar import Columnar
from .units import Unit

if TYPE_CHECKING:
    from ..database import Database

LESION = "lesion"


class Facts:
    """Every column that a sample can be asked for: those of the tables, and with ``unit="lesion"`` also the
    ``Characteristics`` of its mask, its ``number`` and ``reader``, all by their names or as ``lesion__<name>``.

    ``kinds`` holds the type of each column.
    """

    def __init__(self, db: Database, unit: str, masks: Iterable[Image] = ()) -> None:
        self.unit = unit
        self._columns = Columns(db.tables, unit)
        self._said: Mapping[str, Row] = {mask.path: _said(db, mask) for mask in masks}
        own: dict[str, type] = {}
        for row in self._said.values():
            for name, value in row.items():
                if value is not None:
                    own.setdefault(name, type(value))
        self._own = own
        ahead = {f"{LESION}__{name}": kind for name, kind in own.items()}
        self.kinds: Mapping[str, type] = {**own, **self._columns.kinds, **ahead}

    def check(self, name: str, asker: str = "cohort") -> None:
        """Raise :class:`QueryError` where a column is not there, cannot be told apart, or gives several values."""
        if name not in self.kinds:
            guess = get_close_matches(name, self.kinds, n=1)
            raise QueryError(
                f"{asker}: there is no column {name!r} for a {self.unit}; there are: {' '.join(sorted(self.kinds))}"
                + (f"; did you mean {guess[0]!r}?" if guess else "")
            )
        if name in self._own and name in self._columns.kinds:
            raise QueryError(
                f"{asker}: {name!r} is a column and said of lesions; ask for {LESION}__{name}, or rename it"
            )
        if name in self._columns.kinds:
            self._columns.check(name)

    def values(self, name: str) -> list[Value]:
        """The values of a column in the whole tree."""
        if name in self._columns.kinds:
            return self._columns.values(name)
        plain = name.removeprefix(f"{LESION}__")
        return [row.get(plain) for row in self._said.values()]

    def row(self, unit: Unit) -> dict[str, Value]:
        """All columns of one sample; what is not known is None or not there."""
        row = self._columns.row(unit.participant_id, unit.session_id, unit.site)
        said = self._said.get(unit.mask.path, {}) if unit.mask else {}
        return {**said, **row, **{f"{LESION}__{name}": value for name, value in said.items()}}

    def held(self, units: Iterable[Unit]) -> tuple[Columnar, Mapping[str, str]]:
        """Every column of some samples, and why those are left out that have no one value for a sample."""
        refused: dict[str, str] = {}
        for name in self.kinds:
            try:
                self.check(name)
            except QueryError as error:
                refused[name] = str(error)
        columns: dict[str, list[Value]] = {name: [] for name in self.kinds if name not in refused}
        length = 0
        for unit in units:
            row = self.row(unit)
            length += 1
            for name, column in columns.items():
                column.append(row.get(name))
        return Columnar({name: tuple(column) for name, column in columns.items()}, length), refused


def _said(db: Database, mask: Image) -> dict[str, Value]:
    """What the JSON of a mask says of its lesion. Raises :class:`CohortError` where it cannot be read as such."""
    sidecar: Mapping[str, Any] = db.sidecar(mask)
    said = sidecar.get("Characteristics") or {}
    if not isinstance(said, dict) or not all(isinstance(value, int | float | str) for value in said.values()):
        raise CohortError(
            f"{mask.participant_id} {mask.session_id}: {mask.path}: the Characteristics in its JSON are not numbers or "
            "words by name"
        )
    number = sidecar.get("Lesion")
    return {"number": number if isinstance(number, int) else None, "reader": mask.reader or None, **said}
