"""The inspection of the data card: lines of its template, and in their blanks only what the tree itself tells."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trialbids.mappings.card import KINDS, Piece, card_template, one_line

from ..tables import read_tsv
from . import shapes
from .documents import READER, is_drawn_cell
from .flowlooks import is_sentence
from .look import Leak, Look, texts_in

ABSENT = "n/a"
_DECADE = re.compile(r"\d0-\d9|90\+")
_OWN_TABLES = ("participants", "sessions")
_DICTIONARIES = ("participants.json", "sessions.json", "phenotype/*.json")
_SCANNER = ("Manufacturer", "ManufacturersModelName")


def look_into_card(look: Look, path: Path) -> Iterator[Leak]:
    """Every line is one of the template's, every blank holds what its kind allows, and all of it is searched.

    The day of a release is no day of a subject's, and is judged where it stands.
    """
    text = look.read(path).decode("utf-8")
    told = _Told(look)
    searched = text
    for found in card_template().read(text):
        if not isinstance(found, Piece):
            yield look.odd(f"line {found[0]}", "unknown-text", found[1])
        elif not told.allows(found):
            yield look.odd(f"line {found.line}", "odd-value", found.text)
        elif found.kind == "day":
            searched = searched.replace(found.text, " ")
    yield from look.text("text", searched)


@dataclass(frozen=True)
class _Told:
    """What the tree tells beside its card; every file of it is judged where it stands."""

    look: Look

    def allows(self, piece: Piece) -> bool:
        """May this stand in a blank of its kind? What is a number or a closed word has been read as such."""
        judge = self._judges.get(piece.kind)
        return piece.kind in KINDS if judge is None else judge(piece.text)

    @cached_property
    def _judges(self) -> Mapping[str, Callable[[str], bool]]:
        return {
            "name": self._described.__contains__,
            "told": lambda text: text in self._described or text in self._certified,
            "version": lambda text: text in self._described or text in self._releases,
            "day": self._releases.__contains__,
            "flow": lambda text: is_sentence(text, self._criteria),
            "word": lambda text: shapes.is_cell("sequence", text),
            "site": lambda text: text == ABSENT or text in self._cells("site"),
            "sex": lambda text: text == ABSENT or text in self._cells("sex"),
            "age": lambda text: text == ABSENT or _DECADE.fullmatch(text) is not None or text in self._cells("age"),
            "scanner": lambda text: text == ABSENT or self._is_scanner(text),
            "label": lambda text: text == ABSENT or is_drawn_cell("label", text),
            "reader": lambda text: text == ABSENT or READER.fullmatch(text) is not None,
            "table": self._is_table,
            "column": self._columns.__contains__,
        }

    @cached_property
    def _described(self) -> frozenset[str]:
        return frozenset(map(one_line, texts_in(self._json("dataset_description.json"))))

    @cached_property
    def _certified(self) -> frozenset[str]:
        return frozenset(map(one_line, texts_in(self._json("curation/certificate.json"))))

    def _json(self, name: str) -> object:
        try:
            return json.loads((self.look.root / name).read_bytes())
        except (OSError, ValueError):
            return None

    @cached_property
    def _releases(self) -> frozenset[str]:
        """The numbers and days of all releases."""
        try:
            lines = (self.look.root / "CHANGES").read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return frozenset()
        return frozenset(word for line in lines if line[:1].isdigit() for word in line.split(" "))

    @cached_property
    def _criteria(self) -> Mapping[str, str]:
        return {name: one_line(sentence) for name, sentence in self.look.rules.criteria.items()}

    def _cells(self, column: str) -> frozenset[str]:
        path = self.look.root / "participants.tsv"
        return frozenset(row.get(column, ABSENT) for row in read_tsv(path)) if path.is_file() else frozenset()

    def _is_scanner(self, text: str) -> bool:
        forms = (shapes.shape_of(key, self.look.rules) for key in _SCANNER)
        return any(form is not None and form(text) for form in forms)

    def _is_table(self, text: str) -> bool:
        names = {path.stem.partition("_ses-")[0] for path in self.look.root.glob("phenotype/*.tsv")}
        return text in _OWN_TABLES or text in names

    @cached_property
    def _columns(self) -> frozenset[str]:
        """The columns that the dictionaries of the clinical tables describe."""
        found = (self._json(str(p.relative_to(self.look.root))) for n in _DICTIONARIES for p in self.look.root.glob(n))
        return frozenset(str(name) for content in found if isinstance(content, dict) for name in content)
