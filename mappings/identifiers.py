"""Which elements of a header identify whom: ``identifiers.yaml``, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from .text import read_yaml

WHOM = ("subject", "staff", "place")
FORMS = ("name", "id", "date", "text", "uid")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of identifier: whom it tells of, and how it may be written (see ``identifiers.yaml``)."""

    name: str
    whom: str
    form: str


@dataclass(frozen=True, slots=True)
class IdentifierRules:
    """The whole of ``identifiers.yaml``. ``keywords`` gives the kind of every listed element, ``common`` is lower-case,
    ``months`` gives the number (1 to 12) of every name of a month.
    """

    version: int
    kinds: Mapping[str, Kind]
    keywords: Mapping[str, str]
    other_names: str
    common: frozenset[str]
    months: Mapping[str, int]
    fillers: frozenset[str]
    entities: frozenset[str]

    @property
    def tags(self) -> Mapping[int, str]:
        """The kind of every listed element, by its tag. Raises ``ValueError`` where one is no element of DICOM."""
        from pydicom.datadict import tag_for_keyword  # only readers of headers need it, and it takes long to import

        found = {tag_for_keyword(keyword): kind for keyword, kind in self.keywords.items()}
        if None in found or len(found) < len(self.keywords):
            raise ValueError("identifiers.yaml: a keyword is none of DICOM's, or two are one element")
        return {tag: kind for tag, kind in found.items() if tag is not None}


@cache
def identifier_rules() -> IdentifierRules:
    """``identifiers.yaml``. Raises ``ValueError`` naming an entry that is wrong."""
    spec = read_yaml("identifiers.yaml")
    kinds: dict[str, Kind] = {}
    keywords: dict[str, str] = {}
    for name, entry in spec["kinds"].items():
        if entry["whom"] not in WHOM or entry["form"] not in FORMS:
            raise ValueError(f"identifiers.yaml: {name}: unknown whom or form")
        kinds[name] = Kind(name, entry["whom"], entry["form"])
        for keyword in entry["keywords"]:
            if keyword in keywords:
                raise ValueError(f"identifiers.yaml: {name}: {keyword} stands twice")
            keywords[keyword] = name
    if spec["other_names"] not in kinds:
        raise ValueError(f"identifiers.yaml: other_names: there is no kind {spec['other_names']}")
    months = [(name, number) for number, names in enumerate(spec["months"], start=1) for name in names]
    if len(spec["months"]) != 12 or len(dict(months)) != len(months):
        raise ValueError("identifiers.yaml: months: there are twelve, and no name stands twice")
    return IdentifierRules(
        version=spec["version"],
        kinds=MappingProxyType(kinds),
        keywords=MappingProxyType(keywords),
        other_names=spec["other_names"],
        common=frozenset(spec["common"]),
        months=MappingProxyType(dict(months)),
        fillers=frozenset(spec["fillers"]),
        entities=frozenset(spec["entities"]),
    )
