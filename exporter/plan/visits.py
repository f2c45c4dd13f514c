"""Whose an instance is: subject, session and site, as the trial says they are found."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, combinations, count
from pathlib import Path

from ..deidentify.pseudonyms import Pseudonyms
from ..errors import UsageError
from ..inventory.instance import Instance
from ..tables import read_table
from ..trial import Lookup, Trial
from .ledger import Ledger

VISIT_WORD = re.compile(
    r"(?i:(v|visit|ses|session|t|tp|timepoint|baseline|base|bl|screening|screen|scr|followup|fu|pre|post|early|late|end|eot|"
    r"cycle|c|day|d|week|wk|w|month|mo|m|year|yr|y|preop|postop|pretreatment|posttreatment|treatment|response|surgery)?"
    r"\d{0,3}[a-d]?)"
)
"""What names a visit and nobody: other words of a tag or path leave as a keyed label."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One subject's one session, with everything that names it in private and in public.

    ``subject`` and ``session`` are BIDS labels; ``subject_key`` and ``session_key`` are what they stand for; ``date``
    is the earliest study date (YYYYMMDD, "" where there is none); ``day`` counts from the subject's first session.
    """

    subject: str
    session: str
    site: str
    subject_key: str
    session_key: str
    date: str
    day: int | None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a subject that a person should know: a check's code, a severity and a sentence."""

    check: str
    severity: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Visits:
    """Who every instance belongs to, by the instance's study and subject.

    ``conflicts`` maps a subject label to why its images are set aside.
    """

    by_study: Mapping[tuple[str, str], Visit]
    notices: tuple[Notice, ...]
    conflicts: Mapping[str, str]
    subject_of: Callable[[Instance], str]
    session_of: Callable[[Instance], str]

    def of(self, instance: Instance) -> Visit:
        """The visit of one instance."""
        return self.by_study[self.subject_of(instance), self.session_of(instance)]

    @property
    def all(self) -> tuple[Visit, ...]:
        """Every visit once, by subject and session."""
        return tuple(sorted(set(self.by_study.values()), key=lambda v: (v.subject, v.session)))


def find_visits(instances: Iterable[Instance], trial: Trial, pseudonyms: Pseudonyms, ledger: Ledger) -> Visits:
    """Subject, session and site of every instance.

    Session labels once given stand in the ledger and never change; it gains those given here. Raises ``UsageError``
    where two subjects would get one label or a table lacks a column.
    """
    rows = list(instances)
    subject_value = _finder(trial.subject, trial, "subject", "PatientID")
    session_value = _finder(trial.session, trial, "session", "")
    site_value = _finder(trial.site, trial, "site", "")

    namespaces = _Namespaces(rows, subject_value, site_value)

    def subject_key(i: Instance) -> str:
        value = subject_value(i)
        return f"{namespaces.of(value, i)}\0{value}" if value else f"study\0{i.StudyInstanceUID}"

    def session_key(i: Instance) -> str:
        return session_value(i) or i.StudyDate or i.StudyInstanceUID

    groups: dict[str, dict[str, list[Instance]]] = defaultdict(lambda: defaultdict(list))
    for i in rows:
        groups[subject_key(i)][session_key(i)].append(i)

    notices = list(namespaces.notices)
    conflicts: dict[str, str] = {}
    by_study: dict[tuple[str, str], Visit] = {}
    labels: dict[str, str] = {}
    sites = _Sites(trial, site_value, pseudonyms)
    for s_key in sorted(groups):
        sessions = groups[s_key]
        everyone = [i for members in sessions.values() for i in members]
        subject = _subject_label(trial, s_key, pseudonyms)
        if labels.setdefault(subject.casefold(), s_key) != s_key:
            raise UsageError(
                f"two subjects would get the label sub-{subject}; give them labels of their own in subject.table"
            )
        if s_key.startswith("study\0"):
            notices.append(
                Notice("C09", "warning", subject, "no subject id in the header: the study is taken as the subject")
            )
        doubt = _doubt(everyone)
        if doubt is not None:
            notices.append(Notice("C04", "error" if doubt.two_people else "warning", subject, doubt.message))
            if doubt.two_people:
                conflicts[subject] = doubt.message
        site = sites.label(everyone)
        order = sorted(
            sessions, key=lambda k: (min((i.StudyDate or "99999999") for i in sessions[k]), _time(sessions[k]), k)
        )
        names = _session_labels(order, s_key, ledger, rule=trial.session, pseudonyms=pseudonyms)
        first = min((i.StudyDate for i in everyone if i.StudyDate), default="")
        for key in order:
            date = min((i.StudyDate for i in sessions[key] if i.StudyDate), default="")
            by_study[s_key, key] = Visit(subject, names[key], site, s_key, key, date, _days(first, date))
    notices.extend(sites.notices)
    return Visits(by_study, tuple(notices), conflicts, subject_key, session_key)


def _finder(rule: Lookup, trial: Trial, group: str, default: str) -> Callable[[Instance], str]:
    """How to read one value of an instance, as the rule says."""
    if rule.path is not None:
        pattern = re.compile(rule.path)
        roots = [str(s.absolute()) for s in trial.sources]

        def by_path(i: Instance) -> str:
            found = pattern.search(_below(i, roots))
            return (found.group(group) or "") if found else ""

        return by_path
    if rule.table is not None and rule.by is not None and rule.column is not None:
        table = _lookup_table(rule.table, rule.by, rule.column)
        if group == "session" and not all(re.fullmatch(r"[0-9A-Za-z]{1,16}", word) for word in table.values()):
            sentence = "a session label holds letters and digits only, 16 at most"
            raise UsageError(f"{rule.table}: column {rule.column}: {sentence}")
        keyword = rule.by
        return lambda i: table.get(_cell(i, keyword), "")
    keyword = rule.tag or default
    return (lambda i: _cell(i, keyword)) if keyword else (lambda i: "")


def _cell(instance: Instance, keyword: str) -> str:
    value = getattr(instance, keyword)
    return " ".join(str(value if value is not None else "").split())


def _below(instance: Instance, roots: list[str]) -> str:
    """The path of an object below its source, with the member's inside an archive after it."""
    full = instance.path
    root = max((r for r in roots if full == r or full.startswith(r.rstrip("/") + "/")), key=len, default="")
    return "/".join(part for part in (full[len(root) :].lstrip("/"), instance.member) if part)


def _lookup_table(path: Path, by: str, column: str) -> dict[str, str]:
    rows = read_table(path)
    for name in (by, column):
        if rows and name not in rows[0]:
            raise UsageError(f"{path}: has no column {name}; its columns are {', '.join(rows[0])}")
    table: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        key = " ".join(row[by].split())
        if table.setdefault(key, row[column]) != row[column]:
            raise UsageError(f"{path}: line {number}: {by} stands twice with different values of {column}")
    return table


class _Namespaces:
    """What keeps two centres' "001" apart: the issuer of the id, the trial's site, or the institution.

    A study has one namespace, also where a series of it does not name the institution; a study that names none has
    that of the other studies under its id, if they agree.
    """

    def __init__(
        self, rows: Iterable[Instance], value: Callable[[Instance], str], site: Callable[[Instance], str]
    ) -> None:
        named: dict[str, dict[str, set[tuple[int, str]]]] = defaultdict(lambda: defaultdict(set))
        for i in rows:
            words = (i.IssuerOfPatientID, site(i), re.sub(r"\W+", "", i.InstitutionName).casefold())
            named[value(i)][i.StudyInstanceUID] |= {(rank, word) for rank, word in enumerate(words) if word}
        self._of = {
            (v, study): min(words)[1] for v, studies in named.items() for study, words in studies.items() if words
        }
        by_value: dict[str, set[str]] = defaultdict(set)
        for (v, _), word in self._of.items():
            by_value[v].add(word)
        self._only = {v: min(words) for v, words in by_value.items() if len(words) == 1}
        self._shared = sum(len(words) > 1 for v, words in by_value.items() if v)

    def of(self, value: str, instance: Instance) -> str:
        """The namespace of a subject's id in one study."""
        return self._of.get((value, instance.StudyInstanceUID)) or self._only.get(value, "")

    @property
    def notices(self) -> list[Notice]:
        """How many ids are used at several places, and are therefore taken as several people."""
        if not self._shared:
            return []
        sentence = f"{self._shared} subject ids are used at several institutions and taken as different people;"
        return [Notice("C04", "warning", "", f"{sentence} where they are one, give them one label in subject.table")]


def _subject_label(trial: Trial, key: str, pseudonyms: Pseudonyms) -> str:
    namespace, _, value = key.partition("\0")
    if trial.subject.table is not None and namespace != "study":
        if not re.fullmatch(r"[0-9A-Za-z]+", value):
            where = f"{trial.subject.table}: column {trial.subject.column}"
            raise UsageError(f"{where}: a label holds letters and digits only")
        return value
    return pseudonyms.label("subject", namespace, value)


def _session_labels(
    order: list[str], subject_key: str, ledger: Ledger, *, rule: Lookup, pseudonyms: Pseudonyms
) -> dict[str, str]:
    """One label a session: the trial's own word, or a number in the order of the dates; labels once given stay."""
    explicit = any((rule.tag, rule.path, rule.table))
    labels = {}
    for key in order:
        word = re.sub(r"[^0-9A-Za-z]", "", key) if explicit else ""
        if word and rule.table is None and not VISIT_WORD.fullmatch(word):
            word = pseudonyms.label("session", "", key, 6)
        numbers = (f"{n:02d}" for n in count(1))
        labels[key] = ledger.first_free("session", subject_key, key, chain([word] if word else [], numbers))
    return labels


class _Sites:
    """Site labels, and the warnings about how they were found."""

    def __init__(self, trial: Trial, value: Callable[[Instance], str], pseudonyms: Pseudonyms) -> None:
        self._trial, self._value, self._pseudonyms = trial, value, pseudonyms
        self._guessed = False

    def label(self, instances: list[Instance]) -> str:
        rule = self._trial.site
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
        return "S" + self._pseudonyms.label("site", "", re.sub(r"\s+", " ", words[0]).casefold(), 5)

    @property
    def notices(self) -> list[Notice]:
        if not self._guessed:
            return []
        sentence = "no site was found: it is a keyed label of the institution, or of the device where none is named"
        return [Notice("C04", "warning", "", sentence)]


@dataclass(frozen=True, slots=True)
class _Doubt:
    """What speaks against all images of a subject id being of one person; ``two_people`` where it is too much."""

    message: str
    two_people: bool


def _doubt(instances: list[Instance]) -> _Doubt | None:
    """One name with two birth dates is a slip to be mended; two names that only an id has in common are two people."""
    births = {i.PatientBirthDate for i in instances} - {""}
    sexes = {i.PatientSex for i in instances} & {"F", "M"}
    names = {frozenset(re.findall(r"\w+", i.PatientName.casefold())) for i in instances} - {frozenset()}
    other_names = any(not (one <= other or other <= one) for one, other in combinations(names, 2))
    strangers = any(not one & other for one, other in combinations(names, 2))
    told_apart = [f"{len(v)} {word}" for v, word in ((births, "birth dates"), (sexes, "sexes")) if len(v) > 1]
    two_people = (other_names or not names) if told_apart else (strangers and not births)
    if other_names:
        told_apart.insert(0, f"{len(names)} names")
    if not told_apart:
        return None
    return _Doubt(f"one subject id with {', '.join(told_apart)}: two people may share it", two_people)


def _time(instances: list[Instance]) -> str:
    return min((i.StudyTime for i in instances if i.StudyTime), default="")


def _days(first: str, date: str) -> int | None:
    """Whole days between two DICOM dates, None where one is no date."""
    try:
        return (datetime.strptime(date[:8], "%Y%m%d") - datetime.strptime(first[:8], "%Y%m%d")).days
    except ValueError:
        return None
