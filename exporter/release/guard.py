"""What a trial's tree may hold, and what is searched for in it: put together for an export, remembered for a proof."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from trialbids.mappings.fields import AllowList, Field, allow_list
from trialbids.mappings.labels import Label, shipped_labels
from trialbids.mappings.protocol import Protocol
from trialbids.mappings.protocolfile import load_protocol, protocol_names

from ..clinical.rows import NOTHING, ClinicalRows
from ..deidentify.identifiers import (
    IDENTIFIERS_FILE,
    Identifier,
    Known,
    identifiers_of,
    read_identifiers,
    searcher_for,
    write_identifiers,
)
from ..deidentify.marks import Marks
from ..deidentify.options import NOT_CLAIMED, Options, options_of
from ..deidentify.shapes import Rules
from ..errors import UsageError
from ..pipeline import Plan
from ..plan.visits import Visit
from ..qc.protocol.check import protocol_of
from ..tables import json_bytes, write_private
from ..trial import Trial
from ..trial.eligibility import Criterion
from . import dataset
from .searches import Searches, searches_of

TERMS_FILE = "terms.json"
_JOINTS = re.compile(r"[_-]|(?<=[^\W\d_])(?=[\d])|(?<=[a-zß-ÿ])(?=[A-ZÀ-Þ])")
"""Between words that are written together, as names of columns are."""


NAMING = ("patient_name", "birth_date")
"""Kinds of identifiers that no label may be, even one that the trial itself gave."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What of a trial's configuration decides how its tree is to be judged.

    ``given`` are words that the trial itself gave (labels, levels, its name), ``added`` and ``dropped`` the changes of
    the allow-list, ``accepted`` the pairs of field and value that a person let out, ``told`` what it says of clinical
    columns, ``text_columns`` those that may hold free text, ``criteria`` the reason and sentence of each criterion.
    Private.
    """

    given: tuple[str, ...] = field(default=(), repr=False)
    keep_dates: bool = False
    device: bool = False
    added: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    dropped: tuple[str, ...] = ()
    accepted: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    sourcedata: bool = False
    told: tuple[str, ...] = field(default=(), repr=False)
    text_columns: tuple[str, ...] = ()
    criteria: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Terms:
        """The inverse of ``asdict``. Raises ``KeyError``, ``TypeError`` or ``ValueError`` where it is not one."""
        return cls(
            given=tuple(values["given"]),
            keep_dates=values["keep_dates"],
            device=values["device"],
            added=tuple((keyword, action, tuple(words)) for keyword, action, words in values["added"]),
            dropped=tuple(values["dropped"]),
            accepted=tuple((keyword, value) for keyword, value in values["accepted"]),
            sourcedata=values["sourcedata"],
            told=tuple(values.get("told", ())),
            text_columns=tuple(values.get("text_columns", ())),
            criteria=tuple((reason, sentence) for reason, sentence in values.get("criteria", ())),
        )

    @property
    def rules(self) -> Rules:
        """What the tree may hold."""
        accepted: dict[str, set[str]] = defaultdict(set)
        for keyword, value in self.accepted:
            accepted[keyword].add(value)
        return Rules(
            self._allowed,
            {k: frozenset(v) for k, v in accepted.items()},
            self.keep_dates,
            sourcedata=self.sourcedata,
            told=frozenset(self.told),
            text_columns=frozenset(self.text_columns),
            criteria=dict(self.criteria),
        )

    @property
    def _allowed(self) -> AllowList:
        rules = allow_list()
        added = [Field(keyword, "", action, keyword, 1.0, frozenset(words)) for keyword, action, words in self.added]
        return rules.changed(add=[*added, *(rules.device if self.device else ())], drop=self.dropped)


def terms_of(
    trial: Trial,
    options: Options,
    visits: Iterable[Visit],
    known: Known,
    clinical: ClinicalRows = NOTHING,
    labels: Iterable[Label] = (),
) -> Terms:
    """The terms of a trial with these visits; a label that is a name or a birth date is searched for all the same.

    ``labels`` are those of the dictionary under which something drawn leaves.
    """
    given = {word for v in visits for word in (v.subject, v.session, v.site)} | {trial.trial}
    people = searcher_for((i for i in known.everybody if i.kind in NAMING), in_bytes=False)
    given = {word for word in given if not people.in_text(word)}
    given |= {code.value for code in (*options.claims(defaced=True), *NOT_CLAIMED)}
    given |= {date.today().isoformat(), *dataset.release_days(trial.output)}
    columns = clinical.described.values()
    given |= {word for column in columns for word in (column.name, *column.levels)}
    given |= {table.name for table in clinical.phenotype}
    given |= {word for word in _words_of_labels(labels) if word in _shipped_words() or not people.in_text(word)}
    told = {text for c in columns for text in (c.description, c.unit, *c.missing, *c.levels.values())}
    told |= {table.description for table in clinical.phenotype}
    told |= {slot.slot for slot in protocol_of(trial).slots}
    return Terms(
        tuple(sorted(given)),
        options.keep_dates,
        options.device,
        tuple((f.keyword, f.action, f.words) for f in trial.fields.add),
        tuple(trial.fields.drop),
        tuple(sorted(options.marks.accepted)),
        options.sourcedata,
        tuple(sorted(told - {""})),
        tuple(sorted(column.name for column in columns if column.kind == "text")),
        tuple((c.reason, c.sentence) for c in trial.criteria),
    )


def _words_of_labels(labels: Iterable[Label]) -> set[str]:
    return {word for label in labels for word in (label.name, label.meaning)} - {""}


@cache
def _shipped_words() -> frozenset[str]:
    """Words of the shipped dictionary: none of them says whose an image is, even where somebody bears it as a name."""
    labels = shipped_labels().values()
    return frozenset((*_words_of_labels(labels), *(label.code for label in labels)))


class Guard:
    """What is searched for in the tree of one trial, with the terms that decide it."""

    def __init__(self, known: Known, terms: Terms) -> None:
        self.terms = terms
        self.searches = searches_of(
            known,
            terms.given,
            keep_dates=terms.keep_dates,
            device=terms.device,
            forms=Marks(frozenset(terms.accepted)).forms,
            rules=terms.rules,
        )


def known_of(plan: Plan, work: Path) -> Known:
    """Everything by which the people of a plan are known, and those of earlier runs.

    Raises ``UsageError`` where what is remembered cannot be read.
    """
    found: dict[str, set[Identifier]] = defaultdict(set)
    for p in plan.planned:
        own_id = p.visit.subject_key.partition("\0")[2]
        found[p.visit.subject] |= identifiers_of(p.harmonised.stack.instances, [own_id])
    for aside in plan.stacking.set_aside:
        found[plan.visits.of(aside.instance).subject] |= identifiers_of([aside.instance])
    return Known({subject: frozenset(those) for subject, those in found.items()}).merged(remembered_identifiers(work))


def _spelled(text: str) -> str:
    """A text, and behind it the words that are written together in it.

    >>> _spelled("GruenwedelMarker_2")
    'GruenwedelMarker_2 Gruenwedel Marker 2'
    """
    apart = _JOINTS.sub(" ", text)
    return text if apart == text else f"{text} {apart}"


def refuse_named_rules(rules: Iterable[str], searches: Searches) -> None:
    """Refuse ids of a site's own rules that hold an identifier of anybody: they leave as evidence with every image.

    Raises ``UsageError``; the id itself is not repeated.
    """
    for number, name in enumerate(rules, start=1):
        if searches.everybody.in_text(name):
            raise UsageError(f"rules: the id of rule {number} of the site's own holds a known identifier; rename it")


def refuse_named_criteria(criteria: Iterable[Criterion], searches: Searches) -> None:
    """Refuse ids and sentences of criteria that hold an identifier of anybody: they leave with the flow.

    Raises ``UsageError``; what was found is not repeated.
    """
    for criterion in criteria:
        texts = {"id": _spelled(criterion.id), "sentence": _spelled(criterion.sentence)}
        for name, text in texts.items():
            if searches.everybody.in_text(text):
                place = criterion.place if name == "sentence" else criterion.place.rpartition(" ")[0]
                raise UsageError(f"{place}: its {name} holds a known identifier, and it leaves; reword it")


def refuse_named_columns(clinical: ClinicalRows, known: Known) -> None:
    """Refuse names of columns and tables, and levels, of clinical tables by which somebody is known: they leave.

    A level may be a word that is somebody's address or number elsewhere, but nobody's name or birth date. Raises
    ``UsageError``; what was found is not repeated.
    """
    anybody = searcher_for(known.everybody, in_bytes=False)
    people = searcher_for((i for i in known.everybody if i.kind in NAMING), in_bytes=False)
    for number, table in enumerate(clinical.phenotype, start=1):
        if anybody.in_text(_spelled(table.name)):
            raise UsageError(f"clinical: the name of phenotype table {number} holds a known identifier; rename it")
    for number, column in enumerate(clinical.described.values(), start=1):
        if anybody.in_text(_spelled(column.name)):
            raise UsageError(
                f"clinical: the name of column {number} holds a known identifier, and it leaves; rename it"
            )
        if any(people.in_text(_spelled(level)) for level in column.levels):
            recode = "leave the column out, or recode it"
            raise UsageError(f"clinical: column {column.name}: one of its levels is somebody's name; {recode}")


def refuse_named_slots(protocol: Protocol, known: Known) -> None:
    """Refuse a protocol whose slots are named after anybody: their names leave with every image that fills them.

    Raises ``UsageError``; the name itself is not repeated.
    """
    anybody = searcher_for(known.everybody, in_bytes=False)
    for number, slot in enumerate(protocol.slots, start=1):
        if slot.slot not in _own_slots() and anybody.in_text(_spelled(slot.slot)):
            raise UsageError(f"protocol: the name of slot {number} holds a known identifier, and it leaves; rename it")


@cache
def _own_slots() -> frozenset[str]:
    return frozenset(slot.slot for name in protocol_names() for slot in load_protocol(name).slots)


def refuse_named_in(plan: Plan, trial: Trial) -> None:
    """As :func:`refuse_named_criteria` and :func:`refuse_named_slots`, for a plan of which nothing is written yet.

    Raises ``UsageError``.
    """
    protocol = protocol_of(trial)
    if trial.criteria or protocol.slots:
        known = known_of(plan, trial.work)
        terms = terms_of(trial, options_of(trial), plan.visits.all, known, plan.clinical)
        refuse_named_criteria(trial.criteria, Guard(known, terms).searches)
        refuse_named_slots(protocol, known)


def identifier_test(known: Known) -> Callable[[str], bool]:
    """Tells whether a text is, or holds, a known identifier."""
    searcher = cache(lambda: searcher_for(known.everybody, in_bytes=False))
    return lambda text: bool(searcher().in_text(text))


def remember(work: Path, known: Known, terms: Terms) -> None:
    """Keep in the private work folder what a later proof needs."""
    write_identifiers(work, known)
    write_private(work / TERMS_FILE, json_bytes(asdict(terms)))


def remembered_guard(work: Path) -> Guard:
    """The guard of the last export. Raises ``UsageError`` where there was none, or it cannot be read."""
    path = work / TERMS_FILE
    try:
        terms = Terms.from_json(json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise UsageError(f"{work}: nothing was exported from here; give the work folder of the export") from error
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: is damaged; run the export again") from error
    return Guard(remembered_identifiers(work), terms)


def remembered_identifiers(work: Path) -> Known:
    """The identifiers that earlier runs have met. Raises ``UsageError`` where the list of them cannot be read."""
    try:
        return read_identifiers(work)
    except (OSError, ValueError, KeyError) as error:
        sentence = "the list of identifiers is damaged; put back a copy of it, or delete it and export again"
        raise UsageError(f"{work / IDENTIFIERS_FILE}: {sentence}") from error
