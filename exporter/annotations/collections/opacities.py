"""RSNA's boxes on the one chest radiograph of each patient."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trialbids.mappings.labels import Labels

from ...clinical.collections.rsna import Opacity, read_rsna
from ...inventory.instance import Instance
from ...pipeline import Plan
from ..files import state_of
from ..readers import Readers
from ..region import Fault, Marked, Target
from .drawn import Drawn, labelled

OPACITY = "opacity"


def draw_rsna(path: Path, plan: Plan, labels: Labels, readers: Readers) -> Drawn:
    """The boxes of ``stage_2_train_labels.csv``, numbered within their patient; who drew each is not told: one reader.

    Raises ``UsageError`` where the file is not of the form; a box whose patient has no image, or several, is a fault.
    """
    images = _images(plan)
    drawings: list[Marked] = []
    said = read_rsna(path)
    faults = [Fault("F03", "", f"{path.name} {remark}") for remark in said.remarks]
    for box, number in _numbered(said.boxes):
        found = images.get(box.patient, [])
        if len(found) != 1:
            what = "no image" if not found else f"{len(found)} images, of which one cannot be chosen"
            faults.append(Fault("A01", "", f"{path.name} line {box.line}: the patient has {what}"))
            continue
        drawings.append(
            Marked(
                origin=f"{path.name} line {box.line}",
                rank=(str(path), box.line),
                target=Target(
                    series_uids=(found[0].SeriesInstanceUID,),
                    instances=frozenset({found[0].SOPInstanceUID}),
                    subject=box.patient,
                ),
                **labelled(labels, OPACITY),
                lesion=number,
                reader=readers.code("RSNA readers"),
                method="manual",
                state=f"{box} {state_of(path)}",
                low=(box.x, box.y, 0),
                high=(box.x + box.width - 1, box.y + box.height - 1, 0),  # x counts columns, width how many
                sop_uid=found[0].SOPInstanceUID,
            )
        )
    return Drawn(tuple(drawings), tuple(faults))


def _numbered(boxes: tuple[Opacity, ...]) -> Iterator[tuple[Opacity, int]]:
    """Every box with its number among those of its patient."""
    seen: dict[str, int] = {}
    for box in boxes:
        seen[box.patient] = seen.get(box.patient, 0) + 1
        yield box, seen[box.patient]


def _images(plan: Plan) -> dict[str, list[Instance]]:
    """The instances of every subject by its id."""
    found: dict[str, list[Instance]] = {}
    for planned in plan.planned:
        visit = planned.visit
        names = {visit.subject_key.partition("\0")[2], *plan.visits.patient_ids.get((visit.subject, visit.session), ())}
        for name in names:
            found.setdefault(name, []).extend(planned.harmonised.stack.instances)
    return found
