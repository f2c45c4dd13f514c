"""One SEG, RTSTRUCT or SR object among the sources: its parts as drawings under labels of the dictionary."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trialbids.mappings.labels import Label

from ..inventory.instance import Instance
from ..pipeline import Plan
from ..plan.build import Planned
from ..stacks.reasons import SENTENCES
from ..trial.annotations import Annotations
from .objects import MEASURED, Facts, Part, state_of
from .objectshapes import ObjectShape
from .readers import Readers
from .region import Drawing, Fault, Marked, Region, Target


@dataclass(frozen=True, slots=True)
class _Named:
    """A part with its label; ``is_counted`` where its number is only its place in the object's order."""

    part: Part
    label: Label
    lesion: int | None = None
    is_counted: bool = False


@dataclass(frozen=True, slots=True)
class DrawnObject:
    """One object on its way to drawings."""

    planned: Planned
    instance: Instance
    facts: Facts
    plan: Plan
    config: Annotations
    readers: Readers

    def drawings(self, faults: list[Fault]) -> list[Drawing]:
        """Its segments, structures and points; what cannot be taken is added to ``faults``."""
        doubt = self.planned.harmonised.stack.doubt
        problem = self.facts.problem or (SENTENCES[doubt] if doubt else "")
        if problem:
            check = "C01" if doubt else "F03"
            faults.append(self._fault(check, f"object {self.instance.SOPInstanceUID}: {problem}"))
            return []
        named = list(self._named(faults))
        regions = [self._region(one) for one in named if not one.part.points]
        is_map = len(regions) > 1 and not self.facts.is_fraction
        source = self.instance.SOPInstanceUID if is_map else ""
        points = [point for one in named for point in self._points(one)]
        return [*(replace(region, source=source) for region in regions), *points]

    def measurements(self) -> Iterator[Mapping[str, str]]:
        """The rows of a report, as they stand in the private ``measurements.tsv``."""
        visit = self.planned.visit
        for values in self.facts.measurements:
            yield {
                "subject": visit.subject,
                "session": visit.session,
                "reader": self.readers.code(self.facts.creator),
                **dict(zip(MEASURED, values, strict=True)),
                "report_uid": self.instance.SOPInstanceUID,
            }

    def _named(self, faults: list[Fault]) -> Iterator[_Named]:
        """The parts that have a label, told apart by number where one label stands for several."""
        found: dict[str, list[_Named]] = defaultdict(list)
        for part in self.facts.parts:
            meant = _meant(part, self.config)
            if meant is None:
                faults.append(self._fault("A03", f"{self._origin(part)}: {_unknown(part)}"))
            else:
                found[meant[0].name].append(_Named(part, *meant))
        for name, parts in found.items():
            if len(parts) == 1 or parts[0].label.several:
                yield from _numbered(parts)
                continue
            sentence = f"{len(parts)} parts of the object mean {name}; give each a label of its own in trial.yaml"
            faults += [self._fault("A03", f"{self._origin(one.part)}: {sentence}") for one in parts]

    def _region(self, one: _Named) -> Region:
        return Region(
            **self._common(one),
            shape=ObjectShape(self.instance, one.part.number),
            kind="fraction" if self.facts.is_fraction else "binary",
            is_own_number=one.is_counted,
            state=f"{state_of(self.instance)} {one.part.number}",
            value=one.part.number,
        )

    def _points(self, one: _Named) -> Iterator[Marked]:
        for number, point in enumerate(one.part.points, start=1):
            lesion = number if len(one.part.points) > 1 else one.lesion
            yield Marked(**self._common(replace(one, lesion=lesion)), low=point, state=repr(point))

    def _common(self, one: _Named) -> dict[str, Any]:
        i, part = self.instance, one.part
        algorithm = part.algorithm if part.method == "automatic" else ""
        return {
            "origin": self._origin(part),
            "rank": (f"{i.StudyDate} {i.SeriesNumber or 0:06d} {i.SOPInstanceUID}", part.number),
            "target": Target(
                series_uids=part.series,
                instances=frozenset(part.instances),
                owner=self.plan.visits.subject_of(i),
                study=i.StudyInstanceUID,
                frame_of_reference=part.frame_of_reference,
            ),
            "label": one.label,
            "said": part.said,
            "lesion": one.lesion,
            "reader": self.readers.code(algorithm or part.reader or self.facts.creator),
            "method": part.method,
        }

    def _origin(self, part: Part) -> str:
        return f"segment {part.number} of the object {self.instance.SOPInstanceUID}"

    def _fault(self, check: str, message: str) -> Fault:
        return Fault(check, self.instance.SeriesInstanceUID, message, "warning")


def _meant(part: Part, config: Annotations) -> tuple[Label, int | None] | None:
    """The label of a part: by the trial's own words, then by its code, then by the shipped words; never by a guess."""
    labels = config.dictionary
    own = config.own_words.said(part.said)
    if own is not None:
        return labels.by_name[own[0].name], own[1]
    coded, said = labels.coded(part.scheme, part.code), labels.said(part.said)
    if coded is None or (said is not None and said[0].name == coded.name):
        return said
    return coded, None


def _unknown(part: Part) -> str:
    code = f" and its code {part.scheme} {part.code} are" if part.code else " is"
    return (
        f"its label '{part.said}'{code} not in the dictionary, so it is left out; to let it leave, say which label it "
        f"is in trial.yaml, such as annotations: {{labels: {{lesion: {{match: ['{part.said}']}}}}}}"
    )


def _numbered(parts: Sequence[_Named]) -> Sequence[_Named]:
    """Parts of one label told apart by number: their own, else the first free ones in the object's order."""
    if len(parts) == 1:
        return parts
    taken = {one.lesion for one in parts}
    free = (n for n in range(1, 2 * len(parts) + 1) if n not in taken)
    return [one if one.lesion is not None else replace(one, lesion=next(free), is_counted=True) for one in parts]
