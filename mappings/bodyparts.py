"""The closed list of body parts: words that name them, what lies in what, and their SNOMED CT codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from .text import read_yaml

TAG_WEIGHT, TEXT_WEIGHT, STUDY_WEIGHT = 3.0, 2.5, 1.0


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One body part. ``code`` and ``meaning`` are SNOMED CT, empty where no single code fits."""

    name: str
    within: str = ""
    code: str = ""
    meaning: str = ""
    tags: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


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
        code=spec.get("code", ""),
        meaning=spec.get("meaning", ""),
        tags=tuple(spec.get("tags", ())),
        words=tuple(spec.get("words", ())),
    )


def body_part_entries() -> Iterator[tuple[str, dict[str, Any]]]:
    """Three rules a body part, each with its theme: by BodyPartExamined, by description and protocol, by the study."""
    sources = (
        ("tag", "body_part", "in", TAG_WEIGHT),
        ("text", "text", "words", TEXT_WEIGHT),
        ("study", "study", "words", STUDY_WEIGHT),
    )
    for part in body_parts().values():
        for source, name, operator, weight in sources:
            words = part.tags if source == "tag" else part.words
            if words:
                yield (
                    f"body-{source}",
                    {
                        "id": f"body-{part.name}-{source}",
                        "reason": f"the {name.replace('_', ' ')} names it",
                        "when": {name: {operator: list(words)}},
                        "votes": {"bodypart": part.name},
                        "weight": weight,
                    },
                )
