"""The labels of subjects, sessions and sites: given once, pinned in the ledger, never given to another."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain, count

from ..deidentify.pseudonyms import Pseudonyms
from ..errors import UsageError
from ..inventory.instance import Instance
from ..trial import Lookup, SiteRule, Trial
from .ledger import Ledger
from .lookups import Finder
from .notice import Notice

NO_ID = "study"
"""The namespace of subjects whose header names none: the study's UID is taken for one."""

SITE_CHARACTERS = range(5, 27)
"""25 bits tell the sites of a trial apart; where two meet, the later one gets a longer label."""

VISIT_WORD = re.compile(
    r"(?i:(v|visit|ses|session|t|tp|timepoint|baseline|base|bl|screening|screen|scr|followup|fu|pre|post|early|late|end|eot|"
    r"cycle|c|day|d|week|wk|w|month|mo|m|year|yr|y|preop|postop|pretreatment|posttreatment|treatment|response|surgery)?"
    r"\d{0,3}[a-d]?)"
)
"""What names a visit and nobody: other words of a tag or path leave as a keyed label."""


class SubjectLabels:
    """Subject labels. A keyed one belongs to one subject for ever; one of the trial's own table is the trial's to give.

    ``key`` is everywhere a subject's namespace and id, with a null character between them.
    """

    def __init__(self, ledger: Ledger, pseudonyms: Pseudonyms) -> None:
        self._ledger, self._pseudonyms = ledger, pseudonyms
        self._owner = {label.casefold(): key for key, label in ledger.given("subject", "").items()}

    @property
    def identities(self) -> frozenset[tuple[str, str]]:
        """Everybody who has a keyed label: namespace and id."""
        parts = (key.partition("\0") for key in self._owner.values())
        return frozenset((namespace, identity) for namespace, _, identity in parts if namespace != NO_ID)

    def key_of(self, label: str) -> str | None:
        """Whose a label is, None where nobody has it."""
        return self._owner.get(label.casefold())

    def keyed(self, key: str) -> str:
        """The keyed label of a subject, pinned. Raises ``UsageError`` where it is another's."""
        namespace, _, identity = key.partition("\0")
        label = self._pseudonyms.label("subject", namespace, identity)
        self._own(key, label)
        self._ledger.give("subject", "", key, label)
        return label

    def of_table(self, key: str, rule: Lookup) -> str:
        """The label that the trial's own table gives, which is the subject's id here.

        Raises ``UsageError`` where it is no label, or another's.
        """
        label = key.partition("\0")[2]
        if not re.fullmatch(r"[0-9A-Za-z]+", label):
            raise UsageError(f"{rule.table}: column {rule.column}: a label holds letters and digits only")
        self._own(key, label)
        return label

    def _own(self, key: str, label: str) -> None:
        if self._owner.setdefault(label.casefold(), key) != key:
            raise UsageError(
                f"two subjects would get the label sub-{label}; give them labels of their own in subject.table, or "
                "say in the table of aliases that they are one person"
            )


def session_labels(
    order: Iterable[str], subject_key: str, ledger: Ledger, *, rule: Lookup, pseudonyms: Pseudonyms
) -> dict[str, str]:
    """One label a session: the trial's own word, or a number in the order of the dates; labels once given stay."""
    explicit = any((rule.tag, rule.path, rule.table))
    labels = {}
    for key in order:
        word = re.sub(r"[^0-9A-Za-z]", "", key) if explicit else ""
        if word and rule.table is None and not VISIT_WORD.fullmatch(word):
            word = keyed_session(key, pseudonyms)
        numbers = (f"{n:02d}" for n in count(1))
        labels[key] = ledger.first_free("session", subject_key, key, chain([word] if word else [], numbers))
    return labels


def keyed_session(key: str, pseudonyms: Pseudonyms) -> str:
    """The label of a session whose own word might name somebody."""
    return pseudonyms.label("session", "", key, 6)


class SiteLabels:
    """Site labels, and the warnings about how they were found."""

    def __init__(self, trial: Trial, value: Finder, pseudonyms: Pseudonyms, ledger: Ledger) -> None:
        self._rule: SiteRule = trial.site
        self._value, self._pseudonyms, self._ledger = value, pseudonyms, ledger
        self._guessed = False

    def label(self, instances: list[Instance]) -> str:
        """The site of a subject. Raises ``UsageError`` where the trial's own table holds something that is no label."""
        rule = self._rule
        if rule.value is not None:
            return rule.value
        words = sorted({self._value(i) for i in instances} - {""})
        if words and rule.table is not None:
            if not re.fullmatch(r"[0-9A-Za-z]+", words[0]):
                raise UsageError(f"{rule.table}: column {rule.column}: a site label holds letters and digits only")
            return words[0]
        if not words:
            self._guessed = True
            first = min(instances, key=lambda i: (i.InstitutionName == "", i.StudyDate, i.key))
            words = [
                first.InstitutionName
                or "\0".join((first.StationName, first.DeviceSerialNumber, first.ManufacturerModelName))
            ]
        word = re.sub(r"\s+", " ", words[0]).casefold()
        candidates = ("S" + self._pseudonyms.label("site", "", word, n) for n in SITE_CHARACTERS)
        return self._ledger.first_free("site", "", word, candidates)

    @property
    def notices(self) -> list[Notice]:
        """Whether sites had to be guessed."""
        if not self._guessed:
            return []
        sentence = "no site was found: it is a keyed label of the institution, or of the device where none is named"
        return [Notice("C04", "warning", "", sentence)]
