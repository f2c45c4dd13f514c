"""What a person sees: progress bars, the summary, tables. Nothing here decides anything."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from . import outcome
from .plan.row import read_plan
from .progress import Progress, Silent
from .select.flow import MILESTONE, UNITS

if TYPE_CHECKING:
    from pathlib import Path

    from .harmonise.listing import Summary as ListingSummary
    from .inventory.run import Inventory
    from .pipeline import Plan
    from .release.export import Failure
    from .release.summary import Changed, Summary
    from .release.validate import Validation
    from .review.learn import Learned
    from .review.read import NotTaken
    from .review.report import Report
    from .select.flow import Flow
    from .trial import Trial

OUT = Console(highlight=False, markup=False)
ERR = Console(stderr=True, highlight=False, markup=False)


class OnScreen:
    """Progress as bars with a count and an estimate, on the error stream."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def start(self, label: str, total: int | None) -> None:
        self._task = self._bars.add_task(label, total=total)

    def advance(self, steps: int = 1) -> None:
        if self._task is not None:
            self._bars.advance(self._task, steps)

    def done(self) -> None:
        if self._task is not None:
            task = next(t for t in self._bars.tasks if t.id == self._task)
            self._bars.update(self._task, total=task.completed or 1, completed=task.completed or 1)
            self._bars.stop_task(self._task)


@contextmanager
def progress(quiet: bool) -> Iterator[Progress]:
    """Bars while the work runs, or silence for machines."""
    if quiet or not ERR.is_terminal:
        yield Silent()
        return
    columns = (
        TextColumn("{task.description:12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=ERR) as bars:
        yield OnScreen(bars)


def show_inventory(inventory: Inventory, *, as_json: bool) -> None:
    """Counts of a scan, and why files could not be read."""
    reasons = Counter(u.reason for u in inventory.unreadable)
    counts = {
        "files": inventory.n_files,
        "folders": inventory.n_folders,
        "bytes": inventory.n_bytes,
        "not opened again": inventory.n_reused,
        "instances": len(inventory.instances),
        "series": len({i.SeriesInstanceUID for i in inventory.instances}),
        "studies": len({i.StudyInstanceUID for i in inventory.instances}),
        "not read": dict(reasons.most_common()),
    }
    if as_json:
        OUT.print_json(json.dumps(counts))
        return
    for name, value in counts.items():
        OUT.print(
            f"{name:18} {', '.join(f'{k} {v}' for k, v in value.items()) if isinstance(value, dict) else f'{value:,}'}"
        )


def show_summary(
    summary: Summary,
    run: Changed | None,
    trial: Trial,
    *,
    validation: Validation | None = None,
    failures: Sequence[Failure] = (),
    review: tuple[Plan, Learned | None] | None = None,
    left: Sequence[NotTaken] = (),
    as_json: bool,
) -> None:
    """What a run came to. ``run`` and ``validation`` are None where nothing was exported; ``review`` is what became of
    a person's edits, ``left`` the cells of an edited plan that nothing came of.
    """
    if as_json:
        extra: dict[str, object] = {} if run is None else {"run": asdict(run)}
        if validation is not None:
            extra["validator_errors"] = validation.errors
        if review is not None:
            extra["review"] = outcome.to_json(*review) | {
                "kept_with_burned_in_text": _kept_with_text(review[0]),
                "not_taken": [asdict(cell) for cell in left],
            }
            extra["problems"] = outcome.count_problems(review[0])
        OUT.print_json(json.dumps(summary.to_json() | extra))
        return
    s = summary
    OUT.print(f"\n{s.patients} patients, {s.studies} studies, {s.series} series, {s.stacks} stacks")
    aside = f"{s.instances_set_aside} instances set aside"
    OUT.print(f"kept {s.kept}, quarantined {s.quarantined}, excluded {s.excluded}; {aside}")
    if s.reasons:
        OUT.print(_reasons(s))
    OUT.print(_before_and_after(s, run))
    OUT.print(_categories(s))
    if run is not None:
        done = f"{run.sessions_written} written, {run.sessions_withdrawn} withdrawn, {run.sessions_failed} failed"
        OUT.print(f"{s.images} images; sessions: {done}")
        if not run.leaks:
            OUT.print(f"verified: {run.files_verified:,} files, no known identifier and nothing unlisted found")
        if run.access_denied:
            ERR.print("parts of the source could not be opened: sessions already in the tree were left as they were")
        if run.card_dropped:
            anew = f"trialbids card {trial.output} makes it anew"
            OUT.print(f"the data card was of the tree as it was before, and is gone; {anew}", soft_wrap=True)
        for line in _proof(run, trial.work):
            ERR.print(line, soft_wrap=True)
    for failure in failures:
        where = trial.work / "errors.log"
        ERR.print(f"sub-{failure.subject} ses-{failure.session}: {failure.message}; the details are in {where}")
    lists = (
        "plan.tsv, plan-issues.tsv, exclusions.tsv, parsimony.tsv"
        if run is None
        else "plan.tsv, parsimony.tsv, quarantine.tsv, unreadable.tsv, issues.tsv, linkage.tsv"
    )
    OUT.print(f"the private lists are in {trial.work}: {lists}")
    if validation is not None:
        show_validation(validation, as_json=False)
    if review is not None:
        for line in (*outcome.warnings(*review), *_not_taken(left), *_burned_in(review[0])):
            ERR.print(line, soft_wrap=True)
        for line in outcome.lines(*review, trial):
            OUT.print(line, soft_wrap=True)
        for line in outcome.problems(review[0], trial.work):
            OUT.print(line, soft_wrap=True)


def _proof(run: Changed, work: Path) -> Iterator[str]:
    """What the inspection of the tree came to, where it found something."""
    if run.leaks:
        kinds = ", ".join(f"{kind} {n}" for kind, n in run.leaks.items())
        yield f"found what may not leave ({kinds}); the places are in {work / 'leaks.tsv'} (private)"
    if run.sessions_stopped:
        yield f"{run.sessions_stopped} session(s) were not released because of it"


def _not_taken(left: Sequence[NotTaken]) -> Iterator[str]:
    """Cells of an edited plan that nothing came of."""
    for c in left[: outcome.MOST_CONTRADICTIONS]:
        says = f"the edited plan, line {c.line}: column {c.attribute}: says {c.cell or '(empty)'}"
        stands = f"as an older plan did, and {c.stands or '(empty)'} stands"
        yield f"{says}, {stands}; to change it, edit a new copy of plan.tsv"
    if len(left) > outcome.MOST_CONTRADICTIONS:
        yield f"and {len(left) - outcome.MOST_CONTRADICTIONS} more cells that say what an older plan did"


def _kept_with_text(plan: Plan) -> list[str]:
    from .plan.build import kept_with_text

    return [p.row.stack_id for p in kept_with_text(plan.planned)]


def _burned_in(plan: Plan) -> Iterator[str]:
    """Stacks kept by edit though text is burned into them."""
    kept = _kept_with_text(plan)
    if kept:
        what = f"{len(kept)} stack(s) kept by edit though the header says that text is burned into the pixels"
        yield f"{what}: {_some(kept, ', ')}"


def show_flow(flow: Flow, written: Sequence[Path], plan: Plan, work: Path, *, as_json: bool) -> None:
    """Every step with what remains and what left, the files that say it, and what the plan has to say."""
    if as_json:
        extra = {"files": [str(path) for path in written], "problems": outcome.count_problems(plan)}
        OUT.print_json(json.dumps(flow.to_json() | extra))
        return
    table = Table("step", *UNITS, "not told")
    for line in flow.lines:
        tally = line.total
        counts = [(getattr(tally.remaining, unit), getattr(tally.removed, unit)) for unit in UNITS]
        cells = [f"{left:,} (-{out:,})" if out else f"{left:,}" for left, out in counts]
        untold = f"{tally.untold.stacks:,}" if tally.untold.stacks else ""
        table.add_row(line.step.sentence, *cells, untold, style="bold" if line.step.kind == MILESTONE else None)
    OUT.print(table)
    if flow.without_images:
        OUT.print(f"{flow.without_images:,} subject(s) of the clinical tables have no images")
    for path in written:
        OUT.print(f"written: {path}", soft_wrap=True)
    for line in outcome.problems(plan, work):
        OUT.print(line, soft_wrap=True)


def show_flow_line(flow: Flow, trial: Trial) -> None:
    """The flow in one line: how many subjects and sessions there were, were planned and are released."""
    marks = ((line.step.sentence.lower(), line.total.remaining) for line in flow.lines if line.step.kind == MILESTONE)
    steps = ", ".join(f"{name} {n.subjects:,} ({n.sessions:,})" for name, n in marks)
    where = "the diagram is curation/flow.svg, all reasons are in"
    OUT.print(f"subjects (sessions): {steps}; {where} {trial.work / 'exclusions.tsv'}", soft_wrap=True)


def show_reports(reports: Sequence[Report], *, as_json: bool) -> None:
    """Stacks explained, one after the other."""
    from .review.report import lines, to_json

    if as_json:
        OUT.print_json(json.dumps([to_json(report) for report in reports]))
        return
    for n, report in enumerate(reports):
        if n:
            OUT.print("")
        for line in lines(report):
            OUT.print(line, soft_wrap=True)


def _before_and_after(s: Summary, run: Changed | None) -> Table:
    """Files, folders, bytes and fields: what there was, what there is, what was re-packed and what was dropped."""
    title = "What would become of the sources" if run is None else "What became of the sources"
    table = Table("", "before", "after", "re-packed", "dropped", title=title, title_justify="left")
    tree = ("", "", "") if run is None else (f"{run.tree.files:,}", f"{run.tree.folders:,}", _mega(run.tree.bytes))
    table.add_row("files", f"{s.files_before:,}", tree[0])
    table.add_row("folders", f"{s.folders_before:,}", tree[1])
    table.add_row("MB", _mega(s.bytes_before), tree[2])
    table.add_row("DICOM objects", f"{s.objects:,}", "", f"{s.objects_repacked:,}", f"{s.objects_dropped:,}")
    both = s.bytes_repacked + s.bytes_dropped
    table.add_row("MB of objects", _mega(both), "", _mega(s.bytes_repacked), _mega(s.bytes_dropped))
    dropped = s.fields_before - s.fields_after
    table.add_row(
        f"header fields ({s.fields_listed} may leave)",
        f"{s.fields_before:,}",
        f"{s.fields_after:,}",
        f"{s.fields_after:,}",
        f"{dropped:,}",
    )
    table.add_row("not read as DICOM", f"{s.unreadable:,}")
    return table


def _categories(s: Summary) -> Table:
    """The objects by what becomes of them."""
    table = Table("category", "series", "DICOM objects", "MB")
    for name, weight in s.categories.items():
        table.add_row(name, f"{weight.series:,}", f"{weight.files:,}", _mega(weight.bytes))
    return table


def _mega(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f}"


def _reasons(summary: Summary) -> Table:
    table = Table("decision", "reason", "count", title="Not in the tree, and why", title_justify="left")
    for reason, count in summary.reasons.items():
        decision, _, why = reason.partition(": ")
        table.add_row(decision, why, str(count))
    return table


def show_validation(validation: Validation, *, as_json: bool) -> None:
    """Errors of the official validator as a table."""
    if as_json:
        problems = [
            {"dataset": p.dataset, "code": p.code, "count": p.count, "places": list(p.places), "message": p.message}
            for p in validation.problems
        ]
        OUT.print_json(json.dumps({"errors": validation.errors, "validator": validation.version, "problems": problems}))
        return
    if validation.problems:
        table = Table(
            "dataset", "error", "count", "first places", title="Errors of the BIDS validator", title_justify="left"
        )
        for p in validation.problems:
            table.add_row(p.dataset, f"{p.code}\n{p.message}", str(p.count), "\n".join(p.places))
        OUT.print(table)
    OUT.print(
        f"bids-validator-deno {validation.version}: {validation.errors} errors in {validation.datasets} dataset(s)"
    )


def show_decisions(trial: Trial) -> None:
    """What was kept and set aside, by sequence, from the plan of the work folder."""
    rows = read_plan(trial.work / "plan.tsv")
    counts = Counter((r.record.sequence, r.final_decision or r.decision, r.reason) for r in rows)
    table = Table("sequence", "decision", "reason", "stacks", title="What became of every stack", title_justify="left")
    for (sequence, decision, reason), count in sorted(counts.items()):
        table.add_row(sequence, decision, reason, str(count))
    OUT.print(table)


def show_listing(summary: ListingSummary, table: Path, output: Path, *, as_json: bool) -> None:
    """What a table came to: counts by sequence, and what could not be read."""
    if as_json:
        OUT.print_json(json.dumps(asdict(summary) | {"output": str(output)}))
        return
    s = summary
    counts = Table("sequence", "rows")
    for sequence, count in s.sequences.items():
        counts.add_row(sequence, f"{count:,}")
    if s.rows:
        OUT.print(counts)
    share = f" ({s.answered / s.rows:.0%})" if s.rows else ""
    lines = [
        f"{table}: {s.rows:,} rows, {s.answered:,} answered{share}, {s.unknown:,} unknown; written to {output}",
        f"read: {', '.join(_read_as(name, attribute) for name, attribute in s.read.items())}",
    ]
    if s.without_modality:
        lines.append(f"{s.without_modality:,} row(s) tell no modality: judged by words alone, none was taken for MR")
    if s.bad_cells:
        cells = [f"line {b.line} {b.column} {b.cell[:40]!r}" for b in s.bad_cells]
        lines.append(f"{len(cells):,} cell(s) are no number that fits, taken as empty: {_some(cells, '; ')}")
    if s.short_rows:
        short = _some([str(n) for n in s.short_rows], ", ")
        lines.append(f"{len(s.short_rows):,} row(s) lack cells at their end, taken as empty: line {short}")
    if s.crowded_studies:
        studies = _some([f"{uid[:64]} ({n:,} rows)" for uid, n in s.crowded_studies], ", ")
        lines.append(f"too many rows for one study, judged each by itself: StudyInstanceUID {studies}")
    for line in lines:
        OUT.print(line, soft_wrap=True)


def _read_as(name: str, attribute: str) -> str:
    return name if name == attribute else f"{name} as {attribute}"


def _some(items: Sequence[str], separator: str, most: int = 10) -> str:
    """The first of many, and how many more there are."""
    rest = f" and {len(items) - most:,} more" if len(items) > most else ""
    return separator.join(items[:most]) + rest
