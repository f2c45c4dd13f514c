"""One session made ready: its jobs, its clock, and its files in the staging folder before they enter the tree."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version

from ..annotations.consensus import Rule
from ..annotations.resolve import Placed
from ..annotations.voices import may_agree
from ..deidentify.dates import UNMOVED, parsed, shift_of
from ..deidentify.inspect import Leak, inspect_file
from ..deidentify.options import Options
from ..deidentify.pseudonyms import Pseudonyms
from ..deidentify.times import Clock, first_moment
from ..inventory.instance import Instance
from ..pipeline import Plan
from ..plan.build import Planned
from ..plan.visits import Visit
from ..qc.check import Finding
from ..qc.inspection.judged import inspection_findings
from ..qc.source import by_stack
from ..qc.verdict import is_waived, qc_sidecar
from ..tables import json_bytes
from ..trial import Trial
from . import dataset
from .guard import Guard
from .image import Image
from .job import Job, Outcome
from .kin import compared
from .said import said
from .second import SecondStep
from .session import UNFINISHED, Fragment, Sessions, StagedMasks, Written, fingerprint, result_of, write_scans, written


class Staging:
    """The sessions of a plan, each on its way to the tree.

    ``members`` holds all stacks of every visit, ``kept`` those that are to be exported.
    """

    def __init__(
        self,
        plan: Plan,
        trial: Trial,
        pseudonyms: Pseudonyms,
        sessions: Sessions,
        drawn: Mapping[Visit, Sequence[Placed]],
        options: Options,
        guard: Guard,
    ) -> None:
        self._work, self._pseudonyms, self._sessions, self._drawn = trial.work, pseudonyms, sessions, drawn
        consensus = trial.annotations.consensus
        self._rule: Rule | None = None if consensus == "none" else consensus
        self.options, self._guard, self._quality = options, guard, plan.quality
        self._tolerances = trial.qc.of_site
        self._inspected = by_stack(inspection_findings(trial.work))
        self._second = SecondStep(plan, trial.criteria)
        members: dict[Visit, list[Planned]] = defaultdict(list)
        for p in plan.planned:
            members[p.visit].append(p)
        self.members: Mapping[Visit, Sequence[Planned]] = members
        self.kept = {v: [p for p in m if p.row.decision == "keep"] for v, m in members.items()}

    def fingerprint(self, visit: Visit) -> str:
        """Names everything that the session's files depend on."""
        parts = [
            str(self.clock(visit)),
            version("trialbids"),
            version("dcm2niix"),
            self._pseudonyms.fingerprint,
            self.options.fingerprint,
            self._second.state(self.kept[visit]),
        ]
        for p in self.kept[visit]:
            parts.extend(self.options.marks.on(p.harmonised.stack))
            found = (*self._quality.of_stack(p.row.stack_id), *self._inspected.get(p.row.stack_id, ()))
            parts.extend(self._state_of(f) for f in found)
        parts.append(repr(sorted(self._tolerances(visit.site).items())))
        parts.extend(self._waived_before(visit))
        if drawn := self._drawn.get(visit):
            parts.extend(placed.fingerprint for placed in drawn)
            if may_agree(drawn):
                parts.append(str(self._rule))
        return fingerprint(self.kept[visit], parts)

    def _waived_before(self, visit: Visit) -> list[str]:
        """Which findings on the session's voxels, as they were when it was made last, are waived now."""
        fragment = self._sessions.known_one(visit.subject, visit.session)
        results = fragment.results if fragment is not None else ()
        found = {f.id: f for result in results for f in result.findings}
        return sorted(name for name, f in found.items() if is_waived(f, self._quality.waived))

    def _state_of(self, finding: Finding) -> str:
        """What a finding adds to the files of its session."""
        return f"{finding.id} {finding.digest} {is_waived(finding, self._quality.waived)}"

    def clock(self, visit: Visit) -> Clock:
        """The clock of a session: it begins with the first moment of all that was acquired in it."""
        shift = UNMOVED if self.options.keep_dates else shift_of(self._pseudonyms, visit.subject)
        day = parsed(visit.date)
        moved = shift.moved(day) if day is not None else None
        return Clock(first_moment(self._instances(visit)), moved, self.options.keep_times)

    def folders(self, visit: Visit) -> tuple[str, ...]:
        """The folders of the source that hold a session, or the archives that do."""
        return tuple(sorted({i.path.rpartition("/")[0] for i in self._instances(visit)}))

    def jobs(self, visit: Visit) -> list[Job]:
        """One unit of work a stack that is to be exported, the largest first."""
        clock = self.clock(visit)
        staging = self._sessions.staging(visit.subject, visit.session)
        largest_first = sorted(self.kept[visit], key=lambda p: -len(p.harmonised.stack.instances))
        shared = staging, self._work, clock, self._pseudonyms, self.options, self._guard.searches.rules
        tolerances = dict(self._tolerances(visit.site))
        return [
            Job(
                p,
                *shared,
                question=self._second.question(p),
                findings=self._quality.of_stack(p.row.stack_id),
                inspected=self._inspected.get(p.row.stack_id, ()),
                waived=self._quality.waived,
                tolerances=tolerances,
            )
            for p in largest_first
        ]

    def armed(self, job: Job) -> Job:
        """The job with what it is to search for."""
        return replace(job, searcher=self._guard.searches.of_subject(job.planned.visit.subject))

    def stage(self, visit: Visit, outcomes: Sequence[Outcome], value: str) -> Fragment:
        """The session-level files of a session whose stacks are all done, and what is to be remembered of it."""
        outcomes = compared(outcomes, self.kept[visit], self._quality, self._tolerances(visit.site))
        outcomes = self._second.judged(outcomes)
        images = tuple(sorted((o.image for o in outcomes if o.image is not None), key=lambda image: image.path))
        if not images:
            self._clear(visit)
        else:
            write_scans(self._sessions.staging(visit.subject, visit.session), visit, images)
            self._write_quality(outcomes)
        clock = self.clock(visit)
        masks = self._stage_masks(visit, images)
        return Fragment(
            visit=visit,
            fingerprint=UNFINISHED if any(fault.may_pass for fault in masks.faults) else value,
            said=said(self._instances(visit), weight=self.options.weight),
            acq_time=clock.stamp(0.0 if clock.start is not None else None),
            images=images,
            results=tuple(result_of(o) for o in sorted(outcomes, key=lambda o: o.stack_id)),
            masks=masks,
            folders=self.folders(visit),
            files=self._files(visit),
        )

    def _write_quality(self, outcomes: Sequence[Outcome]) -> None:
        """``*_qc.json`` beside every image: what its headers, its voxels and its siblings show."""
        for o in outcomes:
            if o.image is None:
                continue
            findings = (*self._quality.of_stack(o.stack_id), *o.findings)
            sidecar = qc_sidecar(o.verdict, findings, o.metrics, self._quality.waived)
            path = self._sessions.staged / (o.image.path.removesuffix(".nii.gz") + "_qc.json")
            path.write_bytes(json_bytes(sidecar))

    def _clear(self, visit: Visit) -> None:
        """Leave nothing of a session of which no image is released."""
        for part in dataset.PARTS:
            shutil.rmtree(self._sessions.staging(visit.subject, visit.session, part), ignore_errors=True)

    def leaks(self, fragment: Fragment) -> tuple[Leak, ...]:
        """What stands in the files of a staged session that no worker has written, and may not leave."""
        by_workers = (f"{dataset.SOURCEDATA}/", *(image.path.removesuffix(".nii.gz") for image in fragment.images))
        searches = self._guard.searches
        own = searches.of_subject(fragment.visit.subject)
        return tuple(
            leak
            for path in (file.path for file in fragment.files)
            if not path.startswith(by_workers) or path.endswith("_qc.json")
            for leak in inspect_file(
                self._sessions.staged,
                path,
                searches.everybody if path.startswith(dataset.ANNOTATIONS) else own,  # people wrote their labels
                searches.rules,
            )
        )

    def _instances(self, visit: Visit) -> list[Instance]:
        return [i for p in self.members[visit] for i in p.harmonised.stack.instances]

    def _files(self, visit: Visit) -> tuple[Written, ...]:
        folders = [self._sessions.staging(visit.subject, visit.session, part) for part in dataset.PARTS]
        return tuple(file for folder in folders for file in written(folder, self._sessions.staged))

    def _stage_masks(self, visit: Visit, images: Sequence[Image]) -> StagedMasks:
        drawn = self._drawn.get(visit)
        if not drawn:
            return StagedMasks((), ())
        from .drawn.stage import stage_masks  # nibabel, which nothing else in this process needs

        folder = self._sessions.staging(visit.subject, visit.session, dataset.ANNOTATIONS)
        return stage_masks(folder, self.kept[visit], images, drawn, self._rule)
