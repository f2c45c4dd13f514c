"""Harmonised stacks into the plan: decisions, names, and the ledger that pins them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from types import MappingProxyType
from typing import Protocol

from trialbids.mappings.names import entities_of, naming_of, run_label, stem

from ..harmonise import Harmonised
from ..inventory.instance import Instance
from ..select.copies import without_copies
from ..select.decide import Decision, decide, has_burned_in_text
from ..select.eligibility import Candidate, Eligibility, decided_by
from ..select.facts import read_stack
from ..select.projection import is_wanted, on_nominal_grid
from ..select.readable import names_read
from .ledger import Ledger
from .row import PlanRow
from .visits import Visit, Visits

NOTHING: Mapping[str, str] = MappingProxyType({})
BY_A_PERSON = "edit"
"""The reason of a decision that a person made."""

SEVERAL_SESSIONS = "the instances of this stack belong to several subjects or sessions"


@dataclass(frozen=True, slots=True)
class Planned:
    """One stack with its decision, its visit and its place in the tree.

    ``acquisition`` is the public word for the acquisition (``a01``); ``stem`` is the file name without extension.
    ``others`` are reasons of criteria beside that of the row, in the order of the criteria; ``missing`` names what is
    not known where the criterion of the row could not be told.
    """

    row: PlanRow
    harmonised: Harmonised
    visit: Visit
    acquisition: str = ""
    datatype: str = ""
    stem: str = ""
    message: str = ""
    others: tuple[str, ...] = ()
    missing: str = ""


EVERYBODY = Eligibility()


class Fault(Protocol):
    """What a check of headers found that blocks a stack: its code and a sentence."""

    @property
    def check(self) -> str: ...
    @property
    def message(self) -> str: ...


SOUND: Mapping[str, Fault] = MappingProxyType({})


def build_plan(
    harmonised: Sequence[Harmonised],
    visits: Visits,
    ledger: Ledger,
    keep: Collection[str],
    *,
    decided: Mapping[str, str] = NOTHING,
    edited: Mapping[str, str] = NOTHING,
    eligibility: Eligibility = EVERYBODY,
    blocked: Mapping[str, Fault] = SOUND,
    trusted: Collection[str] = (),
) -> tuple[Planned, ...]:
    """Decide on every stack and name those that are kept, in the order of acquisition.

    ``decided`` holds what a person has decided and ``edited`` what the plan says of a person's edits, both by
    ``stack_id``; ``blocked`` are the stacks that failed a check, which only a waiver overrules, ``trusted`` those whose
    doubt was waived. Criteria come last, and nobody's edit overrules them; names are given as if there were none, so
    that no criterion renames the images that stay. The ledger gains the labels given here; the same stacks and the same
    ledger give the same plan.
    """
    sessions: dict[Visit, list[Harmonised]] = defaultdict(list)
    for h in harmonised:
        sessions[visits.of(h.stack.first)].append(on_nominal_grid(h) if is_wanted(h, keep) else h)
    decisions: dict[Visit, list[tuple[Harmonised, Decision]]] = {}
    for visit in sorted(sessions, key=lambda v: (v.subject, v.session)):
        ordered = sorted(sessions[visit], key=_order)
        own = [
            checked(overruled(own_decision(h, visits, keep, trusted), decided.get(h.stack.stack_id)), blocked, h)
            for h in ordered
        ]
        own = without_copies(ordered, own, keep, decided)
        decisions[visit] = list(zip(ordered, own, strict=True))
    out = _out(decisions, eligibility, blocked)
    return tuple(
        _without(p, out[p.row.stack_id]) if p.row.stack_id in out else p
        for visit, items in decisions.items()
        for p in _name_session(visit, items, ledger, edited)
    )


def _out(
    decisions: Mapping[Visit, Sequence[tuple[Harmonised, Decision]]],
    eligibility: Eligibility,
    blocked: Mapping[str, Fault],
) -> dict[str, tuple[Decision, ...]]:
    """The decisions of the criteria that take a stack out, by ``stack_id``; stacks that all let pass are left out."""
    if not eligibility.criteria:
        return {}
    names = names_read(eligibility.criteria)
    candidates = [
        replace(candidate_of(h, visit, decision.decision == "keep", names), is_blocked=is_blocked(h, decision, blocked))
        for visit, items in decisions.items()
        for h, decision in items
    ]
    return decided_by(eligibility, candidates)


def candidate_of(h: Harmonised, visit: Visit, is_kept: bool, names: Collection[str]) -> Candidate:
    """A stack as criteria see it, with the values of these names."""
    return Candidate(
        stack_id=h.stack.stack_id,
        subject=visit.subject,
        session=visit.session,
        site=visit.site,
        series=h.stack.series_uids,
        is_kept=is_kept,
        record=h.record,
        day=visit.day,
        facts=read_stack(h.stack, h.record, names),
    )


def _without(planned: Planned, against: Sequence[Decision]) -> Planned:
    """A planned stack that criteria take out: the first reason counts, which is the tool's own where it had one."""
    if planned.row.decision != "keep":
        return replace(planned, others=tuple(d.reason for d in against))
    first, *others = against
    row = replace(planned.row, decision=first.decision, reason=first.reason, bids_path="")
    reasons = tuple(d.reason for d in others)
    return Planned(row, planned.harmonised, planned.visit, message=first.message, others=reasons, missing=first.missing)


def _order(h: Harmonised) -> tuple[object, ...]:
    """Order of acquisition; the stack's id settles what the header leaves open."""
    first = h.stack.first
    time = first.AcquisitionTime or first.SeriesTime or first.ContentTime
    number = first.SeriesNumber if first.SeriesNumber is not None else 1 << 30
    return first.StudyDate, number, h.stack.phase_index or 0, time, h.stack.stack_id


def own_decision(h: Harmonised, visits: Visits, keep: Collection[str], trusted: Collection[str] = ()) -> Decision:
    """What the tool itself decides on one stack; the doubt of a ``trusted`` one does not count."""
    visit = visits.of(h.stack.first)
    conflict = visits.conflicts.get(visit.subject)
    found = decide(h, keep)
    if found.reason and found.reason == h.stack.doubt and h.stack.stack_id in trusted:
        found = Decision("keep")
    if conflict and found.decision == "keep":
        return Decision("quarantine", "subject-conflict", conflict)
    if found.decision == "keep" and in_several_sessions(h, visits):
        return Decision("quarantine", "several-sessions", SEVERAL_SESSIONS)
    return found


def decision_among(
    h: Harmonised,
    everybody: Iterable[Harmonised],
    visits: Visits,
    keep: Collection[str],
    decided: Mapping[str, str] = NOTHING,
    blocked: Mapping[str, Fault] = SOUND,
) -> Decision:
    """What the tool itself decides on one stack beside the others of its session; the last two as for the plan."""
    own = checked(own_decision(h, visits, keep), blocked, h)
    if own.decision != "keep" or not h.record.derived:
        return own
    visit, me = visits.of(h.stack.first), h.stack.stack_id
    others = [o for o in everybody if o.stack.stack_id != me and visits.of(o.stack.first) == visit]
    decisions = [
        checked(overruled(own_decision(o, visits, keep), decided.get(o.stack.stack_id)), blocked, o) for o in others
    ]
    return without_copies([h, *others], [own, *decisions], keep, {k: v for k, v in decided.items() if k != me})[0]


def checked(decision: Decision, blocked: Mapping[str, Fault], h: Harmonised) -> Decision:
    """The decision, or quarantine where the stack would be kept and failed a check; the reason is the check's code."""
    fault = blocked.get(h.stack.stack_id)
    if fault is None or decision.decision != "keep":
        return decision
    return Decision("quarantine", fault.check, fault.message)


def is_blocked(h: Harmonised, decision: Decision, blocked: Mapping[str, Fault]) -> bool:
    """Whether a stack is out because it failed a check, and for nothing else."""
    fault = blocked.get(h.stack.stack_id)
    return fault is not None and decision.reason == fault.check


def in_several_sessions(h: Harmonised, visits: Visits) -> bool:
    """Whether the instances of one stack are not all of one subject and session."""
    return len({visits.of(i) for i in h.stack.instances}) > 1


def overruled(own: Decision, word: str | None) -> Decision:
    """The decision of a person where there is one."""
    if word is None or word == own.decision:
        return own
    return Decision(word) if word == "keep" else Decision(word, BY_A_PERSON, "a person decided so: see edits.tsv")


def kept_with_text(planned: Iterable[Planned]) -> tuple[Planned, ...]:
    """The stacks that a person keeps though their header says that text is burned into the pixels."""
    return tuple(p for p in planned if p.row.decision == "keep" and has_burned_in_text(p.harmonised))


def _name_session(
    visit: Visit, items: Iterable[tuple[Harmonised, Decision]], ledger: Ledger, edited: Mapping[str, str]
) -> Iterable[Planned]:
    named = []
    for h, decision in items:
        acquisition = datatype = name = ""
        if decision.decision == "keep":
            scope = f"{visit.subject_key}\0{visit.session_key}"
            words = (f"a{n:02d}" for n in count(1))
            acquisition = ledger.first_free("acquisition", scope, h.stack.acquisition_id, words)
            naming = naming_of(h.record)
            assert naming is not None, "a sequence without a name is never kept"
            datatype = naming.datatype
            name = _stem(h, visit, ledger)
        named.append((h, decision, acquisition, datatype, name))
    return [
        Planned(
            row=PlanRow(
                stack_id=h.stack.stack_id,
                acquisition_id=h.stack.acquisition_id,
                series_uid=";".join(h.stack.series_uids),
                n_instances=len(h.stack.instances),
                subject=visit.subject,
                session=visit.session,
                site=visit.site,
                decision=decision.decision,
                reason=decision.reason,
                bids_path=f"sub-{visit.subject}/ses-{visit.session}/{datatype}/{name}.nii.gz" if name else "",
                record=h.record,
                edited=edited.get(h.stack.stack_id, ""),
                description=h.stack.first.SeriesDescription.replace('"', "'"),
            ),
            harmonised=h,
            visit=visit,
            acquisition=acquisition,
            datatype=datatype,
            stem=name,
            message=decision.message,
        )
        for h, decision, acquisition, datatype, name in named
    ]


def _stem(h: Harmonised, visit: Visit, ledger: Ledger) -> str:
    """The file name: what the image is, told apart by ``run`` from the second of a kind on; in a DCE run is phase."""
    naming = naming_of(h.record)
    assert naming is not None, "a sequence without a name is never kept"
    scope = f"{visit.subject_key}\0{visit.session_key}"
    who = {"sub": visit.subject, "ses": visit.session}
    entities = {**who, **entities_of(h.record)}
    plain = stem(entities, naming.suffix)
    runs = (stem({**entities, "run": run_label(n)}, naming.suffix) for n in count(2))
    candidates = chain([plain], runs)
    if h.record.sequence == "DCE" and h.record.phase_index is not None:
        scan = int(ledger.first_free("scan", f"{scope}\0{plain}", h.stack.acquisition_id, map(str, count(1))))
        entities |= entities_of(h.record, scan=scan)
        runs = (stem({**entities, "run": run_label(n)}, naming.suffix) for n in count(h.record.phase_index))
        candidates = runs
    return ledger.first_free("image", scope, f"{plain}\0{h.stack.stack_id}", candidates)


def instances_of(planned: Sequence[Planned]) -> Iterable[Instance]:
    """Every instance of the planned stacks."""
    for p in planned:
        yield from p.harmonised.stack.instances
