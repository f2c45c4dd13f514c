"""The commands of the cycle of checks: ``qc run``, ``qc status``, ``qc waive`` and ``qc history``."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from .arguments import Debug, EngineName, Json, Places, Work, Workers, engine_of, trial_of
from .errors import UsageError

qc = typer.Typer(
    name="qc",
    help="The cycle of checks: run them, look, repair or waive, run them again.",
    no_args_is_help=True,
)

STEPS = ("header", "plan")
"""What ``qc run`` looks at; issues of voxels stay as the last export left them."""


@qc.command()
def run(
    places: Places = None, work: Work = None, engine: EngineName = "processes", workers: Workers = None,
    json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Check all headers and the plan, without touching a pixel: writes issues.tsv and counts as a cycle."""
    from importlib.metadata import version

    from . import screen, screen_qc
    from .pipeline import plan_trial, scan_trial
    from .places import workplace
    from .qc.ledger.merge import Run
    from .qc.ledger.record import check_ledger, record_cycle
    from .release.flows import planned, write_exclusions
    from .release.guard import refuse_named_in
    from .release.issues import plan_issues, present_in, unseen_of
    from .release.together import read_splits, split_issues

    trial = trial_of(places, work)
    check = partial(refuse_named_in, trial=trial)
    with engine_of(engine, workers) as running, workplace(trial) as pseudonyms, screen.progress(json) as progress:
        check_ledger(trial.work)
        splits = read_splits(trial.qc.splits)
        made = plan_trial(trial, scan_trial(trial, running, progress), pseudonyms, progress, check=check)
        write_exclusions(trial.work, planned(made))
        unseen, present = unseen_of(made, trial.work), present_in(made)
        done = Run(datetime.now().astimezone(), version("trialbids"), STEPS, unseen, present)
        issues = [*plan_issues(made), *split_issues(made, splits)]
        recorded = record_cycle(trial.work, issues, done)
    screen_qc.show_cycle(recorded, trial.work, as_json=json)


@qc.command()
def checks(json: Json = False, debug: Debug = False) -> None:
    """List all checks: what each finds, when, on what and how gravely, and the tolerance that trial.yaml can set.

    Severities: E, an error, keeps what its level names (a stack, a series) out of the release until it is repaired or
    waived; W, a warning, wants a decision; I is for information.
    """
    from . import screen_qc
    from .qc.reference import entries

    screen_qc.show_checks(entries(), as_json=json)


@qc.command()
def status(
    places: Places = None,
    check: Annotated[list[str] | None, typer.Option(help="Only this check, such as G04; repeatable.")] = None,
    site: Annotated[list[str] | None, typer.Option(help="Only this site; repeatable.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only open, waived or resolved issues; repeatable.")] = None,
    cycle: Annotated[int, typer.Option(min=0, help="As it stood after this cycle; the default is now.")] = 0,
    work: Work = None, json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Count the issues by check and site; with a filter, list them too. Reads the work folder alone."""
    from . import screen_qc
    from .qc.ledger.status import Asked, status_of

    folder = _work_of(places, work)
    asked = Asked(tuple(word.upper() for word in check or ()), tuple(site or ()), tuple(state or ()), cycle)
    screen_qc.show_status(status_of(folder, asked, date.today()), asked, folder, as_json=json)


@qc.command()
def waive(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[TRIAL.YAML] ISSUE_ID…", help="The issues, after the trial's configuration."),
    ],
    by: Annotated[str, typer.Option(help="Who decides: a code such as initials. It never leaves as it is.")],
    reason: Annotated[str, typer.Option(help="Why it need not be repaired, in one line. Private.")] = "",
    until: Annotated[str | None, typer.Option(help="The last day of the waiver, such as 2026-01-31.")] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the waivers of these issues back.")] = False,
    work: Work = None, json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Waive issues: what they say is known and need not be repaired. It ends where what is found changes."""
    from . import screen_qc
    from .places import locked
    from .qc.ledger.waive import Wish
    from .qc.ledger.waive import waive as waive_issues

    if revoke and until is not None:
        raise UsageError("--until belongs to a waiver, and --revoke takes one back; leave out one of them")
    ids = [word for word in words if not _is_place(word)]
    if not ids:
        raise UsageError("give the ids of issues, such as G04-0123456789; trialbids qc status --state open lists them")
    folder = _work_of([Path(word) for word in words if _is_place(word)], work)
    with locked(folder):
        done = waive_issues(folder, Wish(tuple(ids), by, reason, until, revoke), date.today())
    screen_qc.show_waivers(done, as_json=json)


@qc.command()
def history(
    places: Places = None, work: Work = None, json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Show all cycles, and draw them: qc-history.svg and qc-history.png in the work folder."""
    from . import screen_qc
    from .qc.ledger.curve import write_curve
    from .qc.ledger.cycles import CYCLES_FILE, read_cycles
    from .qc.ledger.record import check_ledger

    folder = _work_of(places, work)
    check_ledger(folder)
    cycles = read_cycles(folder)
    if not cycles:
        raise UsageError(f"{folder / CYCLES_FILE}: there was no cycle yet; run trialbids qc run or trialbids export")
    screen_qc.show_history(cycles, write_curve(folder, cycles, "Issues from cycle to cycle"), as_json=json)


def _is_place(word: str) -> bool:
    """A word that names a file or folder, and no issue."""
    return word.endswith((".yaml", ".yml")) or Path(word).exists()


def _work_of(places: list[Path] | None, work: Path | None) -> Path:
    """The work folder that the arguments name. Raises ``UsageError`` where it is none."""
    from .places import is_work_folder

    folder = work.absolute() if work is not None and not places else trial_of(places, work).work
    if not is_work_folder(folder):
        raise UsageError(f"{folder}: is no work folder of trialbids; give the right one with --work")
    return folder
