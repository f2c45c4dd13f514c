"""Everything by which a trial's people are known: collected, kept privately between runs, made into searches."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from operator import attrgetter
from pathlib import Path

from trialbids.mappings.fields import allow_list
from trialbids.mappings.identifiers import identifier_rules
from trialbids.mappings.names import name_rules
from trialbids.mappings.vocabulary import vocabulary

from ..inventory.instance import Instance
from ..inventory.pairs import split
from ..tables import read_tsv, tsv_bytes, write_private
from .forms import Forms, forms_of, words
from .search import Searcher

IDENTIFIERS_FILE = "identifiers.tsv"
COLUMNS = ("subject", "kind", "value")
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")

TOO_SHORT, TOO_COMMON = "too short", "too common"


@dataclass(frozen=True, slots=True, order=True)
class Identifier:
    """One thing by which somebody is known: a kind of ``identifiers.yaml``, and its value as it was written."""

    kind: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Exempt:
    """What is no identifier in one trial: ``words`` (folded) of labels that it gave itself and of texts that trialbids
    writes, ``kinds`` that it lets leave on purpose (``device`` and ``date``, by its options), and ``forms`` that a
    person has looked at and knows to be none.
    """

    words: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    forms: frozenset[str] = frozenset()


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """The folded words of some texts, each text also run together."""
    return frozenset(word for text in texts for word in (*words(text), "".join(words(text))))


@dataclass(frozen=True, slots=True)
class Known:
    """All identifiers of a trial, by the label of the subject in whose source they were found. Private."""

    subjects: Mapping[str, frozenset[Identifier]] = field(default_factory=dict, repr=False)

    def merged(self, other: Known) -> Known:
        """With those of another run: what was once known is searched for although its source is gone."""
        labels = sorted({*self.subjects, *other.subjects})
        none: frozenset[Identifier] = frozenset()
        return Known({label: self.subjects.get(label, none) | other.subjects.get(label, none) for label in labels})

    def of_subject(self, subject: str) -> frozenset[Identifier]:
        """Those that were met in one subject's source."""
        return self.subjects.get(subject, frozenset())

    @property
    def shared(self) -> frozenset[Identifier]:
        """Staff, institutions and devices, wherever they were met."""
        kinds = identifier_rules().kinds
        return frozenset(i for found in self.subjects.values() for i in found if kinds[i.kind].whom != "subject")

    @property
    def everybody(self) -> frozenset[Identifier]:
        """All of them."""
        return frozenset(i for found in self.subjects.values() for i in found)


def identifiers_of(instances: Iterable[Instance], extra: Iterable[str] = ()) -> frozenset[Identifier]:
    """What the headers of these instances say, and ``extra`` ids from the trial's own tables and paths."""
    kinds = identifier_rules().kinds
    joined: set[str] = set()
    uids: set[str] = set()
    for instance in instances:
        joined.add(instance.identities)
        uids.update(getattr(instance, name) for name in UIDS)
    found = {Identifier(kind, value) for text in joined for kind, value in split(text) if kind in kinds}
    found |= {Identifier("uid", uid) for uid in uids if uid}
    return frozenset(found | {Identifier("trial_id", value) for value in extra if value})


def write_identifiers(work: Path, known: Known) -> None:
    """Keep the identifiers in the private work folder (mode 0600)."""
    rows = [
        {"subject": subject, "kind": identifier.kind, "value": identifier.value}
        for subject, found in sorted(known.subjects.items())
        for identifier in sorted(found)
    ]
    write_private(work / IDENTIFIERS_FILE, tsv_bytes(COLUMNS, rows))


def read_identifiers(work: Path) -> Known:
    """What earlier runs knew; nothing where there was none. Raises ``OSError`` and ``ValueError``."""
    path = work / IDENTIFIERS_FILE
    if not path.exists():
        return Known()
    kinds = identifier_rules().kinds
    found: dict[str, set[Identifier]] = {}
    for row in read_tsv(path):
        if row["kind"] in kinds:
            found.setdefault(row["subject"], set()).add(Identifier(row["kind"], row["value"]))
    return Known({subject: frozenset(values) for subject, values in found.items()})


def searcher_for(
    identifiers: Iterable[Identifier],
    exempt: Exempt | None = None,
    *,
    in_bytes: bool = True,
    shared: Searcher | None = None,
) -> Searcher:
    """A search for all forms of these identifiers; without ``in_bytes`` in texts alone. ``shared`` is searched with it.

    What cannot be searched for is counted by kind and reason in ``Searcher.unsearched``.
    """
    exempt = exempt or Exempt()
    common = _common(exempt.words)
    texts: dict[str, str] = {}
    uids: dict[str, str] = {}
    literals: dict[str, str] = {}
    unsearched: Counter[tuple[str, str]] = Counter()
    for identifier in sorted((i for i in identifiers if i.kind not in exempt.kinds), key=attrgetter("kind", "value")):
        forms, reason = _searchable(identifier, common)
        if exempt.forms:
            forms = Forms(forms.words - exempt.forms, forms.literals - exempt.forms, forms.uids - exempt.forms)
        if reason:
            unsearched[identifier.kind, reason] += 1
        texts.update(dict.fromkeys(forms.words, identifier.kind))
        uids.update(dict.fromkeys(forms.uids, identifier.kind))
        if in_bytes:
            literals.update(dict.fromkeys(forms.literals, identifier.kind))
    counts = tuple(sorted((*k, n) for k, n in unsearched.items()))
    return Searcher(texts, uids, tuple(sorted(literals.items())), counts, shared)


@lru_cache(maxsize=4)
def _common(more: frozenset[str]) -> frozenset[str]:
    return common_words() | more


@lru_cache(maxsize=65536)
def _forms(form: str, value: str, common: frozenset[str]) -> Forms:
    return forms_of(form, value, common)


def _searchable(identifier: Identifier, common: frozenset[str]) -> tuple[Forms, str]:
    """The forms of an identifier that are not common, and why there are none ("" where there are)."""
    form = identifier_rules().kinds[identifier.kind].form
    if form != "uid" and all(w in common or len(w) == 1 for w in words(identifier.value)):
        return Forms(), TOO_COMMON if forms_of(form, identifier.value) else TOO_SHORT
    forms = _forms(form, identifier.value, common)
    if forms:
        return forms, ""
    return forms, TOO_COMMON if forms_of(form, identifier.value) else TOO_SHORT


@cache
def common_words() -> frozenset[str]:
    """Folded words that tell nobody: our vocabularies, allow-listed words and patterns, BIDS keys and names."""
    rules = allow_list()
    texts: list[str] = [*rules.keys, *identifier_rules().common]
    for listed in rules.fields:
        texts += [*listed.words, listed.keyword]
        texts += [word for p in listed.patterns for word in re.findall(r"[A-Za-z]{3,}", p.pattern)]
    for attribute, entry in vocabulary().items():
        texts += [attribute, *entry.values]
    names = name_rules()
    texts += [
        *names.pulse_sequences.values(),
        *(word for n in names.sequences.values() for word in (n.suffix, n.datatype)),
    ]
    return words_of(texts)
