"""What a released tree tells: the distinct values of all its sidecars, with how many images and participants."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trialbids.mappings.fields import AllowList

from ..errors import UsageError

RECORD = "Harmonised"
MODEL = "ManufacturerModelName"
REPLACED = frozenset({"hash", "label", "offset", "shift"})
"""Actions whose values are new for every image or participant: only counted."""

TOO_FINE = frozenset({"evidence", "bvalues"})
"""Parts of the record that are rule ids, and numbers of the image itself."""

SENTENCES = frozenset({"DeidentificationMethod", "DeidentificationMethodCodeSequence"})
"""The same for all images: the certificate says them once."""

MOST_DISTINCT = 10_000


@dataclass(frozen=True, slots=True)
class KeptText:
    """A word that left under a field: the DICOM keyword, or the sidecar's own key where it has none."""

    field: str
    value: str
    images: int
    subjects: int


@dataclass(frozen=True, slots=True)
class KeptNumbers:
    """The numbers that left under a field; ``distinct`` stops counting at ten thousand."""

    field: str
    lowest: float
    highest: float
    distinct: int
    images: int
    subjects: int

    @property
    def shown(self) -> str:
        """The range in words."""
        if self.distinct == 1:
            return f"{self.lowest:g}"
        more = " or more" if self.distinct == MOST_DISTINCT else ""
        return f"{self.lowest:g} to {self.highest:g} ({self.distinct}{more} values)"


@dataclass(frozen=True, slots=True)
class Kept:
    """All that the sidecars of a tree tell. ``images_with`` counts the images that have a field at all, ``models``
    holds the device models by ``sub-<label>``.
    """

    images: int
    texts: tuple[KeptText, ...]
    numbers: tuple[KeptNumbers, ...]
    images_with: Mapping[str, int]
    models: Mapping[str, frozenset[str]]


def read_kept(root: Path, allowed: AllowList) -> Kept:
    """Read every sidecar of the tree.

    Raises ``UsageError`` naming a sidecar that cannot be read.
    """
    reader = _Reader(allowed)
    for path in sidecars(root):
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: this sidecar cannot be read; export the trial again") from error
        if not isinstance(content, dict):
            raise UsageError(f"{path}: this sidecar holds no keys; export the trial again")
        reader.add(path.parents[2].name, content)
    return reader.kept()


def sidecars(root: Path) -> Iterator[Path]:
    """The images' JSON files, in order."""
    for path in sorted(root.glob("sub-*/ses-*/*/sub-*.json")):
        if not path.name.endswith("_qc.json"):
            yield path


@dataclass(slots=True)
class _Seen:
    """One value, or the numbers of one field, while it is counted."""

    images: int = 0
    subjects: set[str] = field(default_factory=set)
    lowest: float = math.inf
    highest: float = -math.inf
    distinct: set[float] = field(default_factory=set)

    def add(self, subject: str, numbers: Sequence[float] = ()) -> None:
        self.images += 1
        self.subjects.add(subject)
        for number in numbers:
            self.lowest, self.highest = min(self.lowest, number), max(self.highest, number)
            if len(self.distinct) < MOST_DISTINCT:
                self.distinct.add(number)


class _Reader:
    """Counts one sidecar after the other."""

    def __init__(self, allowed: AllowList) -> None:
        self._keywords = {f.bids: f.keyword for f in allowed.fields if f.bids}
        self._actions = {f.keyword: f.action for f in allowed.fields}
        self._images = 0
        self._with: dict[str, int] = defaultdict(int)
        self._texts: dict[tuple[str, str], _Seen] = defaultdict(_Seen)
        self._numbers: dict[str, _Seen] = defaultdict(_Seen)
        self._models: dict[str, set[str]] = defaultdict(set)

    def add(self, subject: str, content: Mapping[str, Any]) -> None:
        self._images += 1
        for key, value in content.items():
            name = self._keywords.get(key, key)
            self._with[name] += 1
            if key == RECORD and isinstance(value, dict):
                for attribute, said in value.items():
                    if attribute not in TOO_FINE:
                        self._value(f"{RECORD}: {attribute}", said, subject)
            elif key not in SENTENCES and self._actions.get(name) not in REPLACED:
                self._value(name, value, subject)
            if name == MODEL and isinstance(value, str):
                self._models[subject].add(value)

    def _value(self, name: str, value: Any, subject: str) -> None:
        if isinstance(value, str):
            self._texts[name, value].add(subject)
        elif isinstance(value, list):
            for text in {part for part in value if isinstance(part, str)}:
                self._texts[name, text].add(subject)
            numbers = [part for part in value if _is_number(part)]
            if numbers:
                self._numbers[name].add(subject, numbers)
        elif _is_number(value):
            self._numbers[name].add(subject, (value,))

    def kept(self) -> Kept:
        """The counts so far."""
        return Kept(
            images=self._images,
            texts=tuple(
                KeptText(name, value, seen.images, len(seen.subjects))
                for (name, value), seen in sorted(self._texts.items())
            ),
            numbers=tuple(
                KeptNumbers(name, s.lowest, s.highest, len(s.distinct), s.images, len(s.subjects))
                for name, s in sorted(self._numbers.items())
            ),
            images_with=dict(sorted(self._with.items())),
            models={subject: frozenset(names) for subject, names in self._models.items()},
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
