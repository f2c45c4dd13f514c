"""What is searched for in a trial's tree: one searcher for each subject and one for everybody, made when needed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache, cached_property, lru_cache
from importlib.metadata import version

from ..deidentify.identifiers import Exempt, Identifier, Known, searcher_for, words_of
from ..deidentify.prose import QUALITY, keys_of, texts_of
from ..deidentify.search import Searcher
from ..deidentify.shapes import Rules

RECENT = 64
"""So many subjects' searchers are kept: a session's files are looked at soon after each other."""

WRITERS = (
    *(
        "release/dataset.py",
        "release/phenotype.py",
        "release/page.py",
        "release/caveats.py",
        "release/certificate.py",
        "release/certify.py",
    ),
    *("release/summary.py", "release/curated.py", "qc/inspection/estimate.py", "qc/inspection/verdicts.py"),
    *("qc/verdict.py", "qc/metricnames.py", *QUALITY),
    *("release/drawn/labelmaps.py", "release/drawn/tables.py", "release/drawn/files.py"),
    *("select/decide.py", "deidentify/options.py"),
    *("select/flow.py", "select/flowchart.py", "release/flows.py"),
)
"""The modules whose texts stand in a tree: a name that is made of their words alone cannot be told from them."""


class Searches:
    """The searchers of a trial. To name what is searched for (``searched``) takes no searcher, so that a run over a
    large trial in which nothing has changed makes none.
    """

    def __init__(self, known: Known, exempt: Exempt | None = None, rules: Rules | None = None) -> None:
        self.known, self.exempt, self.rules = known, exempt or Exempt(), rules or Rules()
        self.of_subject = lru_cache(RECENT)(self._of_subject)

    def _of_subject(self, subject: str) -> Searcher:
        """The subject's own identifiers, and in texts those of all staff and places."""
        return searcher_for(self.known.of_subject(subject), self.exempt, shared=self._shared)

    @cached_property
    def _shared(self) -> Searcher:
        return searcher_for(self.known.shared, self.exempt, in_bytes=False)

    @cached_property
    def everybody(self) -> Searcher:
        """All identifiers of the trial."""
        return searcher_for(self.known.everybody, self.exempt)

    def searched(self, subject: str) -> str:
        """Names what is searched for in a subject's files (or, for "", in those of the whole tree), and by which rules
        and program, without giving it away.

        Staff and places are not named for a subject, and labels that the trial gave for nobody: a new name on the staff
        of one site must not have every file of every site read again. The stand-alone proof reads them all.
        """
        return _digest(self._base, self.known.of_subject(subject) if subject else self.known.everybody)

    @cached_property
    def counted(self) -> str:
        """Names what is searched for in all files, with the words that are not: the counts depend on both."""
        return _digest("\0".join([self.searched(""), *sorted(self.exempt.words)]), ())

    @cached_property
    def _base(self) -> str:
        rules = self.rules
        accepted = sorted((k, sorted(v)) for k, v in rules.accepted.items())
        forms = (accepted, sorted(rules.allowed.keys), rules.keep_dates, rules.sourcedata)
        exempt = (sorted(self.exempt.kinds), sorted(self.exempt.forms))
        return repr((version("trialbids"), forms, exempt))


def _digest(base: str, identifiers: Iterable[Identifier]) -> str:
    parts = [base, *(f"{i.kind}\0{i.value}" for i in sorted(identifiers))]
    return hashlib.sha256("\1".join(parts).encode("utf-8", "backslashreplace")).hexdigest()


def searches_of(
    known: Known,
    given: Iterable[str] = (),
    *,
    keep_dates: bool = False,
    device: bool = False,
    forms: Iterable[str] = (),
    rules: Rules | None = None,
) -> Searches:
    """The searches of a trial that gave the labels ``given`` (subjects, sessions, sites, its name, clinical levels).

    ``forms`` of identifiers are not searched for.
    """
    kinds = {kind for kind, is_kept in (("date", keep_dates), ("device", device)) if is_kept}
    return Searches(known, Exempt(words_of(given) | own_words(), frozenset(kinds), frozenset(forms)), rules)


@cache
def own_words() -> frozenset[str]:
    """The words of all texts that trialbids can write into a tree, read from its own source."""
    keys = (key.replace("_", " ") for module in WRITERS for key in keys_of(module))
    spoken = (word for text in (*(t for m in WRITERS for t in texts_of(m)), *keys) for word in text.split())
    return words_of(word for word in spoken if not any(c.isdigit() for c in word))
