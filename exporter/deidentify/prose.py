"""Texts that this program writes into a tree, known from its own source: whatever says more is somebody else's.

A sentence is ours where every word of it stands in a text of the module that writes it, and its numbers are counts and
measures: no name, no date and no id fits in. The modules are read, not imported: they build on this one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib.resources import files

from .literals import read_literals


def modules_of(*folders: str) -> tuple[str, ...]:
    """The modules of these folders of the exporter."""
    own = files("trialbids.exporter")
    return tuple(
        f"{folder}/{entry.name}"
        for folder in folders
        for entry in sorted(own.joinpath(folder).iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".py") and entry.name != "__init__.py"
    )


QUALITY = (
    *("qc/check.py", "qc/codes.py", *modules_of("qc/headers", "qc/pixels", "qc/protocol"), "stacks/reasons.py"),
    *("qc/decided.py", "qc/inspection/judged.py"),
)
TABLES = ("release/dataset.py", "release/phenotype.py")
DRAWN = ("release/drawn/labelmaps.py", "release/drawn/tables.py")
FLOW = (
    *("select/flow.py", "select/flowchart.py", "select/decide.py", "select/copies.py", "stacks/reasons.py"),
    *("plan/build.py", "qc/codes.py", "release/flows.py"),
)
CERTIFICATE = (
    *("release/caveats.py", "release/certificate.py", "release/certify.py", "release/page.py"),
    *("deidentify/options.py", "deidentify/anonymity.py"),
)

_WORD = re.compile(r"[^\W\d_]+")
_TOKEN = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"(?<![\d.])\d{1,3}((,\d{3})*|\d{1,3})(\.\d{1,6})?(e[+-]?\d{1,3})?(?![\d,]*\d)")
_DATE = re.compile(r"(?<!\d)(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?!\d)")
_ERROR = re.compile(r"[a-z]{1,40}error")
_RELEASE = re.compile(r"\d+\.\d+\.\d+ \d{4}-\d\d-\d\d")
_CHANGE = re.compile(r"  - \d{1,6} sessions? (added|replaced|withdrawn)")
_BLANK = re.compile(r"\{\w+\}")
_VERSION = r"[0-9A-Za-z.+-]{1,32}"
MOST_DIGITS = 3
LONG_WORD = 20


def texts_of(module: str) -> frozenset[str]:
    """Every text constant of a module of the exporter, and the fixed parts of its patterns; no docstring."""
    return _literals(module)[0]


def keys_of(module: str) -> frozenset[str]:
    """The names of the fields of a module's data classes, which are the keys of what it writes."""
    return _literals(module)[1]


@cache
def _literals(module: str) -> tuple[frozenset[str], frozenset[str]]:
    return read_literals(files("trialbids.exporter").joinpath(module).read_text(encoding="utf-8"))


@cache
def _words_of(modules: tuple[str, ...]) -> frozenset[str]:
    return frozenset(w for m in modules for text in texts_of(m) for w in _WORD.findall(text.casefold()))


@cache
def _tokens_of(modules: tuple[str, ...]) -> frozenset[str]:
    return frozenset(t for m in modules for text in texts_of(m) for t in _TOKEN.findall(text.casefold()))


def is_said(text: object, modules: tuple[str, ...], also: Collection[str] = ()) -> bool:
    """Is this a sentence of words of these modules (or of ``also``) and plain numbers?

    >>> is_said("3 slices missing between slices 4 and 5 of 20 (gap 12.00 mm, median 3.00 mm)", QUALITY)
    True
    >>> is_said("slices of Jonathan Doe", QUALITY), is_said("slices of 1950-03-07", QUALITY)
    (False, False)
    """
    if not isinstance(text, str) or not text.isprintable() or _DATE.search(text):
        return False
    for phrase in sorted(filter(None, also), key=len, reverse=True):
        text = text.replace(phrase, " ")
    known = _words_of(modules)
    rest = _NUMBER.sub(" ", text.casefold())
    return not any(c.isdigit() for c in rest) and all(_is_known(w, known) for w in _WORD.findall(rest))


def _is_known(word: str, known: Collection[str]) -> bool:
    """Is this one of the words, the plural of one, or the name of an error?"""
    return word in known or word.removesuffix("s") in known or _ERROR.fullmatch(word) is not None


def strange_lines(text: str, name: str) -> Iterator[tuple[int, str]]:
    """Number and text of the lines of a README that are none of its template's; the first is the trial's name."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line and not (number == 1 and line == name) and not any(p.fullmatch(line) for p in _readme()):
            yield number, line


@cache
def _readme() -> tuple[re.Pattern[str], ...]:
    """The lines of the template and those that may stand in its blanks; of blanks only the version is part of one."""
    lines = {
        line
        for module in TABLES
        for text in texts_of(module)
        for line in text.split("\n")
        if line and not _BLANK.fullmatch(line)
    }
    return tuple(re.compile(_VERSION.join(map(re.escape, _BLANK.split(line)))) for line in sorted(lines))


def strange_changes(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of the lines of ``CHANGES`` that no release wrote."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line and not _RELEASE.fullmatch(line) and not _CHANGE.fullmatch(line):
            yield number, line


def strange_words(texts: Iterable[str], said: Iterable[str], modules: tuple[str, ...] = CERTIFICATE) -> Iterator[str]:
    """Words of a page or drawing that stand neither in what writes it nor among ``said``, its own content.

    A part of a word that is too long for its line is none of them; words without blanks are parted anywhere.
    """
    told = [text.casefold() for text in said]
    known = _tokens_of(modules) | {t for text in told for t in _TOKEN.findall(text)}
    for token in (t for text in texts for t in _TOKEN.findall(text.casefold())):
        is_part = (len(token) >= LONG_WORD or not token.isascii()) and any(token in text for text in told)
        if not (is_part or _is_known(token, known) or (token.isdigit() and len(token) <= MOST_DIGITS)):
            yield token
