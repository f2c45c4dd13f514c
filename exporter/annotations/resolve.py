"""From what a drawing says of its image to the stack that became it; another patient's image is never taken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..pipeline import Plan
from ..plan.build import Planned
from ..plan.visits import Visit
from .grid import MaskRefused
from .region import Drawing, Fault, ImageWords, Target

NOT_EXPORTED = "its image is not among the exported images: it is unknown, left out or in quarantine"
NAMES_NONE = "it does not name the image that it was drawn on"
OTHER_PATIENT = "the image is of another patient than this was drawn for"
OTHER_STUDY = "the image is of another study than this was drawn for"
OTHER_FRAME = "the image has another frame of reference than this was drawn in"


@dataclass(frozen=True, slots=True)
class Placed:
    """A drawing with the stacks (their ids) that may be its image; ``notes`` are what is to be said of it anyway."""

    drawing: Drawing
    stacks: tuple[str, ...]
    notes: tuple[Fault, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Names everything that its files depend on, but the images."""
        return f"{self.drawing.fingerprint} {self.stacks}"


@dataclass(frozen=True, slots=True)
class Assigned:
    """The drawings by the visit of their image, and those that have none."""

    by_visit: Mapping[Visit, Sequence[Placed]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


def assign(drawings: Iterable[Drawing], plan: Plan) -> Assigned:
    """Give every drawing to the visit of its image, in the drawings' order."""
    images = Images(plan)
    by_visit: dict[Visit, list[Placed]] = defaultdict(list)
    faults = []
    for drawing in drawings:
        try:
            found = images.of(drawing.target)
        except MaskRefused as refusal:
            faults.append(Fault(refusal.check, drawing.series_uid, f"{drawing.origin}: {refusal}"))
            continue
        notes = []
        if images.is_other_study(found, drawing.target):
            notes.append(Fault("C01", drawing.series_uid, f"{drawing.origin}: {OTHER_STUDY}", "warning"))
        by_visit[found[0].visit].append(Placed(drawing, tuple(p.row.stack_id for p in found), tuple(notes)))
    return Assigned(by_visit, tuple(faults))


class Images:
    """The images of a plan, found by UID or by words."""

    def __init__(self, plan: Plan) -> None:
        self._visits = plan.visits
        self._by_series: dict[str, list[Planned]] = defaultdict(list)
        self._by_instance: dict[str, list[Planned]] = defaultdict(list)
        self._of_visit: dict[Visit, list[Planned]] = defaultdict(list)
        for p in plan.planned:
            stack = p.harmonised.stack
            if p.row.decision != "keep" or not stack.is_image:
                continue
            self._of_visit[p.visit].append(p)
            for uid in stack.series_uids:
                self._by_series[uid].append(p)
            for uid in dict.fromkeys(i.SOPInstanceUID for i in stack.instances):
                self._by_instance[uid].append(p)

    def of(self, target: Target) -> Sequence[Planned]:
        """The stacks that may be the image, in the plan's order: all of one visit, at least one.

        Raises ``MaskRefused`` A01 where there is none, it is another patient's, or has another frame of reference.
        """
        found = self._found(target)
        if not found:
            names_one = target.series_uids or target.instances or target.words
            raise MaskRefused("A01", NOT_EXPORTED if names_one else NAMES_NONE)
        if not any(self._is_of(p, target) for p in found):
            raise MaskRefused("A01", OTHER_PATIENT)
        found = [p for p in found if self._is_of(p, target)]
        if len({p.visit for p in found}) > 1:
            raise MaskRefused("A01", f"{len(found)} images of several visits fit; name the visit")
        same = [p for p in found if _shares_frame(p, target.frame_of_reference)]
        if not same:
            raise MaskRefused("A01", OTHER_FRAME)
        return same

    def is_other_study(self, stacks: Sequence[Planned], target: Target) -> bool:
        """Whether a drawing's own study is none of its image's: it was saved elsewhere, or belongs elsewhere."""
        return bool(target.study) and all(p.harmonised.stack.first.StudyInstanceUID != target.study for p in stacks)

    def _found(self, target: Target) -> list[Planned]:
        if target.words is not None:
            return self._said(target.words)
        by_series = [p for uid in target.series_uids for p in self._by_series.get(uid, ())]
        if not target.instances:
            return by_series
        counts: dict[str, int] = defaultdict(int)
        holders: dict[str, Planned] = {}
        for uid in target.instances:
            for p in self._by_instance.get(uid, ()):
                counts[p.row.stack_id] += 1
                holders[p.row.stack_id] = p
        most = max(counts.values(), default=0)
        found = [holders[stack] for stack, n in counts.items() if n == most]
        if not found or not by_series:
            return found or by_series
        return [p for p in found if p in by_series]

    def _said(self, words: ImageWords) -> list[Planned]:
        of_subject = [v for v in self._visits.all if words.subject in self._ids(v)]
        if len({v.subject for v in of_subject}) > 1:
            raise MaskRefused("A01", "the subject's id is used at several sites; name the image by series_uid")
        visits = [v for v in of_subject if not words.visit or _is_visit(words.visit, v, of_subject)]
        found = [p for v in visits for p in self._of_visit.get(v, ()) if words.term.matches(p.row.record)]
        return sorted(found, key=lambda p: p.row.bids_path)

    def _is_of(self, p: Planned, target: Target) -> bool:
        """Whether the image is of the person that whoever drew on it names, and whose object the drawing is."""
        if target.owner and target.owner != p.visit.subject_key:
            return False
        return not target.subject or target.subject in self._ids(p.visit)

    def _ids(self, visit: Visit) -> set[str]:
        own = visit.subject_key.partition("\0")[2]
        return {own, *self._visits.patient_ids.get((visit.subject, visit.session), ())}


def _is_visit(word: str, visit: Visit, all_of_subject: Iterable[Visit]) -> bool:
    """Whether a word is the label of a visit, the trial's own word for it, or its number in the order of the dates."""
    if word.casefold() in (visit.session.casefold(), f"ses-{visit.session}".casefold(), visit.session_key.casefold()):
        return True
    order = sorted(all_of_subject, key=lambda v: (v.date, v.session))
    return word.lstrip("0") == str(order.index(visit) + 1)


def _shares_frame(p: Planned, frame: str) -> bool:
    own = p.harmonised.stack.first.FrameOfReferenceUID
    return not frame or not own or own == frame
