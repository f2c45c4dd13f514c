"""YAML that a user writes, kept plain: nothing in it may stand for more than the text shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from .text import FastSafeLoader

MOST_BYTES = 1_000_000
DEEPEST = 30
LONGEST = 10_000
UNREAD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
"""Characters that no parser of YAML takes."""


class NotPlain(yaml.MarkedYAMLError):
    """The text is YAML, but not the plain kind that is read here."""


class PlainLoader(FastSafeLoader):
    """A safe loader whose every error is a ``YAMLError`` that knows its line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node. Raises ``NotPlain`` for what looks like a date or a number and is none."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError) as error:
            kind = node.tag.rpartition(":")[2]
            raise NotPlain(
                problem=f"looks like a {kind} but is none that can be used; put it in quotes",
                problem_mark=node.start_mark,
            ) from error


def read_plain(path: Path) -> str:
    """The text of a YAML file, seen to be plain before anything is made of it.

    Raises ``OSError``, ``UnicodeDecodeError``, and ``yaml.YAMLError`` for a file over 1 MB, anchors, aliases, tags, and
    for nesting and values beyond what a person writes.
    """
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise NotPlain(problem=f"the file is over {MOST_BYTES // 1_000_000} MB")
    text = data.decode("utf-8-sig")
    strange = UNREAD.search(text)
    if strange is not None:
        line = text.count("\n", 0, strange.start())
        mark = yaml.Mark(path.name, strange.start(), line, 0, None, 0)
        raise NotPlain(problem="holds a control character, which no text has", problem_mark=mark)
    depth = 0
    for event in yaml.parse(text, Loader=FastSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        problem = _not_plain(event, depth)
        if problem:
            raise NotPlain(problem=problem, problem_mark=event.start_mark)
    return text


def said(error: yaml.YAMLError) -> str:
    """An error of reading as the end of a sentence that began with the file: its line, and what was expected."""
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error).partition("\n")[0]
    if problem == "found unhashable key":
        return f" line {mark.line + 1 if mark else 1}: a key is a list or a map; expected a word"
    what = "" if isinstance(error, NotPlain) else " this is no YAML:"
    return f"{f' line {mark.line + 1}:' if mark else ''}{what} {problem}"


def _not_plain(event: yaml.Event, depth: int) -> str:
    if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
        return "anchors and aliases are not used here"
    if getattr(event, "tag", None) is not None:
        return "tags are not used here; put a text that begins with ! in quotes"
    if isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST:
        return f"a value is longer than {LONGEST} characters"
    return f"nested more than {DEEPEST} deep" if depth > DEEPEST else ""


def read_mapping(path: Path, what: str, example: str, error: type[Exception]) -> tuple[yaml.MappingNode, Any]:
    """A file of keys and values, as nodes, which know their lines, and as values; JSON is read as the YAML it is.

    Raises ``error`` with one sentence that names the file: ``what`` it should be, and an ``example`` of its keys.
    """
    try:
        text = read_plain(path)
        node = yaml.compose(text, Loader=PlainLoader)
        data = yaml.load(text, Loader=PlainLoader)  # a subclass of SafeLoader
    except OSError as problem:
        raise error(f"{path}: {what} cannot be read ({problem.strerror})") from problem
    except UnicodeDecodeError as problem:
        raise error(f"{path}: {what} is not UTF-8 text") from problem
    except yaml.YAMLError as problem:
        raise error(f"{path}:{said(problem)}") from problem
    if not isinstance(node, yaml.MappingNode):
        raise error(f"{path}: line 1: expected keys and values, {example}")
    if (twice := _stands_twice(node)) is not None:
        raise error(f"{path}: line {twice.start_mark.line + 1}: {twice.value}: this key stands twice")
    return node, data


def _stands_twice(node: yaml.Node) -> yaml.Node | None:
    """A key that stands twice in one mapping: YAML would take the last in silence."""
    items = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        seen: set[object] = set()
        for key, value in node.value:
            if key.value in seen:
                return key
            seen.add(key.value)
            items = [*items, value]
    return next((found for item in items if (found := _stands_twice(item)) is not None), None)
