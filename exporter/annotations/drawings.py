"""Everything that was drawn in a trial, whatever it lies in: the seam between annotations' sources and the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trialbids.mappings.labels import Label

from ..inventory.instance import Instance
from ..pipeline import Plan
from ..plan.build import Planned
from ..trial.annotations import Annotations
from .drawnobject import DrawnObject
from .objects import MEASURED, Objects, is_annotation
from .readers import READERS_FILE, Readers
from .region import Drawing, Fault
from .table import read_drawings

MEASUREMENT_COLUMNS = ("subject", "session", "reader", *MEASURED, "report_uid")
"""Of ``measurements.tsv`` in the private work folder."""


@dataclass(frozen=True, slots=True)
class Drawings:
    """All drawings in their order, what could not be taken, and the measurements of reports (which never leave)."""

    all: tuple[Drawing, ...] = ()
    faults: tuple[Fault, ...] = ()
    measurements: tuple[Mapping[str, str], ...] = ()

    @property
    def labels(self) -> frozenset[Label]:
        """The labels of the dictionary under which something leaves."""
        return frozenset(d.label for d in self.all if d.is_listed)


def drawings_of(config: Annotations, plan: Plan, work: Path) -> Drawings:
    """Read the trial's table, its collections and the objects among its sources.

    Codes of readers, and what is known of the objects, stay in the private work folder. Raises ``UsageError`` where a
    table cannot be used.
    """
    readers = Readers(work / READERS_FILE)
    found: list[Drawing] = []
    if config.table is not None:
        found += read_drawings(config.table, config.dictionary, readers)
    faults: list[Fault] = []
    if config.collections:
        from .collections import draw_collections  # nibabel, which few trials need this early

        drawn = draw_collections(config.collections, plan, config.dictionary, readers)
        found += drawn.drawings
        faults += drawn.faults
    measurements: list[Mapping[str, str]] = []
    if config.objects:
        objects = Objects(work)
        for planned, instance in _objects_in(plan):
            one = DrawnObject(planned, instance, objects.facts(instance), plan, config, readers)
            found += one.drawings(faults)
            measurements += one.measurements()
        objects.write()
    readers.write()
    return Drawings(tuple(sorted(found, key=lambda d: d.rank)), tuple(faults), tuple(measurements))


def _objects_in(plan: Plan) -> Iterator[tuple[Planned, Instance]]:
    """The annotation objects among the stacks that are no images, in the plan's order."""
    for p in plan.planned:
        if not p.harmonised.stack.is_image:
            for instance in p.harmonised.stack.instances:
                if is_annotation(instance) and instance.frame <= 1:
                    yield p, instance
