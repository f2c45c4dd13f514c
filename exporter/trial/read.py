"""``trial.yaml`` read and checked: every error is a sentence with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from trialbids.mappings.plain import PlainLoader, read_plain, said
from trialbids.mappings.protocolfile import is_file, plainly

from ..errors import UsageError
from .annotations import Annotations, Collection, LabelEntry
from .clinical import Clinical, Column, VisitWindow
from .eligibility import Criterion
from .model import SessionRule, SiteRule, SubjectRule, Trial
from .privacy import ExtraField, Fields
from .qc import QualityControl

MOST_SENTENCES = 20


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
    placed = (c.placed(f"{path}: line {_line(node, ('criteria', n))}") for n, c in enumerate(trial.criteria))
    qc = trial.qc.placed(path, lambda way: _line(node, ("qc", *way)))
    trial = trial.model_copy(update={"criteria": tuple(placed), "qc": qc})
    for key, file in _files(trial):
        if not file.is_file():
            loc = _as_written(node, [int(part) if part.isdecimal() else part for part in key.split(".")])
            named = ".".join(map(str, loc))
            raise UsageError(f"{path}: line {_line(node, loc)}: {named}: there is no file {file}")
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
        raise UsageError(f"{path}:{said(error)}") from error
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
    loc = _as_written(node, loc)
    key = ".".join(str(part) for part in loc) or "the file"
    if kind == "extra_forbidden":
        known = ", ".join(sorted(_known_keys(loc[:-1])))
        message, kind = f"unknown key; known here: {known}", ""
    return f"{path}: line {_line(node, loc)}: {key}: {plainly(message, kind)}"


def _as_written(node: yaml.Node | None, loc: Sequence[Any]) -> tuple[Any, ...]:
    """The way to an error as the file goes it: one table that stands alone is no list of one."""
    way: list[Any] = []
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            if isinstance(part, int):
                continue
            node = next((value for key, value in node.value if key.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        way.append(part)
    return tuple(way)


def _known_keys(loc: Sequence[Any]) -> list[str]:
    model: type[BaseModel] = Trial
    models = {
        "subject": SubjectRule, "session": SessionRule, "site": SiteRule, "clinical": Clinical, "columns": Column,
        "visits": VisitWindow, "fields": Fields, "add": ExtraField, "criteria": Criterion, "annotations": Annotations,
        "labels": LabelEntry, "collections": Collection, "qc": QualityControl,
    }  # fmt: skip
    for part in loc:
        model = models.get(str(part), model)
    return [field.alias or name for name, field in model.model_fields.items()]


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
            **{name: at(path) for name in ("key", "aliases") if (path := getattr(trial, name)) is not None},
            **{name: look(getattr(trial, name)) for name in ("subject", "session", "site")},
            "annotations": trial.annotations.placed(base),
            "protocol": str(at(Path(trial.protocol))) if is_file(trial.protocol) else trial.protocol,
            "clinical": tuple(
                table.model_copy(update={"table": at(table.table), "codebook": table.codebook and at(table.codebook)})
                for table in trial.clinical
            ),
        }
    )


def _files(trial: Trial) -> list[tuple[str, Path]]:
    """Every file that the configuration names, with its key."""
    named = [(f"rules.{n}", path) for n, path in enumerate(trial.rules)]
    for n, clinical in enumerate(trial.clinical):
        named.append((f"clinical.{n}.table", clinical.table))
        if clinical.codebook is not None:
            named.append((f"clinical.{n}.codebook", clinical.codebook))
    for name in ("subject", "session", "site", "annotations"):
        table = getattr(getattr(trial, name), "table", None)
        if table is not None:
            named.append((f"{name}.table", table))
    if trial.qc.splits is not None:
        named.append(("qc.splits", trial.qc.splits))
    if trial.aliases is not None:
        named.append(("aliases", trial.aliases))
    if is_file(trial.protocol):
        named.append(("protocol", Path(trial.protocol)))
    return named
