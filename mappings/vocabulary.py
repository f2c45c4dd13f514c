"""The closed vocabulary: which words an attribute of the harmonised record may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from .text import read_yaml


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the harmonised record.

    ``kind`` is ``word`` (one of ``values``), ``words`` (an ordered subset), ``index`` (integer from 1),
    ``number`` (a float >= 0) or ``numbers`` (a tuple of them).
    """

    name: str
    kind: str
    values: tuple[str, ...]


@cache
def vocabulary() -> Mapping[str, Attribute]:
    """All attributes by name, in the order of ``plan.tsv``."""
    attributes = read_yaml("vocabulary.yaml")["attributes"]
    return MappingProxyType(
        {name: Attribute(name, spec["kind"], tuple(spec.get("values", ()))) for name, spec in attributes.items()}
    )
