"""``annotations`` of ``trial.yaml``: where what people drew lies, and under which labels it leaves."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from trialbids.mappings.labels import LEGAL_NAME, Label, Labels, plain_words, shipped_labels

from .parts import LegalPath, Model


class LabelEntry(Model):
    """One label of the trial's own dictionary; a label that is shipped keeps what is not said anew.

    ``match`` lists the words by which DICOM objects name it, ``several`` that a number behind one is the lesion's.
    """

    code: str = Field(default="", pattern=r"^[0-9A-Za-z.-]{0,16}$")
    scheme: str = Field(default="SCT", pattern=r"^[0-9A-Za-z_-]{1,16}$")
    meaning: str = Field(default="", pattern=r"^[A-Za-z][A-Za-z ,()/'-]{0,62}$|^$")
    match: tuple[str, ...] = ()
    several: bool = False

    @model_validator(mode="after")
    def _code_and_meaning(self) -> Self:
        if bool(self.code) != bool(self.meaning):
            raise ValueError("give code and meaning together, such as code: '52988006' and meaning: Lesion")
        return self


class Collection(Model):
    """Annotations in the form of a known public collection: its file, or the folder that holds them."""

    form: Literal["lidc", "picai", "rsna"]
    path: LegalPath


class Annotations(Model):
    """Where annotations come from and how they leave.

    ``table`` lists masks, boxes and points; ``objects`` says whether SEG, RTSTRUCT and SR objects among the sources are
    read; ``collections`` are files in the forms of public data; ``labels`` adds to the shipped dictionary;
    ``consensus`` writes one mask more where readers drew the same.
    """

    table: LegalPath | None = None
    collections: tuple[Collection, ...] = ()
    objects: bool = True
    labels: dict[str, LabelEntry] = Field(default_factory=dict)
    consensus: Literal["none", "majority", "staple"] = "none"

    @field_validator("labels")
    @classmethod
    def _legal_labels(cls, value: dict[str, LabelEntry]) -> dict[str, LabelEntry]:
        meant: dict[str, str] = {}
        for name, entry in value.items():
            if not LEGAL_NAME.fullmatch(name):
                raise ValueError(f"'{name}' is no label: letters and digits, 32 at most")
            for words in map(plain_words, (name, *entry.match)):
                if meant.setdefault(words, name) != name:
                    raise ValueError(f"'{words}' stands for {meant[words]} and for {name}; leave it with one of them")
        return value

    def placed(self, base: Path) -> Annotations:
        """The same with every path made absolute, from a folder."""
        collections = tuple(c.model_copy(update={"path": base / c.path}) for c in self.collections)
        table = self.table and base / self.table
        return self.model_copy(update={"table": table, "collections": collections})

    @cached_property
    def own_words(self) -> Labels:
        """The trial's own labels with the words of ``match`` alone, which go before a code."""
        labels = ((self._label(name, entry), entry.match) for name, entry in self.labels.items())
        return Labels(replace(label, match=match, meaning="") for label, match in labels)

    @cached_property
    def dictionary(self) -> Labels:
        """The shipped labels with the trial's own, which go before them."""
        return Labels([*shipped_labels().values(), *(self._label(name, entry) for name, entry in self.labels.items())])

    def _label(self, name: str, entry: LabelEntry) -> Label:
        known = shipped_labels().get(name, Label(name))
        code = (entry.code, entry.scheme, entry.meaning) if entry.code else (known.code, known.scheme, known.meaning)
        return Label(name, *code, (*known.match, *entry.match), entry.several or known.several)
