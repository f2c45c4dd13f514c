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

from trialbids.mappings import predictions
from trialbids.mappings.names import name_rules

from . import prose, shapes
from .cardlooks import look_into_card
from .documents import drawn_spec, faults, spec_of
from .flowlooks import look_into_drawing, look_into_picture
from .kept import RECORD
from .layout import kind_of
from .look import Leak, Look, texts_in
from .predicted import CLOSED, are_at_hand, predicted_spec
from .search import Searcher
from .shapes import Rules
from .tablelooks import (
    look_into_curated,
    look_into_drawn,
    look_into_flow,
    look_into_parquet,
    look_into_participants,
    look_into_phenotype,
    look_into_scans,
    look_into_sessions,
)

_RELEASE_LINE = re.compile(r"^\d+\.\d+\.\d+ \d{4}-\d\d-\d\d$", re.MULTILINE)
_CERTIFICATE = "curation/certificate.json"
__all__ = ["Leak", "inspect_file"]

_NUMBERS = re.compile(rb"[0-9eE+\-. \n]*")
_VERSION_KEYS = frozenset(("Version", "BIDSVersion", "trialbids", "dcm2niix"))


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
    if kind == "dicom" and not look.rules.sourcedata:
        found.append(Leak(relative, "name", "unknown-file"))
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


def _readme(look: Look, path: Path) -> Iterator[Leak]:
    """The lines of the template below the trial's name, and no others."""
    text = look.read(path).decode("utf-8")
    for number, line in prose.strange_lines(text, _name_of(look.root)):
        yield look.odd(f"line {number}", "unknown-text", line)
    yield from look.text("text", text)


def _name_of(root: Path) -> str:
    """The trial's name as the dataset's description gives it; its form is judged there."""
    try:
        return str(json.loads((root / "dataset_description.json").read_bytes())["Name"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _ignored(look: Look, path: Path) -> Iterator[Leak]:
    """The patterns of ``names.yaml``."""
    text = look.read(path).decode("utf-8")
    known = predictions.bidsignore() if "/" in look.relative else name_rules().bidsignore
    for line in sorted({*text.split("\n")} - {"", *known}):
        yield look.odd("text", "unknown-text", line)
    yield from look.text("text", text)


def _changes(look: Look, path: Path) -> Iterator[Leak]:
    """What releases write. Their own days are no days of a subject's."""
    text = look.read(path).decode("utf-8")
    for number, line in prose.strange_changes(text):
        yield look.odd(f"line {number}", "unknown-text", line)
    yield from look.text("text", _RELEASE_LINE.sub("", text))


def _html(look: Look, path: Path) -> Iterator[Leak]:
    data = look.read(path)
    page = _Page()
    page.feed(data.decode("utf-8"))
    page.close()
    for word in dict.fromkeys(prose.strange_words(page.texts, texts_in(_certificate_of(look.root)))):
        yield look.odd("text", "unknown-text", word)
    yield from look.text("text", "\n".join(page.texts))
    for hit in look.searcher.in_bytes(data):
        yield look.leak(f"byte {hit.offset}", hit)


def _certificate_of(root: Path) -> Any:
    """The certificate that the page shows, None where there is none; it is judged itself."""
    try:
        return json.loads((root / _CERTIFICATE).read_bytes())
    except (OSError, ValueError):
        return None


class _Page(HTMLParser):
    """Collects what a page says: its text, comments and attributes, without style sheets and scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._is_code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_code = tag in ("style", "script")
        if tag != "meta":  # how wide the page is shown, in words of HTML
            self.texts += [value for name, value in attrs if value and name not in ("style", "class")]

    def handle_endtag(self, tag: str) -> None:
        self._is_code = False

    def handle_data(self, data: str) -> None:
        if not self._is_code:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.texts.append(data)


def _json(look: Look, path: Path) -> Iterator[Leak]:
    """A JSON of ours outside the images: it has its form, and every key, text and number is searched besides."""
    content = _loaded(look, path)
    for place, kind, value in faults(spec_of(look.relative, content, look.rules), content):
        yield look.odd(place, kind, value)
    yield from _walk_json(look, "", content)


class _Whole(int):
    """A whole number of a JSON that knows how it is written."""

    written: str

    def __new__(cls, written: str) -> _Whole:
        self = super().__new__(cls, written)
        self.written = written
        return self

    def __str__(self) -> str:
        return self.written


class _Decimal(float):
    """Any other number of a JSON that knows how it is written: a double has fewer digits than an id may have."""

    written: str

    def __new__(cls, written: str) -> _Decimal:
        self = super().__new__(cls, written)
        self.written = written
        return self

    def __str__(self) -> str:
        return self.written


def _loaded(look: Look, path: Path) -> Any:
    """The content; numbers are kept as they are written. Raises ``ValueError`` for anything else, or a key twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    text = look.read(path).decode("utf-8")
    return json.loads(text, object_pairs_hook=once, parse_int=_Whole, parse_float=_Decimal)


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
    """An image's JSON: allow-listed keys, each with a value of its form.

    Numbers, closed words and codes of ours are not searched; what a site may have typed is, whatever its form.
    """
    content = _loaded(look, path)
    if not isinstance(content, dict):
        raise TypeError("an image's JSON is an object")
    accepted = {value for values in look.rules.accepted.values() for value in values}
    patterned = {listed.bids for listed in look.rules.allowed.fields if listed.patterns}
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
        typed = key in shapes.PROSE or key in patterned or any(isinstance(w, str) and w in accepted for w in words)
        if not is_right or typed:
            yield from _walk_json(look, f"/{key}", value)
        elif key == RECORD and isinstance(value, dict):
            yield from _walk_json(look, f"/{key}/evidence", value.get("evidence"))  # ids of a site's own rules


def _mask(look: Look, path: Path) -> Iterator[Leak]:
    """The JSON of what was drawn: by its form, and searched whole, as people wrote the labels."""
    content = _loaded(look, path)
    for place, kind, value in faults(drawn_spec(look.relative), content):
        yield look.odd(place, kind, value)
    yield from _walk_json(look, "", content)


def _predicted(look: Look, path: Path) -> Iterator[Leak]:
    """The JSON of what a model said, or of the model: by its form, and searched but for what holds no text; its images
    are in the tree."""
    content = _loaded(look, path)
    for place, kind, value in faults(predicted_spec(look.relative), content):
        yield look.odd(place, kind, value)
    if not are_at_hand(look.root, look.relative, content):
        yield look.odd("/Sources", "odd-value", content)
    yield from _walk_json(look, "", {key: value for key, value in content.items() if key not in CLOSED})


def _numbers(look: Look, path: Path) -> Iterator[Leak]:
    """Gradients: numbers and nothing else."""
    data = look.read(path)
    if not _NUMBERS.fullmatch(data):
        yield look.odd("", "odd-value")
        yield from look.text("text", data.decode("latin-1"))
        return
    for number in data.decode("ascii").split():
        yield from look.number("text", f"{float(number):.0f}")


def _image(look: Look, path: Path) -> Iterator[Leak]:
    from .volumes import look_into_image  # nibabel: only where images are inspected

    for place, kind, form, value in look_into_image(path, look.searcher):
        yield Leak(look.relative, place, kind, form, value)


def _dicom(look: Look, _: Path) -> Iterator[Leak]:
    from .objects import look_into_object  # pydicom: only where DICOM is released

    for place, kind, form, value in look_into_object(look.root, look.relative, look.searcher, look.rules):
        yield Leak(look.relative, place, kind, form, value)


_LOOKS: dict[str, Callable[[Look, Path], Iterable[Leak]]] = {
    "readme": _readme,
    "ignored": _ignored,
    "changes": _changes,
    "html": _html,
    "card": look_into_card,
    "json": _json,
    "sidecar": _sidecar,
    "mask": _mask,
    "predicted": _predicted,
    "drawn": look_into_drawn,
    "numbers": _numbers,
    "scans": look_into_scans,
    "sessions": look_into_sessions,
    "participants": look_into_participants,
    "phenotype": look_into_phenotype,
    "parquet": look_into_parquet,
    "curated": look_into_curated,
    "flow": look_into_flow,
    "drawing": look_into_drawing,
    "picture": look_into_picture,
    "nifti": _image,
    "dicom": _dicom,
}
