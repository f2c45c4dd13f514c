"""The inspection of one file of a released tree: only what may stand there, and no identifier in it."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from . import shapes
from .layout import kind_of
from .look import Leak, Look
from .search import Searcher
from .shapes import Rules
from .tablelooks import look_into_parquet, look_into_participants, look_into_scans, look_into_sessions
from .volumes import look_into_image

_RELEASE_LINE = re.compile(r"^\d+\.\d+\.\d+ \d{4}-\d\d-\d\d$", re.MULTILINE)
__all__ = ["Leak", "inspect_file"]

_NUMBERS = re.compile(rb"[0-9eE+\-. \n]*")
_VERSION_KEYS = frozenset(("Version", "BIDSVersion", "trialbids", "dcm2niix"))
_MASK_KEYS = {"Type", "Label", "Reader", "Method", "Sources"}


def inspect_file(root: Path, relative: str, searcher: Searcher, rules: Rules | None = None) -> tuple[Leak, ...]:
    """Everything in a file of the tree (path below ``root``) that may not leave.

    Raises ``OSError`` where the file cannot be read.
    """
    path = root / relative
    found = [Leak(relative, "name", hit.kind, hit.form) for hit in searcher.in_text(_spoken(relative))]
    if not stat.S_ISREG(path.lstat().st_mode):
        return (*found, Leak(relative, "", "not-a-file"))
    kind = kind_of(relative)
    if not kind:
        found.append(Leak(relative, "name", "unknown-file"))
        found += [Leak(relative, f"byte {h.offset}", h.kind, h.form) for h in searcher.in_bytes(path.read_bytes())]
        return tuple(found)
    found += [Leak(relative, "attributes", "odd-header", value=name) for name in _attributes(path)]
    look = Look(relative, searcher, rules or Rules(), root)
    try:
        found += _LOOKS[kind](look, path)
    except (ValueError, KeyError, TypeError, RecursionError) as error:  # no file of that kind: it cannot be inspected
        found.append(Leak(relative, "", "unreadable", value=type(error).__name__))
        found += [look.leak(f"byte {h.offset}", h) for h in searcher.in_bytes(path.read_bytes())]
    return tuple(dict.fromkeys(found))


def _spoken(relative: str) -> str:
    """A path as text: the labels of its entities apart from their names."""
    return relative.replace("/", "\n")


def _attributes(path: Path) -> list[str]:
    """Names of extended attributes that users set."""
    try:
        return [name for name in os.listxattr(path, follow_symlinks=False) if name.startswith("user.")]
    except (OSError, AttributeError):  # a file system, or a system, without them
        return []


def _text(look: Look, path: Path) -> Iterator[Leak]:
    yield from look.text("text", look.read(path).decode("utf-8"))


def _changes(look: Look, path: Path) -> Iterator[Leak]:
    """The release's own days are no days of a subject's."""
    yield from look.text("text", _RELEASE_LINE.sub("", look.read(path).decode("utf-8")))


def _html(look: Look, path: Path) -> Iterator[Leak]:
    data = look.read(path)
    page = _Page()
    page.feed(data.decode("utf-8"))
    page.close()
    yield from look.text("text", "\n".join(page.texts))
    for hit in look.searcher.in_bytes(data):
        yield look.leak(f"byte {hit.offset}", hit)


class _Page(HTMLParser):
    """Collects what a page says: its text, comments and attributes, without style sheets and scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._is_code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_code = tag in ("style", "script")
        self.texts += [value for name, value in attrs if value and name not in ("style", "class")]

    def handle_endtag(self, tag: str) -> None:
        self._is_code = False

    def handle_data(self, data: str) -> None:
        if not self._is_code:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.texts.append(data)


def _json(look: Look, path: Path) -> Iterator[Leak]:
    """A JSON of ours outside the images: every key, text and number is searched."""
    yield from _walk_json(look, "", _loaded(look, path))


def _loaded(look: Look, path: Path) -> Any:
    """The content; numbers are kept as they are written. Raises ``ValueError`` for anything else, or a key twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    return json.loads(look.read(path).decode("utf-8"), object_pairs_hook=once)


def _walk_json(look: Look, place: str, value: Any) -> Iterator[Leak]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from look.text(f"{place} (key)", key)
            is_version = key in _VERSION_KEYS and isinstance(entry, str) and shapes.VERSION.fullmatch(entry)
            if not is_version:
                yield from _walk_json(look, f"{place}/{key}", entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _walk_json(look, place, entry)
    elif isinstance(value, str):
        yield from look.text(place, value)
    elif value is not None and not isinstance(value, bool):
        yield from look.number(place, value)


def _sidecar(look: Look, path: Path) -> Iterator[Leak]:
    """An image's JSON: allow-listed keys, each with a value of its form. What has its form is not searched."""
    content = _loaded(look, path)
    if not isinstance(content, dict):
        raise TypeError("an image's JSON is an object")
    accepted = {value for values in look.rules.accepted.values() for value in values}
    for key, value in content.items():
        shape = shapes.shape_of(key, look.rules)
        if shape is None:
            yield look.odd("key", "unknown-key", key)
            yield from _walk_json(look, "key", {key: value})
            continue
        is_right = shape(value)
        if not is_right:
            yield look.odd(f"/{key}", "odd-value", value)
        words = value if isinstance(value, list) else [value]
        if not is_right or key in shapes.PROSE or any(isinstance(w, str) and w in accepted for w in words):
            yield from _walk_json(look, f"/{key}", value)


def _mask(look: Look, path: Path) -> Iterator[Leak]:
    content = _loaded(look, path)
    for key, value in content.items():
        if key not in _MASK_KEYS:
            yield look.odd(f"/{key}", "unknown-key", key)
        elif key != "Sources" and not (isinstance(value, str) and shapes.LABEL.fullmatch(value)):
            yield look.odd(f"/{key}", "odd-value", value)
        yield from _walk_json(look, f"/{key}", value)


def _numbers(look: Look, path: Path) -> Iterator[Leak]:
    """Gradients: numbers and nothing else."""
    data = look.read(path)
    if not _NUMBERS.fullmatch(data):
        yield look.odd("", "odd-value")
        yield from look.text("text", data.decode("latin-1"))
        return
    for number in data.decode("ascii").split():
        yield from look.number("text", number.partition(".")[0])


def _image(look: Look, path: Path) -> Iterator[Leak]:
    for place, kind, form, value in look_into_image(path, look.searcher):
        yield Leak(look.relative, place, kind, form, value)


def _dicom(look: Look, path: Path) -> Iterator[Leak]:
    from .objects import look_into_object  # pydicom: only where DICOM is released

    for place, kind, form, value in look_into_object(path, look.searcher):
        yield Leak(look.relative, place, kind, form, value)


_LOOKS: dict[str, Callable[[Look, Path], Iterable[Leak]]] = {
    "text": _text,
    "changes": _changes,
    "html": _html,
    "json": _json,
    "sidecar": _sidecar,
    "mask": _mask,
    "numbers": _numbers,
    "scans": look_into_scans,
    "sessions": look_into_sessions,
    "participants": look_into_participants,
    "parquet": look_into_parquet,
    "nifti": _image,
    "dicom": _dicom,
}
