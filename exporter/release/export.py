"""The export of a plan: stacks as units of work, sessions staged and committed by rename, tables merged at the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path

from ..annotations.drawings import drawings_of
from ..annotations.region import Fault
from ..annotations.resolve import assign
from ..clinical.rows import ClinicalRows
from ..deidentify.dates import UNMOVED, Shift, shift_of
from ..deidentify.inspect import Leak
from ..deidentify.marks import MARKS_FILE, in_force, read_marks
from ..deidentify.options import options_of
from ..deidentify.pseudonyms import Pseudonyms
from ..engine import Engine
from ..errors import UsageError
from ..pipeline import Plan, clinical_of, site_rule_ids
from ..places import hold
from ..plan.row import PlanRow, write_plan
from ..plan.visits import Visit
from ..progress import Progress
from ..qc.check import ERROR, Finding
from ..qc.inspection.estimate import Inspection
from ..qc.ledger.merge import Run
from ..qc.ledger.record import Recorded, check_ledger, record_cycle
from ..qc.protocol.check import protocol_of
from ..qc.verdict import is_waived
from ..select.flow import Flow
from ..trial import Trial
from . import dataset
from .cards import drop_stale_card
from .cleared import cleared
from .commit import clear_leftovers, commit, predicted_parts, sessions_in, withdraw
from .curated import Inspected, curated_of, inspected, looked_at, write_curated
from .flows import IDENTIFIER_FOUND, Ended, flow_of, write_exclusions, write_flow
from .guard import (
    Guard,
    identifier_test,
    known_of,
    refuse_named_columns,
    refuse_named_criteria,
    refuse_named_rules,
    refuse_named_slots,
    remember,
    terms_of,
)
from .held import Closed, Held
from .issues import STEPS, export_issues, present_in, unlooked_of, unseen_of
from .job import Outcome, lost_job, run_job
from .linkage import write_linkage
from .parsimony import account, write_parsimony
from .people import coarser, people
from .phenotype import write_phenotype
from .private import Failure, Private, write_private
from .proof import Release, prove
from .quality import judged_images, with_release
from .session import (
    UNFINISHED,
    Fragment,
    Sessions,
)
from .staging import Staging
from .summary import Changed, Summary, measure_tree, summarise
from .together import Splits, read_splits, release_findings
from .unpack import Unpacked
from .verify import State, leaks_by_kind, read_leaks, read_states, session_of


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did: the counts, what this run changed, the sessions that failed, the final plan, the flow, and
    the cycle of checks that it was; ``errors`` are those of the release as a whole that nobody has waived,
    ``inspection`` is what people saw in a sample."""

    summary: Summary
    run: Changed
    failures: tuple[Failure, ...]
    rows: tuple[PlanRow, ...]
    flow: Flow
    cycle: Recorded
    errors: tuple[Finding, ...] = ()
    inspection: Inspection | None = None


def export_plan(
    plan: Plan,
    trial: Trial,
    pseudonyms: Pseudonyms,
    engine: Engine,
    progress: Progress,
    ready: Callable[[], None] | None = None,
) -> Exported:
    """Make the tree what the plan says. Sessions that are still good are left alone.

    ``ready`` is called once nothing but the folder ``curation`` will change any more.
    Raises ``UsageError`` where the output is not ours, is held by another export, or a table cannot be used.
    """
    with hold(trial, pseudonyms.fingerprint):
        return _Export(plan, trial, pseudonyms, engine, progress, ready).run()


class _Export:
    """One run: each method is a step, in the order of :meth:`run`."""

    def __init__(
        self,
        plan: Plan,
        trial: Trial,
        pseudonyms: Pseudonyms,
        engine: Engine,
        progress: Progress,
        ready: Callable[[], None] | None,
    ) -> None:
        self.plan, self.trial, self.pseudonyms = plan, trial, pseudonyms
        self.engine, self.progress, self.ready = engine, progress, ready
        self.sessions = Sessions(trial.work, trial.output)
        self.known = self.sessions.known()
        self.drawn = drawings_of(trial.annotations, plan, trial.work)
        self.assigned = assign(self.drawn.all, plan)
        known = known_of(plan, trial.work)
        clinical = self._clinical()
        marks = in_force(read_marks(trial.work / MARKS_FILE), options_of(trial).allowed, identifier_test(known))
        self.options = options_of(trial, marks)
        self.guard = Guard(known, terms_of(trial, self.options, self._all_visits(), known, clinical, self.drawn.labels))
        self.states = read_states(trial.work)
        self.dirty = {session_of(leak.path) for leak in read_leaks(trial.work)}
        self.staging = Staging(plan, trial, pseudonyms, self.sessions, self.assigned.by_visit, self.options, self.guard)
        clinical = cleared(clinical, self.guard.searches, self._shift_of)
        self.clinical = coarser(clinical, trial.generalise_age, trial.suppress)
        self.failures: list[Failure] = []
        self.held: list[Held] = []
        self.leaks: dict[Visit, tuple[Leak, ...]] = {}
        self.inspection: Inspected | None = None
        self.splits: Splits = ()

    def run(self) -> Exported:
        self._refuse_another_source()
        check_ledger(self.trial.work)
        self.splits = read_splits(self.trial.qc.splits)
        self.inspection = inspected(self.trial.work)
        refuse_named_rules(site_rule_ids(self.trial), self.guard.searches)
        refuse_named_criteria(self.trial.criteria, self.guard.searches)
        refuse_named_slots(protocol_of(self.trial), self.guard.searches.known)
        refuse_named_columns(self.clinical, self.guard.searches.known)
        write_linkage(self.trial.work, self.plan.visits, self.pseudonyms)
        remember(self.trial.work, self.guard.searches.known, self.guard.terms)
        clear_leftovers(self.trial.output)
        self.sessions.clear_staging()
        wanted = {visit: self.staging.fingerprint(visit) for visit, kept in self.staging.kept.items() if kept}
        stale = [visit for visit, value in wanted.items() if not self._is_good(visit, value)]
        gone = set(self.known) - {(v.subject, v.session) for v in wanted}
        self.held = self._held_back([*((v.subject, v.session) for v in stale), *gone])
        held = {(h.subject, h.session) for h in self.held}
        stale = [visit for visit in stale if (visit.subject, visit.session) not in held]
        gone = sorted(gone - held)
        before = set(self.known)
        with Unpacked(self.trial.work, [job for visit in stale for job in self.staging.jobs(visit)]) as unpacked:
            if not held:
                self._write_description()
            if stale or gone:
                dataset.hide_tables(self.trial.output)
            fresh = self._make(stale, wanted, unpacked)
        stopped = {(v.subject, v.session) for v in self.leaks}
        gone += sorted(stopped & (set(self.known) | sessions_in(self.trial.output)))
        for key in gone:
            self._withdraw(key)
        counts = {
            "added": sum(f.key not in before for f in fresh),
            "replaced": sum(f.key in before for f in fresh),
            "withdrawn": len(gone),
        }
        changes = [f"{n} session{'s' if n > 1 else ''} {word}" for word, n in counts.items() if n]
        return self._merge(changes, len(fresh), len(gone))

    def _all_visits(self) -> list[Visit]:
        """The visits of the plan, and those of earlier runs that it does not see."""
        seen = {(v.subject, v.session): v for v in self.plan.visits.all}
        return list(({key: f.visit for key, f in self.known.items()} | seen).values())

    def _clinical(self) -> ClinicalRows:
        """The clinical tables: as the plan joined them, or joined to the sessions of earlier runs too."""
        everyone = self._all_visits()
        if set(everyone) == set(self.plan.visits.all):
            return self.plan.clinical
        return clinical_of(self.trial, self.plan.visits, everyone)

    def _shift_of(self, subject: str) -> Shift:
        return UNMOVED if self.options.keep_dates else shift_of(self.pseudonyms, subject)

    def _refuse_another_source(self) -> None:
        """A source that shares no session with the tree is a slip: everything in it would be withdrawn."""
        current = {(v.subject, v.session) for v in self.staging.members}
        if self.known and not current & set(self.known):
            sentence = "holds other sessions, none of which is in this source; give the right source, or a new output"
            raise UsageError(f"{self.trial.output}: {sentence}")

    def _is_good(self, visit: Visit, value: str) -> bool:
        fragment = self.known.get((visit.subject, visit.session))
        if fragment is None or fragment.key in self.dirty or not self.sessions.is_good(fragment, value):
            return False
        if fragment.folders != (folders := self.staging.folders(visit)):  # the source was moved
            self.known[fragment.key] = replace(fragment, folders=folders)
            self.sessions.keep(self.known[fragment.key])
        return True

    def _held_back(self, keys: Iterable[tuple[str, str]]) -> list[Held]:
        """Which of these sessions stay as they are: files of theirs may lie where nothing can be opened at present."""
        closed = Closed(self.plan.inventory.unreadable)
        places = {key: closed.concerns(self.known[key]) for key in sorted(keys) if key in self.known}
        return [Held(*key, place) for key, place in places.items() if place]

    def _write_description(self) -> None:
        series = sorted({i.SeriesInstanceUID for i in self.plan.inventory.instances})
        source = self.pseudonyms.digest("sources", "", "\0".join(series)).hex()[:16]
        result = self.inspection.result if self.inspection is not None else None
        dataset.write_description(self.trial.output, self.trial, source, result)

    def _make(self, visits: Sequence[Visit], wanted: Mapping[Visit, str], unpacked: Unpacked) -> list[Fragment]:
        """Convert all stacks of these sessions; a session goes into the tree when its last stack is done."""
        left = {visit: len(self.staging.kept[visit]) for visit in visits}
        outcomes: dict[Visit, list[Outcome]] = defaultdict(list)
        fragments = []
        self.progress.start("converting", sum(left.values()))
        for job, outcome in self.engine.map(run_job, map(self.staging.armed, unpacked.jobs()), lost=lost_job):
            unpacked.done(job)
            visit = job.planned.visit
            outcomes[visit].append(outcome)
            left[visit] -= 1
            if left[visit] == 0:
                fragment = self._stage(visit, outcomes.pop(visit), wanted[visit])
                if fragment is not None:
                    self._put(fragment)
                    fragments.append(fragment)
            self.progress.advance()
        self.progress.done()
        return sorted(fragments, key=lambda f: f.key)

    def _stage(self, visit: Visit, outcomes: Sequence[Outcome], value: str) -> Fragment | None:
        """The session in its staging folder; None where the program failed on one of its stacks, or a known identifier
        or anything else that may not leave stands in its files."""
        crashes = [o for o in outcomes if o.crash]
        if crashes:
            message = f"{len(crashes)} of its stacks met an error of the program"
            self.failures.append(Failure(visit.subject, visit.session, message, "\n".join(o.crash for o in crashes)))
            return None
        fragment = self.staging.stage(visit, outcomes, value)
        leaks = (*(leak for o in outcomes for leak in o.leaks), *self.staging.leaks(fragment))
        if leaks:
            self.leaks[visit] = leaks
            return None
        searched = self.guard.searches.searched(visit.subject)
        self.states |= {f.path: State(f.size, f.mtime_ns, searched) for f in fragment.files}
        return fragment

    def _put(self, fragment: Fragment) -> None:
        """One session into the tree. The tables that speak of all sessions are away until the merge."""
        root, key = self.trial.output, fragment.key
        dataset.write_annotations_description(root, self.trial.trial, fragment.masks.paths)
        if key in self.known:
            self.sessions.keep(replace(self.known[key], fingerprint=UNFINISHED))
        for part in dataset.PARTS:
            _replace(self.sessions.staging(*key, part), root / part, key)
        self.sessions.keep(fragment)
        self.known[key] = fragment

    def _withdraw(self, key: tuple[str, str]) -> None:
        """One session out of the tree, and what models said of it."""
        for part in (*dataset.PARTS, *predicted_parts(self.trial.output)):
            withdraw(self.trial.output / part / f"sub-{key[0]}" / f"ses-{key[1]}")
        self.sessions.forget(*key)
        self.known.pop(key, None)

    def _write_participants(self, fragments: Sequence[Fragment]) -> None:
        own = set(self.trial.suppress) & {"site", "sex", "age"}
        persons = people(fragments, age_band=self.trial.generalise_age, suppress=own)
        dataset.write_participants(self.trial.output, persons, self.clinical)

    def _merge(self, changes: Sequence[str], written: int, withdrawn: int) -> Exported:
        """Everything that knows of all sessions: tables, manifest, the final plan, the private lists."""
        root = self.trial.output
        halfway = {h.subject for h in self.held}  # days would be counted from another first session
        now = {(v.subject, v.session): v for v in self.plan.visits.all if v.subject not in halfway}
        fragments = [replace(f, visit=now.get(key, f.visit)) for key, f in sorted(self.known.items())]
        exported = [f for f in fragments if f.images]
        images = [image for f in exported for image in f.images]
        injected = frozenset(f.visit for f in exported if any(i.record["agent"] == "with" for i in f.images))
        self._write_participants(exported)
        dataset.write_sessions(root, exported, injected, self.clinical)
        write_phenotype(root, self.clinical, {f.key for f in exported})
        if changes:
            dataset.add_change(root, date.today().isoformat(), changes)
        if self.ready is not None:
            self.ready()
        rows = self._final_rows(fragments)
        write_plan(self.trial.work / "plan.tsv", rows)
        write_private(self.trial.work, Private(self.plan, rows, fragments, self.failures, self.drawn.measurements))
        needs = account(self.plan, rows, self.options.allowed)
        write_parsimony(self.trial.work, needs)
        summary = summarise(self.plan, rows, images, needs)
        judged = judged_images(exported, self.plan.quality)
        together = release_findings(exported, judged, self.clinical, self.splits)
        cycle = self._count_cycle(fragments, together)
        judged = with_release(judged, together, self.plan.quality.waived)
        found = curated_of(self.plan, self.trial, self.pseudonyms, cycle, self.inspection, judged)
        quality = write_curated(root, found)
        dataset.write_curation(root, images, summary.to_json() | quality)
        flow = self._write_flow(rows, fragments)
        is_stale = drop_stale_card(root)
        release = Release(
            trial=self.trial,
            options=self.options,
            key=self.pseudonyms.fingerprint,
            guard=self.guard,
            rows=rows,
            fragments=fragments,
            stopped=self.leaks,
            states=self.states,
            inspection=looked_at(self.inspection, judged),
        )
        proof = prove(release, self.engine, self.progress)
        is_stale |= drop_stale_card(root)  # the certificate has changed
        run = Changed(
            tree=measure_tree(root),
            sessions_written=written,
            sessions_withdrawn=withdrawn,
            sessions_failed=len(self.failures),
            sessions_stopped=len(self.leaks),
            files_verified=proof.n_files,
            leaks=leaks_by_kind([*proof.leaks, *(leak for those in self.leaks.values() for leak in those)]),
            access_denied=bool(self.held),
            card_dropped=is_stale,
        )
        waived = self.plan.quality.waived
        errors = tuple(f for f in together if f.severity == ERROR and not is_waived(f, waived))
        result = self.inspection.result if self.inspection is not None else None
        return Exported(summary, run, tuple(self.failures), rows, flow, cycle, errors, result)

    def _count_cycle(self, fragments: Sequence[Fragment], together: Sequence[Finding]) -> Recorded:
        """What this run found, merged into the ledger of issues; what it could not look at stays as it was."""
        failed = {(f.subject, f.session) for f in self.failures}
        unseen = failed | {(h.subject, h.session) for h in self.held} | {(v.subject, v.session) for v in self.leaks}
        unseen |= unseen_of(self.plan, self.trial.work)
        issues = export_issues(self.plan, self.clinical, fragments, self._unplaced(), self.held, together)
        now = datetime.now().astimezone()
        run = Run(
            now,
            version("trialbids"),
            STEPS,
            frozenset(unseen),
            present_in(self.plan),
            unlooked_of(self.plan, fragments),
        )
        return record_cycle(self.trial.work, issues, run)

    def _write_flow(self, rows: Sequence[PlanRow], fragments: Sequence[Fragment]) -> Flow:
        """Who left at which step: in private with all reasons, in the tree as counts."""
        results = [r for fragment in fragments for r in fragment.results]
        ended = Ended(
            self.plan,
            rows,
            is_exported=True,
            others={r.stack_id: r.others for r in results if r.others},
            messages={r.stack_id: r.final.message for r in results if r.final.message},
            missing={r.stack_id: r.final.missing for r in results if r.final.missing},
        )
        flow = flow_of(ended, self.trial)
        folder, title = self.trial.output / "curation", self.trial.trial
        if "site" in self.trial.suppress:
            write_flow(self.trial.work, flow, title)
            write_flow(folder, flow.without_sites(), title)
        else:
            write_flow(self.trial.work, flow, title, folder)
        write_exclusions(self.trial.work, ended)
        return flow

    def _unplaced(self) -> Sequence[Fault]:
        """Drawings that have no image; none is named while part of the source cannot be seen."""
        return () if self.plan.inventory.access_denied else (*self.drawn.faults, *self.assigned.faults)

    def _final_rows(self, fragments: Sequence[Fragment]) -> tuple[PlanRow, ...]:
        """The plan with what the checks said of every stack."""
        results = {r.stack_id: r for f in fragments for r in f.results}
        rows = []
        for p in self.plan.planned:
            result = results.get(p.row.stack_id)
            if p.visit in self.leaks and p.row.decision == "keep":
                rows.append(p.row.judged("fail", "quarantine", IDENTIFIER_FOUND))
            elif p.row.decision != "keep" or result is None:
                rows.append(p.row.judged("", p.row.decision if p.row.decision != "keep" else ""))
            else:
                rows.append(p.row.judged(result.verdict, result.final.decision, result.final.reason))
        return tuple(rows)


def _replace(staged: Path, root: Path, key: tuple[str, str]) -> None:
    """The staged session in the place of the one in the tree, or none where nothing was staged."""
    target = root / f"sub-{key[0]}" / f"ses-{key[1]}"
    if staged.is_dir():
        commit(staged, target)
    else:
        withdraw(target)
