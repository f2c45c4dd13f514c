"""What keeps two centres' "001" apart: the issuer of the id, the trial's site, or the institution."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from ..inventory.instance import Instance
from .lookups import Finder

Identity = tuple[str, str]
"""A namespace and an id in it: who is meant."""


class Namespaces:
    """The namespace of every subject's id.

    A study has one namespace, also where a series of it does not name the institution; a study that names none has
    that of the other studies under its id, if they agree.
    """

    def __init__(self, rows: Iterable[Instance], value: Finder, site: Finder) -> None:
        named: dict[str, dict[str, set[tuple[int, str]]]] = defaultdict(lambda: defaultdict(set))
        for i in rows:
            words = (i.IssuerOfPatientID, site(i), place_word(i.InstitutionName))
            named[value(i)][i.StudyInstanceUID] |= {(rank, word) for rank, word in enumerate(words) if word}
        self._of = {
            (v, study): min(words)[1] for v, studies in named.items() for study, words in studies.items() if words
        }
        by_value: dict[str, set[str]] = defaultdict(set)
        for (v, _), word in self._of.items():
            by_value[v].add(word)
        self._only = {v: min(words) for v, words in by_value.items() if len(words) == 1}
        self.n_shared = sum(len(words) > 1 for v, words in by_value.items() if v)
        self._places: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for v, studies in named.items():
            for study, words in studies.items():
                self._places[v][self._of.get((v, study)) or self._only.get(v, "")] |= {
                    place_word(word) for _, word in words
                }

    def of(self, value: str, instance: Instance) -> str:
        """The namespace of a subject's id in one study."""
        return self._of.get((value, instance.StudyInstanceUID)) or self._only.get(value, "")

    def places(self, value: str) -> Mapping[str, set[str]]:
        """The namespaces in which an id is met, each with the words for the place that stand beside it."""
        return self._places.get(value, {})


def place_word(name: str) -> str:
    """The name of a place without what is written in one way here and in another there.

    >>> place_word("St. Mary Hospital") == place_word("ST MARY  HOSPITAL")
    True
    """
    return re.sub(r"\W+", "", name).casefold()
