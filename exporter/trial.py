"""The trial's configuration: the one file a user writes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from trialbids.mappings.plain import NotPlain, PlainLoader, read_plain

from .errors import UsageError
from .inventory.instance import Instance

KEEPABLE = ("localizer", "calibration")
MOST_SENTENCES = 20


def _legal_pattern(group: str, pattern: str) -> str:
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is no regular expression ({error})") from error
    if group not in compiled.groupindex:
        raise ValueError(f"has no named group (?P<{group}>…)")
    return pattern


def _legal_tag(tag: str) -> str:
    if tag not in Instance.__dataclass_fields__ or not tag[0].isupper():
        raise ValueError(
            f"'{tag}' is not a DICOM keyword that the inventory reads, such as PatientID or InstitutionName"
        )
    return tag


def _legal_path(path: Path) -> Path:
    """The path with ``~`` resolved."""
    if "\0" in str(path):
        raise ValueError("holds a null character, which no path can")
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"there is no home folder for {path.parts[0]}") from error


LegalPath = Annotated[Path, AfterValidator(_legal_path)]
Tag = Annotated[str, BeforeValidator(lambda v: _legal_tag(str(v)))]


class Model(BaseModel):
    """Base of all parts of ``trial.yaml``: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
        return value and _legal_pattern("subject", value)


class SessionRule(Lookup):
    """How a session is found; the order of the study dates where nothing is said."""

    order: Literal["StudyDate"] | None = None

    @field_validator("path")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        return value and _legal_pattern("session", value)


class SiteRule(Lookup):
    """How a site is found; a keyed label of institution or device where nothing is said."""

    value: str | None = Field(default=None, pattern=r"^[0-9A-Za-z]+$")

    @field_validator("path")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        return value and _legal_pattern("site", value)


class Clinical(Model):
    """A clinical table, joined by the trial's own subject ids before they are replaced.

    ``columns`` says which columns leave and how: ``number``, or the list of the levels. All others stay private.
    ``visit`` is the column that holds the session: its label, or its number in order of date; without it the columns
    describe the participant.
    """

    table: LegalPath
    subject: str
    visit: str | None = None
    columns: dict[str, Literal["number"] | list[str]]

    @field_validator("columns", mode="before")
    @classmethod
    def _levels_are_text(cls, value: Any) -> Any:
        """YAML reads an unquoted ``N`` or ``1`` as a boolean or a number; a level is text."""
        if not isinstance(value, dict):
            return value
        return {k: [_as_text(level) for level in v] if isinstance(v, list) else v for k, v in value.items()}

    @field_validator("columns")
    @classmethod
    def _column_names(cls, value: dict[str, Any]) -> dict[str, Any]:
        reserved = {"participant_id", "session_id", "site", "acq_time", "days", "injection"}
        for name in value:
            if not re.fullmatch(r"[A-Za-z][0-9A-Za-z_]*", name):
                raise ValueError(f"'{name}' is no column name for a released table: letters, digits and _")
            if name in reserved:
                raise ValueError(f"'{name}' is a column that trialbids writes itself")
        return value


class Annotations(Model):
    """A table of masks: ``file``, ``series_uid`` (of the image it was drawn on), ``label``, ``reader``, ``method``."""

    table: LegalPath


class Trial(Model):
    """``trial.yaml``, checked. Relative paths are relative to the file."""

    trial: str = Field(default="trial", pattern=r"^[0-9A-Za-z][0-9A-Za-z _-]*$", max_length=64)
    sources: tuple[LegalPath, ...] = Field(min_length=1)
    output: LegalPath
    work: LegalPath
    subject: SubjectRule = SubjectRule()
    session: SessionRule = SessionRule()
    site: SiteRule = SiteRule()
    protocol: Literal["none"] = "none"
    rules: tuple[LegalPath, ...] = ()
    keep: tuple[Literal["localizer", "calibration"], ...] = ()
    clinical: Clinical | None = None
    annotations: Annotations | None = None

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


def _as_text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        what = "nothing" if value is None else "true or false"
        raise ValueError(f"a level reads as {what} in YAML: put it in quotes")
    return str(value)


def load_trial(path: Path) -> Trial:
    """Read and check ``trial.yaml``.

    Raises ``UsageError`` with the line, the key and what was expected.
    """
    node, data = _parse(path)
    try:
        trial = Trial.model_validate(data)
    except ValidationError as error:
        raise UsageError("\n".join(_sentences(path, node, data, error))) from error
    trial = _absolute(trial, path.resolve().parent)
    for key, file in _files(trial):
        if not file.is_file():
            line = _line(node, tuple(key.split(".")))
            raise UsageError(f"{path}: line {line}: {key}: there is no file {file}")
    return trial


def _parse(path: Path) -> tuple[yaml.Node, dict[Any, Any]]:
    """The file as nodes, which know their lines, and as values."""
    try:
        text = read_plain(path)
        node = yaml.compose(text, Loader=PlainLoader)
        data = yaml.load(text, Loader=PlainLoader)  # a subclass of SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({_cause(error)}); give the path of a trial.yaml") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        what = "" if isinstance(error, NotPlain) else " this is no YAML:"
        raise UsageError(f"{path}:{line}{what} {getattr(error, 'problem', None) or error}") from error
    if not isinstance(data, dict) or node is None:
        raise UsageError(f"{path}: expected keys and values, such as `sources: [dicom]`; found {type(data).__name__}")
    twice = next(_repeated(node), None)
    if twice is not None:
        raise UsageError(f"{path}: line {twice.start_mark.line + 1}: {twice.value}: this key stands twice")
    return node, data


def _cause(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8 text"


def _repeated(node: yaml.Node) -> Iterator[yaml.Node]:
    """Keys that stand twice in one mapping: YAML would take the last in silence."""
    if isinstance(node, yaml.MappingNode):
        seen: set[object] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key
            seen.add(key.value)
            yield from _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated(item)


def _sentences(path: Path, node: yaml.Node, data: Mapping[Any, Any], error: ValidationError) -> list[str]:
    """One sentence an error; that no work folder can stand beside a wrong output is not one of its own."""
    errors = error.errors()
    if not data.get("work") and any(e["loc"] == ("output",) for e in errors):
        errors = [e for e in errors if e["loc"] != ("work",)]
    sentences = [_explain(path, node, e["loc"], e["msg"], e["type"]) for e in errors[:MOST_SENTENCES]]
    more = len(errors) - MOST_SENTENCES
    return [*sentences, f"{path}: and {more} more"] if more > 0 else sentences


def _explain(path: Path, node: yaml.Node, loc: Sequence[Any], message: str, kind: str) -> str:
    key = ".".join(str(part) for part in loc) or "the file"
    if kind == "extra_forbidden":
        known = ", ".join(sorted(_known_keys(loc[:-1])))
        message = f"unknown key; known here: {known}"
    elif kind == "missing":
        message = "is missing"
    message = message.removeprefix("Value error, ")
    return f"{path}: line {_line(node, loc)}: {key}: {message[:1].lower() + message[1:]}"


def _known_keys(loc: Sequence[Any]) -> list[str]:
    model: type[BaseModel] = Trial
    models = {"subject": SubjectRule, "session": SessionRule, "site": SiteRule, "clinical": Clinical}
    for part in loc:
        model = models.get(str(part), Annotations)
    return list(model.model_fields)


def _line(node: yaml.Node, loc: Sequence[Any]) -> int:
    """The line (from 1) of the deepest node on the way ``loc`` that the file holds."""
    line = node.start_mark.line + 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _absolute(trial: Trial, base: Path) -> Trial:
    """All paths of the trial made absolute, from the folder of its file."""

    def at(path: Path) -> Path:
        return base / path

    def look(rule: Any) -> Any:
        return rule.model_copy(update={"table": at(rule.table)}) if getattr(rule, "table", None) else rule

    return trial.model_copy(
        update={
            "sources": tuple(at(p) for p in trial.sources),
            "output": at(trial.output),
            "work": at(trial.work),
            "rules": tuple(at(p) for p in trial.rules),
            **{name: look(getattr(trial, name)) for name in ("subject", "session", "site", "clinical", "annotations")},
        }
    )


def _files(trial: Trial) -> list[tuple[str, Path]]:
    """Every file that the configuration names, with its key."""
    named = [(f"rules.{n}", path) for n, path in enumerate(trial.rules)]
    for name in ("subject", "session", "site", "clinical", "annotations"):
        table = getattr(getattr(trial, name), "table", None)
        if table is not None:
            named.append((f"{name}.table", table))
    return named


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
