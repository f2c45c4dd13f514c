"""JSON that a person may have written or changed: read by a model, and every fault is a sentence with its line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trialbids.mappings.protocolfile import line_of, plainly

from ..errors import UsageError

MOST_BYTES = 200_000_000
MOST_DIGITS = 18
MOST_OF_PLACE = 200
MOST_BYTES_WITH_LINES = 1_000_000
"""The line of a fault is looked for in files up to this size."""

Shape = TypeVar("Shape", bound=BaseModel)
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]


class Strict(BaseModel):
    """Base of all shapes: nothing is read from text, and keys that are not known stay where they are."""

    model_config = ConfigDict(strict=True, frozen=True)


class Closed(Strict):
    """A shape that has no other keys."""

    model_config = ConfigDict(extra="forbid")


def read_json(path: Path, shape: type[Shape], remedy: str, most_bytes: int = MOST_BYTES) -> tuple[Shape, Any]:
    """The content of a file as this shape, and as it stands; ``remedy`` ends every sentence about it.

    A whole number of more digits than anything has is read as infinite, so that no shape takes it. Raises
    ``UsageError`` with file, line and what was expected.
    """
    text = _text(path, remedy, most_bytes)
    try:
        content = json.loads(text, parse_int=_whole, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: line {error.lineno}: this is no JSON: {error.msg}; {remedy}") from error
    except _Twice as error:
        line = text.count("\n", 0, text.rfind(json.dumps(error.key, ensure_ascii=False))) + 1
        raise UsageError(f"{path}: line {line}: {error.key[:40]!r}: this key stands twice; {remedy}") from error
    except RecursionError as error:
        raise UsageError(f"{path}: is nested too deep; {remedy}") from error
    try:
        return shape.model_validate(content), content
    except ValidationError as error:
        raise UsageError(f"{path}: {_explain(text, error)}; {remedy}") from error


def _text(path: Path, remedy: str, most_bytes: int) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    if len(data) > most_bytes:
        raise UsageError(f"{path}: is over {most_bytes // 1_000_000} MB; {remedy}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line}: is not UTF-8 text; {remedy}") from error


class _Twice(ValueError):
    """A key that stands twice in one object, of which JSON takes the last."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = value
    return found


def _whole(text: str) -> int | float:
    return int(text) if len(text) <= MOST_DIGITS else float(text)


def _explain(text: str, error: ValidationError) -> str:
    """The first fault: its line, its place, and what was expected."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = first["loc"]
    named = ".".join(str(part) for part in place) or "the file"
    line = _line(text, place)
    return f"{f'line {line}: ' if line else ''}{named[:MOST_OF_PLACE]}: {plainly(first['msg'], first['type'])}"


def _line(text: str, place: Sequence[Any]) -> int:
    """The line of a place, by the parser of YAML, of which JSON is a part; 0 where it cannot tell."""
    if len(text) > MOST_BYTES_WITH_LINES:
        return 0
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return 0
    return 0 if node is None else line_of(node, place)
