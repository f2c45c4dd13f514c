"""Edits put onto harmonised stacks: what a person has decided goes before what the rules say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from trialbids.mappings.record import Record, parse_cell
from trialbids.mappings.vocabulary import vocabulary

from ..harmonise import Harmonised
from ..harmonise.facts import record_bvalues
from ..harmonise.record import PART_FREE, WITH_BVALUES
from ..plan.build import SEVERAL_SESSIONS, in_several_sessions
from ..plan.visits import Visits
from ..select.decide import EDIT, hindrance
from .edits import Edit, in_force
from .values import DECISION


@dataclass(frozen=True, slots=True)
class Refused:
    """An edit that cannot be, and why: the tool's own answer stands."""

    edit: Edit
    why: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The stacks with all edits applied.

    ``decided`` holds the decisions of a person and ``edited`` the names of what a person decided, both by stack.
    ``gone`` are edits for stacks that the inventory does not hold at present: they are kept for when it does.
    """

    harmonised: tuple[Harmonised, ...] = ()
    decided: Mapping[str, str] = field(default_factory=dict)
    edited: Mapping[str, str] = field(default_factory=dict)
    gone: tuple[Edit, ...] = ()
    refused: tuple[Refused, ...] = ()
    applied: int = 0


def review(harmonised: Sequence[Harmonised], edits: Sequence[Edit], visits: Visits) -> Reviewed:
    """Apply the edits in force. One that would make an impossible record or decision is listed, not applied."""
    given = in_force(edits)
    done: list[Harmonised] = []
    decided: dict[str, str] = {}
    edited: dict[str, str] = {}
    refused: list[Refused] = []
    applied = 0
    for h in harmonised:
        mine = given.pop(h.stack.stack_id, {})
        if not mine:
            done.append(h)
            continue
        changed, wrong = _with_edits(h, mine, visits)
        done.append(changed)
        refused.extend(wrong)
        good = [name for name in mine if not any(r.edit.attribute == name for r in wrong)]
        applied += len(good)
        edited[h.stack.stack_id] = " ".join(good)
        if DECISION in good:
            decided[h.stack.stack_id] = mine[DECISION].new
    gone = tuple(e for by_name in given.values() for e in by_name.values())
    return Reviewed(tuple(done), decided, edited, gone, tuple(refused), applied)


def standing(edits: Sequence[Edit], reviewed: Reviewed) -> list[Edit]:
    """The edits in force, without those that could not be applied."""
    refused = {r.edit for r in reviewed.refused}
    return [e for by_name in in_force(edits).values() for e in by_name.values() if e not in refused]


def _with_edits(h: Harmonised, edits: Mapping[str, Edit], visits: Visits) -> tuple[Harmonised, list[Refused]]:
    """One stack as its edits say, and the edits that cannot be."""
    words = {name: e.new for name, e in edits.items() if name != DECISION}
    changed = with_words(h, words)
    why = impossible(changed, words) if words else ""
    refused = [Refused(e, why) for name, e in edits.items() if why and name != DECISION]
    if why:
        changed = h
    decision = edits.get(DECISION)
    if decision is not None and decision.new == "keep":
        hindered = hindrance(changed) or (SEVERAL_SESSIONS if in_several_sessions(changed, visits) else "")
        if hindered:
            refused.append(Refused(decision, f"this stack cannot be kept: {hindered}"))
    return changed, refused


def with_words(h: Harmonised, words: Mapping[str, str]) -> Harmonised:
    """The stack with some attributes of its record replaced; what follows from another ``sequence`` is set too.

    ``words`` are cells of the plan. Raises ``ValueError`` where one is outside the vocabulary.
    """
    if not words or not h.stack.is_image:
        return h
    values = {name: _parsed(name, cell) for name, cell in words.items()}
    sequence = values.get("sequence")
    if sequence is not None:
        values["confidence"] = 1.0
        values.setdefault("bvalues", record_bvalues(h.stack, "weighted") if sequence in WITH_BVALUES else ())
        if sequence in PART_FREE:
            values.setdefault("part", "mag")
    record = h.record.but(**values)
    return replace(h, record=record.but(evidence=_evidence(h, record)))


def _parsed(name: str, cell: str) -> object:
    kind = vocabulary()[name].kind
    if cell == "":
        return {"word": "", "words": (), "numbers": ()}.get(kind)
    return parse_cell(name, cell, kind)


def _evidence(h: Harmonised, record: Record) -> tuple[str, ...]:
    """The rules that still have what they voted for, and the mark of a person."""
    rules = {e.rule for e in h.evidence if any(_stands(getattr(record, a), v) for a, v in e.votes)}
    return (*sorted(rules), EDIT)


def _stands(value: object, voted: str) -> bool:
    return voted in value if isinstance(value, tuple) else value == voted


@dataclass(frozen=True, slots=True)
class Bar:
    """One way in which an edited record cannot be, with the sentence that says so."""

    message: str
    applies: Callable[[Harmonised, Mapping[str, str]], bool]


BARS: tuple[Bar, ...] = (
    Bar(
        "the object holds no image, so it has no record; only its decision can be edited",
        lambda h, words: not h.stack.is_image,
    ),
    Bar(
        "CT and PET are images of such scanners and of no other; this one is {modality}",
        lambda h, words: bool(
            "sequence" in words
            and h.stack.first.Modality in ("MR", "CT", "PT")
            and {"CT": "CT", "PET": "PT"}.get(h.record.sequence, h.stack.first.Modality) != h.stack.first.Modality
        ),
    ),
    Bar(
        "DWI needs a b-value for every volume, and this header holds none; `trace` and the maps need none",
        lambda h, words: "sequence" in words and h.record.sequence == "DWI" and not h.stack.bvalues,
    ),
    Bar(
        "a DCE is a series of phases: give phase_index too, or write T1w with a phase_name",
        lambda h, words: bool(
            words.keys() & {"sequence", "phase_index"} and h.record.sequence == "DCE" and h.record.phase_index is None
        ),
    ),
    Bar(
        "b-values belong to DWI and trace only; empty the cell, or edit sequence too",
        lambda h, words: bool("bvalues" in words and h.record.bvalues) and h.record.sequence not in WITH_BVALUES,
    ),
    Bar(
        "this stack has {volumes} volume(s); give one b-value for each",
        lambda h, words: bool("bvalues" in words and h.record.bvalues) and len(h.record.bvalues) != h.stack.n_volumes,
    ),
)


def impossible(h: Harmonised, words: Mapping[str, str]) -> str:
    """Why the edited record of a stack cannot be, as a sentence; "" where it can. ``words`` are the edited cells."""
    for bar in BARS:
        if bar.applies(h, words):
            return bar.message.format(modality=h.stack.first.Modality, volumes=h.stack.n_volumes)
    return ""
