"""The trial's configuration: the one file a user writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from trialbids.mappings.protocolfile import is_file, protocol_names

from ..errors import UsageError
from .annotations import Annotations
from .clinical import Clinical, VisitWindow, check_tables
from .eligibility import Criterion, check_criteria
from .keep import Kept
from .parts import LegalPath, Model, Tag, legal_path, legal_pattern
from .privacy import Privacy
from .qc import QualityControl


class Lookup(Model):
    """A value found by a tag, by a pattern on the path below the source, or in a table keyed by a tag."""

    tag: Tag | None = None
    path: str | None = None
    table: LegalPath | None = None
    by: Tag | None = None
    column: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("tag", "path", "table", "order", "value") if getattr(self, name, None) is not None]
        if len(ways) > 1:
            raise ValueError(f"says {' and '.join(ways)}; give one of them")
        if self.table is not None and not (self.by and self.column):
            raise ValueError("with table, give by (the DICOM keyword it is keyed by) and column")
        return self


class SubjectRule(Lookup):
    """How a subject is found; PatientID where nothing is said."""

    @field_validator("path")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        return value and legal_pattern("subject", value)


class SessionRule(Lookup):
    """How a session is found; the order of the study dates where nothing is said."""

    order: Literal["StudyDate"] | None = None

    @field_validator("path")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        return value and legal_pattern("session", value)


class SiteRule(Lookup):
    """How a site is found; a keyed label of institution or device where nothing is said."""

    value: str | None = Field(default=None, pattern=r"^[0-9A-Za-z]+$")

    @field_validator("path")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        return value and legal_pattern("site", value)


def _legal_protocol(name: Any) -> str:
    """The name of a protocol of ours, or of a file."""
    if not isinstance(name, str) or "\0" in name or not (is_file(name) or name in protocol_names()):
        known = ", ".join(protocol_names())
        raise ValueError(f"'{name}' is no protocol; expected {known}, or the path of a .yaml file")
    return str(legal_path(Path(name))) if is_file(name) else name


NamedProtocol = Annotated[str, BeforeValidator(_legal_protocol)]
"""What was agreed to be scanned: a name, or the path of a YAML file."""


class Trial(Privacy):
    """``trial.yaml``, checked. Relative paths are relative to the file."""

    trial: str = Field(default="trial", pattern=r"^[0-9A-Za-z][0-9A-Za-z _-]*$", max_length=64)
    sources: tuple[LegalPath, ...] = Field(min_length=1)
    output: LegalPath
    work: LegalPath
    subject: SubjectRule = SubjectRule()
    session: SessionRule = SessionRule()
    site: SiteRule = SiteRule()
    protocol: NamedProtocol = "none"
    qc: QualityControl = QualityControl()
    rules: tuple[LegalPath, ...] = ()
    keep: tuple[Kept, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    clinical: tuple[Clinical, ...] = ()
    visits: dict[str, VisitWindow] = Field(default_factory=dict)
    baseline: str | None = None
    annotations: Annotations = Annotations()

    @property
    def protocol_word(self) -> str:
        """The protocol as the released tree names it: ``own`` for a file, whose path stays private."""
        return "own" if is_file(self.protocol) else self.protocol

    @field_validator("criteria")
    @classmethod
    def _one_id_each(cls, value: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
        return check_criteria(value)

    @field_validator("clinical", mode="before")
    @classmethod
    def _one_table_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else () if value is None else value

    @model_validator(mode="after")
    def _tables_go_together(self) -> Self:
        check_tables(self.clinical, self.visits, self.baseline)
        return self

    @model_validator(mode="after")
    def _suppressed_columns_are_released(self) -> Self:
        known = ["site", "sex", "age", *(n for t in self.clinical for n, c in t.names() if c.release)]
        for name in self.suppress:
            if name not in known:
                raise ValueError(f"suppress: '{name}' is no column that is released; it is one of {', '.join(known)}")
        return self

    @model_validator(mode="before")
    @classmethod
    def _default_work(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("output"), str) and not data.get("work"):
            work = _beside(Path(data["output"]))
            data = {k: v for k, v in data.items() if k != "work"} | ({"work": work} if work else {})
        return data


def _beside(output: Path) -> Path | None:
    """The work folder of an output; None where the output has no name that it could take."""
    return None if output.name in ("", "..") else output.with_name(output.name + ".work")


def trial_for(source: Path, output: Path, work: Path | None = None) -> Trial:
    """The configuration of ``trialbids export SRC DST``: everything at its default.

    Raises ``UsageError`` where the output has no name for a work folder beside it.
    """
    beside = work or _beside(output.absolute())
    if beside is None:
        raise UsageError(
            f"{output}: cannot be the output, it has no name of its own; give a new folder, such as ./bids"
        )
    return Trial(sources=(source.absolute(),), output=output.absolute(), work=beside.absolute())
