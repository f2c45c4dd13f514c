"""Whose an instance is: subject, session and site, as the trial says they are found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from ..deidentify.pseudonyms import Pseudonyms
from ..inventory.instance import Instance
from ..inventory.moment import seconds_of_day
from ..trial import Trial
from .aliases import find_aliases
from .doubt import Doubt, find_doubt
from .labels import NO_ID, SiteLabels, SubjectLabels, session_labels
from .ledger import Ledger
from .lookups import bare, finder
from .namespaces import Namespaces
from .notice import Notice

__all__ = ["Notice", "Visit", "Visits", "find_visits"]

FAR_APART_S = 4 * 3600.0
"""Studies of one day that begin further apart than this may be two visits: before and after an intervention, say."""


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
class Visits:
    """Who every instance belongs to, by the instance's study and subject.

    ``conflicts`` maps a subject label to why its images are set aside, ``patient_ids`` the labels of a subject and a
    session to every PatientID that their images came under.
    """

    by_study: Mapping[tuple[str, str], Visit]
    notices: tuple[Notice, ...]
    conflicts: Mapping[str, str]
    subject_of: Callable[[Instance], str]
    session_of: Callable[[Instance], str]
    patient_ids: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def of(self, instance: Instance) -> Visit:
        """The visit of one instance."""
        return self.by_study[self.subject_of(instance), self.session_of(instance)]

    @property
    def all(self) -> tuple[Visit, ...]:
        """Every visit once, by subject and session."""
        return tuple(sorted(set(self.by_study.values()), key=lambda v: (v.subject, v.session)))


def find_visits(instances: Iterable[Instance], trial: Trial, pseudonyms: Pseudonyms, ledger: Ledger) -> Visits:
    """Subject, session and site of every instance.

    Labels once given stand in the ledger and never change; it gains those given here. Raises ``UsageError`` where two
    subjects would get one label, or a table cannot be used.
    """
    return _Finding(list(instances), trial, pseudonyms, ledger).run()


class _Finding:
    """One look at all instances: who each is of, then the label of everyone."""

    def __init__(self, rows: list[Instance], trial: Trial, pseudonyms: Pseudonyms, ledger: Ledger) -> None:
        self.rows, self.trial, self.pseudonyms, self.ledger = rows, trial, pseudonyms, ledger
        self.subject_value = finder(trial.subject, trial, "subject", "PatientID")
        self.session_value = finder(trial.session, trial, "session", "")
        site_value = finder(trial.site, trial, "site", "")
        self.namespaces = Namespaces(rows, self.subject_value, site_value)
        self.subjects = SubjectLabels(ledger, pseudonyms)
        self.aliases = find_aliases(trial.aliases, self.namespaces, self.subjects.identities)
        self.sites = SiteLabels(trial, site_value, pseudonyms, ledger)
        self.notices: list[Notice] = [*self._shared_ids(), *self.aliases.notices]
        self.conflicts: dict[str, str] = {}
        self.by_study: dict[tuple[str, str], Visit] = {}
        self.patient_ids: dict[tuple[str, str], tuple[str, ...]] = {}

    def run(self) -> Visits:
        groups: dict[str, dict[str, list[Instance]]] = defaultdict(lambda: defaultdict(list))
        for i in self.rows:
            groups[self.subject_key(i)][self.session_key(i)].append(i)
        for key in sorted(groups):
            self._add(key, groups[key])
        self.notices.extend(self.sites.notices)
        return Visits(
            self.by_study,
            tuple(self.notices),
            self.conflicts,
            self.subject_key,
            self.session_key,
            self.patient_ids,
        )

    def subject_key(self, i: Instance) -> str:
        """Namespace and id of the person, or the study where the header names nobody."""
        value = self.subject_value(i)
        if not value:
            return f"{NO_ID}\0{i.StudyInstanceUID}"
        return "\0".join(self.aliases.person((self.namespaces.of(value, i), value)))

    def session_key(self, i: Instance) -> str:
        """The trial's own word for the visit, or the day of the study."""
        return self.session_value(i) or i.StudyDate or i.StudyInstanceUID

    def _shared_ids(self) -> list[Notice]:
        """How many ids are used at several places, and are therefore taken as several people."""
        n = self.namespaces.n_shared
        if not n:
            return []
        sentence = f"{n} subject ids are used at several institutions and taken as different people;"
        return [Notice("C04", "warning", "", f"{sentence} where they are one, say so in a table of aliases")]

    def _add(self, key: str, sessions: Mapping[str, list[Instance]]) -> None:
        """One subject with all its sessions."""
        everyone = [i for members in sessions.values() for i in members]
        of_table = self.trial.subject.table is not None and not key.startswith(f"{NO_ID}\0")
        subject = self.subjects.of_table(key, self.trial.subject) if of_table else self.subjects.keyed(key)
        if key.startswith(f"{NO_ID}\0"):
            message = "no subject id in the header: the study is taken as the subject"
            self.notices.append(Notice("C09", "warning", subject, message))
        self._doubt(subject, everyone)
        site = self.sites.label(everyone)
        order = sorted(
            sessions, key=lambda k: (min((i.StudyDate or "99999999") for i in sessions[k]), _time(sessions[k]), k)
        )
        names = session_labels(order, key, self.ledger, rule=self.trial.session, pseudonyms=self.pseudonyms)
        first = min((i.StudyDate for i in everyone if i.StudyDate), default="")
        for session in order:
            members = sessions[session]
            date = min((i.StudyDate for i in members if i.StudyDate), default="")
            self.by_study[key, session] = Visit(subject, names[session], site, key, session, date, _days(first, date))
            ids = {bare(text) for text in {i.PatientID for i in members}}
            self.patient_ids[subject, names[session]] = tuple(sorted(ids - {""}))
            self._far_apart(subject, [i for i in members if not self.session_value(i)])

    def _doubt(self, subject: str, everyone: Sequence[Instance]) -> None:
        """Whether all images are of one person. What the trial says in its aliases goes before what names differ in."""
        doubt = find_doubt(everyone)
        if doubt is None:
            return
        own: dict[tuple[str, str], list[Instance]] = defaultdict(list)
        for i in everyone:
            own[self.namespaces.of(self.subject_value(i), i), self.subject_value(i)].append(i)
        worst = doubt if len(own) == 1 else next(filter(None, map(_two_people, own.values())), None)
        if worst is not None and worst.two_people:
            self.conflicts[subject] = worst.message
            self.notices.append(Notice("C04", "error", subject, worst.message))
        else:
            self.notices.append(Notice("C04", "warning", subject, doubt.message))

    def _far_apart(self, subject: str, members: Sequence[Instance]) -> None:
        """Studies of one day that only the day makes one session, though hours lie between them."""
        starts: dict[str, list[str]] = defaultdict(list)
        for study, time in {(i.StudyInstanceUID, i.StudyTime) for i in members if i.StudyTime}:
            starts[study].append(time)
        times = sorted(t for t in (seconds_of_day(min(times)) for times in starts.values()) if t is not None)
        gap = max((later - earlier for earlier, later in pairwise(times)), default=0.0)
        if gap > FAR_APART_S:
            message = (
                f"{len(times)} studies of one day, with {gap / 3600:.0f} hours between two of them, became one "
                "session; where they are two visits, name the visits in session of trial.yaml"
            )
            self.notices.append(Notice("C06", "warning", subject, message))


def _two_people(instances: Sequence[Instance]) -> Doubt | None:
    """The doubt that the images under one id are of one person, where it is too much."""
    doubt = find_doubt(instances)
    return doubt if doubt is not None and doubt.two_people else None


def _time(instances: list[Instance]) -> str:
    return min((i.StudyTime for i in instances if i.StudyTime), default="")


def _days(first: str, date: str) -> int | None:
    """Whole days between two DICOM dates, None where one is no date."""
    try:
        return (datetime.strptime(date[:8], "%Y%m%d") - datetime.strptime(first[:8], "%Y%m%d")).days
    except ValueError:
        return None
