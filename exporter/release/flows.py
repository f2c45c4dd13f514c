"""The flow of a plan and of an export: who leaves at which step, drawn, counted, and listed with all reasons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from ..deidentify.facewords import IN_VIEW, NOT_EXCLUDED
from ..deidentify.marks import PIXELS
from ..pipeline import Plan
from ..plan.build import BY_A_PERSON
from ..plan.row import EXCLUSIONS_FILE, PlanRow
from ..qc.codes import MEANING
from ..select.decide import sentence_of
from ..select.flow import (
    BEFORE,
    COLUMNS,
    CRITERION,
    FAILED,
    HELD_BACK,
    NOT_IMAGES,
    NOT_NEEDED,
    PLANNED,
    RELEASED,
    RESENT,
    SET_ASIDE,
    UNFINISHED,
    UNSOUND,
    Flow,
    Item,
    Step,
    count_flow,
)  # fmt: skip
from ..tables import json_bytes, tsv_bytes
from ..trial import Trial
from ..trial.eligibility import REASON, Criterion
from .dataset import write_if_changed

IDENTIFIER_FOUND = "identifier-found"
"""Why a session is in quarantine in whose files something stood that may not leave."""

FLOW_FILES = ("flow.json", "flow.tsv", "flow.svg", "flow.png")
EXCLUSION_COLUMNS = (
    "stack_id", "subject", "session", "site", "series", "decision", "first_reason", "missing", "other_reasons",
    "sentence",
)  # fmt: skip
HELD = frozenset((IN_VIEW, NOT_EXCLUDED, PIXELS.keyword, IDENTIFIER_FOUND))
SENTENCES: Mapping[str, str] = {
    **MEANING,
    BY_A_PERSON: "a person decided so",
    "subject-conflict": "the images under one id may be of two people",
    "several-sessions": "the images of one stack belong to several sessions",
    IN_VIEW: "a head is in view",
    NOT_EXCLUDED: "the body part is not known, so a head may be in view",
    PIXELS.keyword: "text was detected in the pixels and no person has looked at it",
    IDENTIFIER_FOUND: "something that may not leave stood in the files of the session",
    "bids-metadata-missing": "keys that BIDS requires are not in the header",
    "no-gradients": "b-values or directions could not be told",
}
"""What the reasons of an export mean, in words that may leave; those of a plan are explained in select."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run came to, stack by stack.

    ``rows`` are those of the plan, with the final decision after an export (``is_exported``). ``others`` are further
    reasons by ``stack_id``, ``messages`` what is said of a stack in private, ``missing`` what was not known where a
    criterion could not be told.
    """

    plan: Plan
    rows: Sequence[PlanRow]
    is_exported: bool = False
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


def planned(plan: Plan) -> Ended:
    """A plan of which nothing is exported."""
    return Ended(plan, [p.row for p in plan.planned])


def flow_of(ended: Ended, trial: Trial) -> Flow:
    """The flow from the sources to the plan, and after an export to the tree."""
    reasons = {row.reason for row in ended.rows} | {aside.reason for aside in ended.plan.stacking.set_aside}
    sentences = {reason: SENTENCES.get(reason) or sentence_of(reason) for reason in reasons}
    steps = steps_of(trial.criteria, is_exported=ended.is_exported)
    return count_flow(_items(ended), steps, sentences, ended.plan.clinical.without_images)


def steps_of(criteria: Sequence[Criterion], *, is_exported: bool) -> tuple[Step, ...]:
    """The steps of a trial in their order."""

    def asked(after: str) -> Iterator[Step]:
        return (Step(c.reason, CRITERION, c.sentence, c.level, c.asks, after) for c in criteria if c.after == after)

    before = (*BEFORE, *asked("plan"), PLANNED)
    return (*before, FAILED, HELD_BACK, *asked("conversion"), UNFINISHED, RELEASED) if is_exported else before


def _items(ended: Ended) -> Iterator[Item]:
    """Every stack, and every series of which all instances were set aside."""
    stacked: set[str] = set()
    for row in ended.rows:
        series = tuple(row.series_uid.split(";"))
        stacked.update(series)
        step, is_out = _step(row, is_exported=ended.is_exported), _decision(row) != "keep"
        untold = is_out and row.reason.startswith(REASON) and _decision(row) == "quarantine"
        reason = row.reason if is_out else ""
        yield Item(row.subject, row.session, row.site, series, row.stack_id, step, reason, untold)
    left: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for aside in ended.plan.stacking.set_aside:
        uid = aside.instance.SeriesInstanceUID
        if uid not in stacked:
            visit = ended.plan.visits.of(aside.instance)
            left[visit.subject, visit.session, visit.site, uid].add(aside.reason)
    for (subject, session, site, uid), reasons in sorted(left.items()):
        yield Item(subject, session, site, (uid,), step=RESENT.id, reason=min(reasons))


def _decision(row: PlanRow) -> str:
    return row.final_decision or row.decision


def _step(row: PlanRow, *, is_exported: bool) -> str:
    """The step at which a stack leaves, "" where it stays."""
    if row.decision != "keep" or row.final_decision in ("exclude", "quarantine"):
        if row.reason.startswith(REASON):
            return row.reason
        if row.decision == "keep":
            return (HELD_BACK if row.reason in HELD else FAILED).id
        if row.reason == "not-an-image":
            return NOT_IMAGES.id
        if row.reason in MEANING:
            return UNSOUND.id
        return (NOT_NEEDED if row.decision == "exclude" else SET_ASIDE).id
    return UNFINISHED.id if is_exported and not row.final_decision else ""


def write_flow(folder: Path, flow: Flow, title: str, *others: Path) -> tuple[Path, ...]:
    """``flow.json``, ``flow.tsv``, ``flow.svg`` and ``flow.png``, and the same in ``others``; the same flow gives the
    same bytes."""
    from ..select.flowchart import flowchart  # matplotlib's fonts: only where a flow is drawn

    data = json_bytes(flow.to_json())
    places = [tuple(place / name for name in FLOW_FILES) for place in (folder, *others)]
    if stale := [paths for paths in places if not _is_there(paths, data, title)]:
        page = flowchart(flow, title)
        contents = (data, tsv_bytes(COLUMNS, flow.to_rows(), empty="n/a"), page.to_svg(), page.to_png())
        for paths in stale:
            for path, content in zip(paths, contents, strict=True):
                write_if_changed(path, content)
    return places[0]


def _is_there(paths: Sequence[Path], data: bytes, title: str) -> bool:
    """Whether this flow was drawn already: to draw it takes longer than to plan a small trial again."""
    if not all(path.is_file() for path in paths):
        return False
    return paths[0].read_bytes() == data and f">{escape(title)}<".encode() in paths[2].read_bytes()


def write_exclusions(work: Path, ended: Ended) -> Path:
    """The private list of every stack that is out: its first reason, all others, and what is said of it.

    ``missing`` names the values that were not known where the criterion of the first reason could not be told.
    """
    path = work / EXCLUSIONS_FILE
    others = {p.row.stack_id: p.others for p in ended.plan.planned} | dict(ended.others)
    messages = {p.row.stack_id: p.message for p in ended.plan.planned} | dict(ended.messages)
    missing = {p.row.stack_id: p.missing for p in ended.plan.planned} | dict(ended.missing)
    rows = [
        {
            "stack_id": row.stack_id,
            "subject": row.subject,
            "session": row.session,
            "site": row.site,
            "series": row.series_uid,
            "decision": _decision(row),
            "first_reason": row.reason,
            "missing": missing.get(row.stack_id, ""),
            "other_reasons": " ".join(others.get(row.stack_id, ())),
            "sentence": messages.get(row.stack_id) or SENTENCES.get(row.reason) or sentence_of(row.reason),
        }
        for row in ended.rows
        if _decision(row) != "keep"
    ]
    write_if_changed(path, tsv_bytes(EXCLUSION_COLUMNS, rows))
    return path
