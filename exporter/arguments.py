"""What the arguments of the commands stand for: their types, and the trial, engine or table that they name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import UsageError
from .tables import CONTROL

if TYPE_CHECKING:
    from .engine import Engine
    from .pipeline import EditedPlan
    from .trial import Trial

RULE_FILE = "rules-learned.yaml"

Work = Annotated[Path | None, typer.Option(help="Private work folder; the default is DST.work, beside DST.")]
EngineName = Annotated[str, typer.Option("--engine", help="How work is run: processes or serial.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Number of processes; the default is one a core.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON, for machines.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Places = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[TRIAL.YAML | SRC DST]",
        help="A trial.yaml (the default is ./trial.yaml), or a source and a new folder.",
    ),
]


def trial_of(places: list[Path] | None, work: Path | None) -> Trial:
    """The configuration that the arguments name."""
    from .trial import load_trial, trial_for

    given = places or []
    if len(given) == 2:
        return trial_for(given[0], given[1], work)
    if len(given) > 2:
        raise UsageError("give a trial.yaml, or one source and one new folder: trialbids export SRC DST")
    path = given[0] if given else Path("trial.yaml")
    if path.is_dir():
        raise UsageError(
            f"{path}: is a folder; give a trial.yaml, or a source and a new folder: trialbids export SRC DST"
        )
    trial = load_trial(path)
    return trial.model_copy(update={"work": work.absolute()}) if work else trial


def engine_of(name: str, workers: int | None, *preload: str) -> Engine:
    """The engine of that name, its workers with these modules. Raises ``UsageError`` where there is none."""
    from .engine import engine

    if name not in ("processes", "serial"):
        raise UsageError(f"--engine {name}: expected processes or serial")
    return engine(name, workers, preload)


def edited_plan(path: Path | None, by: str) -> EditedPlan | None:
    """The edited plan that the arguments name, read and signed."""
    from datetime import datetime

    from .pipeline import EditedPlan
    from .review.read import Signature
    from .review.sheet import read_sheet

    if path is None:
        if by:
            raise UsageError("--by says whose edits are applied; give the edited plan with --apply")
        return None
    if CONTROL.search(by):
        raise UsageError(f"--by {by!r}: holds a control character; give a name in plain letters")
    return EditedPlan(
        read_sheet(path), Signature(by.strip() or _user(), datetime.now().astimezone().isoformat("T", "seconds"))
    )


def _user() -> str:
    from getpass import getuser

    try:
        return getuser()
    except (OSError, KeyError):
        return "unknown"


def rule_file_of(trial: Trial, places: list[Path] | None, to: Path | None, force: bool) -> Path:
    """Where learned rules are written. Raises ``UsageError`` before any work where they may not be."""
    given = places or [Path("trial.yaml")]
    if len(given) == 2 and given[0].suffix in (".yaml", ".yml"):
        raise UsageError(f"{given[1]}: the rule file of --learn is given with --to")
    folder = given[0].parent if len(given) == 1 else trial.work
    path = folder / RULE_FILE if to is None else to
    if len(given) == 1 and path.resolve() == given[0].resolve():
        raise UsageError(f"{path}: is the trial's configuration; give another file with --to")
    _check_rule_file(path, trial, force)
    return path


def _check_rule_file(path: Path, trial: Trial, force: bool) -> None:
    """Refuse a place where a rule file could be released, hide among the private lists or destroy something else."""
    from .review.learn import LEARNED

    real = path.resolve()
    if real.is_relative_to(trial.output.resolve()):
        raise UsageError(f"{path}: lies in the released tree, and rules quote private text; give another with --to")
    work = trial.work.resolve()
    if real.is_relative_to(work) and real != work / RULE_FILE:
        raise UsageError(f"{path}: lies in the private work folder; give a place outside of it with --to")
    try:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; give a file with --to")
        # The work folder may be made only later in this run.
        if real.parent != work and not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
            raise UsageError(f"{path.parent}: is no folder that can be written to; give another place with --to")
        path.lstat()
        if not path.is_file() or not path.read_bytes().startswith(LEARNED.encode()):
            raise UsageError(f"{path}: is there already and was not written by --learn; give another with --to")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{path}: cannot be used ({error.strerror}); give another file with --to") from error
    if not force:
        raise UsageError(f"{path}: is there already; give another with --to, or --force to overwrite it")
