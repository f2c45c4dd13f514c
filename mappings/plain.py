"""YAML that a user writes, kept plain: nothing in it may stand for more than the text shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .text import FastSafeLoader

MOST_BYTES = 1_000_000
DEEPEST = 30
LONGEST = 10_000


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
                problem=f"looks like a {kind} but is none; put it in quotes", problem_mark=node.start_mark
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
    depth = 0
    for event in yaml.parse(text, Loader=FastSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        problem = _not_plain(event, depth)
        if problem:
            raise NotPlain(problem=problem, problem_mark=event.start_mark)
    return text


def _not_plain(event: yaml.Event, depth: int) -> str:
    if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
        return "anchors and aliases are not used here"
    if getattr(event, "tag", None) is not None:
        return "tags are not used here; put a text that begins with ! in quotes"
    if isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST:
        return f"a value is longer than {LONGEST} characters"
    return f"nested more than {DEEPEST} deep" if depth > DEEPEST else ""
