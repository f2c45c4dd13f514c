"""The harmonised record: what one image is, in the closed vocabulary."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from .vocabulary import vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One stack's attributes. Every value is checked against the vocabulary where the record is made.

    The defaults are the abstentions: a rule that says nothing leaves ``unknown``.

    >>> Record(sequence="T2w", plane="sag").sequence
    'T2w'
    >>> Record(sequence="T2")
    Traceback (most recent call last):
        ...
    ValueError: sequence: 'T2' is not in the vocabulary
    """

    sequence: str = "unknown"
    plane: str = "unknown"
    dim: str = "unknown"
    technique: str = "unknown"
    fatsat: str = "unknown"
    dixon: str = "unknown"
    derived: tuple[str, ...] = ()
    part: str = "mag"
    echo_index: int | None = None
    flip_index: int | None = None
    agent: str = "unknown"
    agent_name: str = "unknown"
    phase_name: str = "unknown"
    phase_index: int | None = None
    phase_time_s: float | None = None
    phase_time_source: str = ""
    bvalues: tuple[float, ...] = ()
    bodypart: str = "unknown"
    laterality: str = "unknown"
    kernel: str = "unknown"
    tracer: str = "unknown"
    recon: str = "unknown"
    confidence: float = 0.0
    evidence: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for name, attribute in vocabulary().items():
            check_value(name, getattr(self, name), attribute.kind, attribute.values)
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence: {self.confidence!r} is not between 0 and 1")

    def to_row(self) -> dict[str, str]:
        """The record as cells of ``plan.tsv`` and ``scans.tsv`` (empty = does not apply)."""
        return {f.name: format_cell(getattr(self, f.name)) for f in fields(self) if f.name != "evidence"}

    def to_json(self) -> dict[str, Any]:
        """The record as the sidecar's ``Harmonised`` object: absent keys do not apply; evidence is rule ids."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value not in (None, "") and (value != () or name == "derived")
        }

    @classmethod
    def from_row(cls, row: dict[str, str]) -> Self:
        """The inverse of :meth:`to_row`; unknown columns are ignored, ``n/a`` is empty.

        Raises ``ValueError`` naming the attribute whose cell cannot be read.
        """
        values: dict[str, Any] = {}
        for name, attribute in vocabulary().items():
            cell = (row.get(name) or "").strip()
            if cell not in ("", "n/a"):
                values[name] = parse_cell(name, cell, attribute.kind)
        if row.get("confidence") not in (None, "", "n/a"):
            values["confidence"] = float(row["confidence"])
        return cls(**values)

    def but(self, **changes: Any) -> Self:
        """A copy with some attributes changed, checked again."""
        return replace(self, **changes)


def check_value(name: str, value: Any, kind: str, allowed: tuple[str, ...]) -> None:
    """Raise ``ValueError`` unless ``value`` is legal for an attribute of this kind."""
    if kind == "word":
        legal = value in allowed or (value == "" and name == "phase_time_source")
    elif kind == "words":
        legal = isinstance(value, tuple) and list(value) == [w for w in allowed if w in value]
    elif kind == "index":
        legal = value is None or (isinstance(value, int) and value >= 1)
    elif kind == "number":
        legal = value is None or (isinstance(value, int | float) and value >= 0)
    else:
        legal = isinstance(value, tuple) and all(isinstance(v, int | float) and v >= 0 for v in value)
    if not legal:
        raise ValueError(f"{name}: {value!r} is not in the vocabulary")


def parse_cell(name: str, cell: str, kind: str) -> Any:
    """Read one table cell as a value of the given kind."""
    try:
        match kind:
            case "word":
                return cell
            case "words":
                return () if cell == "-" else tuple(cell.split())
            case "index":
                return int(cell)
            case "number":
                return float(cell)
            case _:
                return tuple(float(v) for v in cell.split())
    except ValueError as error:
        raise ValueError(f"{name}: {cell!r} cannot be read as {kind}") from error


def format_cell(value: Any) -> str:
    """Write one value as a table cell: numbers short, lists joined by a space."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return " ".join(format_cell(v) for v in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
