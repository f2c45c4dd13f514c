"""The closed list of body parts: words that name them, what lies in what, and their SNOMED CT codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from .text import read_yaml

BODY = "body."
"""Prefix of the concepts that name a body part."""

SOURCES = {"tag": "body part tag", "text": "description or protocol", "study": "study description"}
REGION_WEIGHTS = {"tag": 2.4, "text": 3.6, "study": 1.0}
ORGAN_WEIGHTS = {"tag": 3.2, "text": 3.6, "study": 2.8}
"""A study description that names an organ outweighs a tag that names a region, set by the protocol; against a tag that
names another organ it loses."""


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One body part. ``code`` and ``meaning`` are SNOMED CT, empty where no single code fits.

    ``combined`` parts are several in one scan: what speaks for them speaks for none of the parts alone. ``face``: an
    image of it may show a face.
    """

    name: str
    within: str = ""
    combined: bool = False
    code: str = ""
    meaning: str = ""
    tags: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    face: bool = False


@cache
def body_parts() -> Mapping[str, BodyPart]:
    """All body parts by name."""
    data: dict[str, dict[str, Any]] = read_yaml("bodyparts.yaml")["bodyparts"]
    return MappingProxyType({name: body_part(name, spec) for name, spec in data.items()})


def body_part(name: str, spec: Mapping[str, Any]) -> BodyPart:
    """One body part from its mapping."""
    return BodyPart(
        name=name,
        within=spec.get("within", ""),
        combined=spec.get("combined", False),
        code=spec.get("code", ""),
        meaning=spec.get("meaning", ""),
        tags=tuple(spec.get("tags", ())),
        words=tuple(str(word) for words in spec.get("words", {}).values() for word in words),
        face=spec.get("face", False),
    )


def body_part_entries() -> Iterator[tuple[str, dict[str, Any]]]:
    """Three rules a body part, each with its theme: by BodyPartExamined, by description and protocol, by the study."""
    sources = (("tag", "body_part"), ("text", "named"), ("study", "study_said"))
    parts = body_parts()
    for part in parts.values():
        is_organ = bool(part.within) and not parts[part.within].combined
        for source, name in sources:
            words = part.tags if source == "tag" else (BODY + part.name,)
            if words:
                yield (
                    f"body-{source}",
                    {
                        "id": f"body-{part.name}-{source}",
                        "reason": f"the {SOURCES[source]} names it",
                        "when": {name: {"in": list(words)}},
                        "votes": {"bodypart": part.name},
                        "weight": (ORGAN_WEIGHTS if is_organ else REGION_WEIGHTS)[source],
                    },
                )
