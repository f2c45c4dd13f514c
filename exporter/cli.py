"""The command line: thin commands over the stages. Whatever is heavy is imported inside the command that needs it."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from .errors import TrialbidsError, UsageError

if TYPE_CHECKING:
    from .engine import Engine
    from .pipeline import EditedPlan
    from .trial import Trial

EXIT_SESSIONS_FAILED = 3
EXIT_INVALID = 4
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="trialbids",
    help="Trial DICOM to a curated, de-identified, quality-checked BIDS database, ready for MONAI and PyTorch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

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


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"trialbids {version('trialbids')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Options of the program itself."""


@app.command()
def scan(
    places: Places = None, work: Work = None, engine: EngineName = "processes", workers: Workers = None,
    json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Find and read every DICOM header below the sources."""
    from . import screen
    from .pipeline import scan_trial
    from .places import workplace

    trial = _trial(places, work)
    with _engine(engine, workers) as running, workplace(trial), screen.progress(json) as progress:
        inventory = scan_trial(trial, running, progress)
    screen.show_inventory(inventory, as_json=json)


@app.command()
def plan(
    places: Places = None,
    apply: Annotated[Path | None, typer.Option(help="A copy of plan.tsv that was edited in a spreadsheet.")] = None,
    by: Annotated[str, typer.Option(help="Whose edits these are; the default is the name of the user.")] = "",
    learn: Annotated[bool, typer.Option("--learn", help="Write the edits as rules of the site.")] = False,
    to: Annotated[Path | None, typer.Option(help="The rule file of --learn (rules-learned.yaml).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the rule file.")] = False,
    work: Work = None, engine: EngineName = "processes", workers: Workers = None,
    json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Decide what every stack is, whether it is kept and what it will be called: writes plan.tsv, exports nothing.

    An edited copy of plan.tsv is read back with --apply: what was changed is kept and goes before the rules from then
    on. --learn writes a file of rules from all edits so far.
    """
    from . import screen
    from .annotations.clinical import join_clinical
    from .annotations.table import read_masks
    from .pipeline import learn_from, plan_trial, scan_trial
    from .places import workplace
    from .release.summary import summarise

    if not learn and (to is not None or force):
        raise UsageError("--to and --force belong to --learn; add it")
    trial = _trial(places, work)
    edited = _edited(apply, by)
    rule_file = _rule_file(trial, places, to, force) if learn else None
    learned = None
    with _engine(engine, workers) as running, workplace(trial) as pseudonyms, screen.progress(json) as progress:
        made = plan_trial(trial, scan_trial(trial, running, progress), pseudonyms, progress, edited)
        join_clinical(trial.clinical, made.visits.all)
        if trial.annotations is not None:
            read_masks(trial.annotations.table, trial.work / "readers.tsv")
        if rule_file is not None:
            learned = learn_from(made, trial, rule_file, pseudonyms)
    summary = summarise(made, [p.row for p in made.planned], ())
    screen.show_summary(summary, None, trial, review=(made, learned), as_json=json)


def _edited(path: Path | None, by: str) -> EditedPlan | None:
    """The edited plan that the arguments name, read and signed."""
    from datetime import datetime

    from .pipeline import EditedPlan
    from .review.read import Signature
    from .review.sheet import read_sheet

    if path is None:
        if by:
            raise UsageError("--by says whose edits are applied; give the edited plan with --apply")
        return None
    return EditedPlan(read_sheet(path), Signature(by or _user(), datetime.now().astimezone().isoformat("T", "seconds")))


def _user() -> str:
    from getpass import getuser

    try:
        return getuser()
    except (OSError, KeyError):
        return "unknown"


def _rule_file(trial: Trial, places: list[Path] | None, to: Path | None, force: bool) -> Path:
    """Where learned rules are written. Raises ``UsageError`` before any work where they may not be."""
    given = places or [Path("trial.yaml")]
    if len(given) == 2 and given[0].suffix in (".yaml", ".yml"):
        raise UsageError(f"{given[1]}: the rule file of --learn is given with --to")
    folder = given[0].parent if len(given) == 1 else trial.work
    path = to or folder / "rules-learned.yaml"
    if path.exists() and not force:
        raise UsageError(f"{path}: is there already; give another with --to, or --force to overwrite it")
    if len(given) == 1 and path.resolve() == given[0].resolve():
        raise UsageError(f"{path}: is the trial's configuration; give another file with --to")
    return path


@app.command()
def explain(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[TRIAL.YAML | SRC DST] STACK",
            help="Last a stack_id, a path or file name of an image, or a SeriesInstanceUID.",
        ),
    ],
    attribute: Annotated[
        list[str] | None, typer.Option(help="What to test by leaving things out; may be given several times.")
    ] = None,
    work: Work = None, json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Show why a stack is what it is: every rule that fired, every value it read, what would change the answer.

    Private: what it prints holds text of the headers. It reads the work folder and writes nothing.
    """
    from . import screen
    from .pipeline import instance_digest, trial_rules
    from .review.report import report_on

    *places, name = names
    trial = _trial([Path(place) for place in places], work)
    reports = report_on(trial.work, name, trial_rules(trial), attribute or ["sequence"], instance_digest)
    screen.show_reports(reports, as_json=json)


@app.command()
def harmonise(
    table: Annotated[Path, typer.Option("--table", help="A CSV or TSV: columns are DICOM keywords, rows are series.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The table to write, with the record added.")],
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="A site's own rules (YAML); may be given several times.")
    ] = None,
    engine: EngineName = "processes", workers: Workers = None, json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Say what every series of a table is: a trial is judged before a pixel is moved.

    SeriesDescription alone is enough; every further DICOM keyword makes the answers surer. Rows of one
    StudyInstanceUID give each other context.
    """
    from . import screen
    from .harmonise.listing import SMALL, harmonise_listing, open_listing

    task = open_listing(table, output, rules or [])
    how = "serial" if engine == "processes" and len(task.listing.rows) < SMALL else engine
    with _engine(how, workers) as running, screen.progress(json) as progress:
        summary = harmonise_listing(task, output, running, progress)
    screen.show_listing(summary, table, output, as_json=json)


@app.command()
def export(
    places: Places = None, work: Work = None, engine: EngineName = "processes", workers: Workers = None,
    json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Export to a BIDS tree and validate it: what is already there and still good is left alone."""
    with _engine(engine, workers) as running:  # first: its workers get ready while this process imports
        code = run_export(_trial(places, work), running, json=json)
    raise typer.Exit(code)


def run_export(trial: Trial, engine: Engine, *, json: bool = False) -> int:
    """Export, validate, show what it came to; returns the exit code."""
    from . import screen
    from .pipeline import plan_trial, scan_trial
    from .places import workplace
    from .release.export import export_plan
    from .release.validate import validate as run_validator

    with workplace(trial) as pseudonyms, screen.progress(json) as progress:
        inventory = scan_trial(trial, engine, progress)
        engine.prepare("trialbids.exporter.release.make")
        made = plan_trial(trial, inventory, pseudonyms, progress)
        exported = export_plan(made, trial, pseudonyms, engine, progress)
        progress.start("validating", None)
        validation = run_validator(trial.output)
        progress.done()
    screen.show_summary(
        exported.summary,
        exported.run,
        trial,
        validation=validation,
        failures=exported.failures,
        review=(made, None),
        as_json=json,
    )
    if exported.failures:
        return EXIT_SESSIONS_FAILED
    return EXIT_INVALID if validation.errors else 0


@app.command()
def validate(
    root: Annotated[Path, typer.Argument(metavar="BIDS_ROOT", help="The root of a BIDS dataset.")],
    json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Run the official BIDS validator, offline, on a tree and on its derivative datasets."""
    from . import screen
    from .release.validate import validate as run_validator

    validation = run_validator(root)
    screen.show_validation(validation, as_json=json)
    raise typer.Exit(EXIT_INVALID if validation.errors else 0)


@app.command()
def init(
    source: Annotated[list[Path], typer.Option("--source", help="Where the DICOM lies; may be given several times.")],
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where trial.yaml is written.")] = Path(),
    engine: EngineName = "processes", workers: Workers = None, debug: Debug = False,
) -> None:  # fmt: skip
    """Look at a source and write a commented trial.yaml."""
    from . import screen
    from .initialise import write_trial

    with _engine(engine, workers) as running, screen.progress(False) as progress:
        path = write_trial(source, folder, running, progress)
    typer.echo(f"Wrote {path}. Read it, change what is not right, then run: trialbids export {path}")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="A new folder for it.")] = Path("demo-trial"),
    patients: Annotated[int, typer.Option(min=2, max=12, help="How many patients.")] = 6,
    train: Annotated[bool, typer.Option(help="End with two steps of a small network (needs trialbids[train]).")] = True,
    engine: EngineName = "processes", workers: Workers = None, debug: Debug = False,
) -> None:  # fmt: skip
    """Make a small multi-centre trial, export it, validate it, train on it."""
    from . import screen
    from .demo.generate import make_trial
    from .trial import load_trial

    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder}: is not empty; give a new folder for the demo trial")
    typer.echo(f"Making a trial of {patients} patients at three centres in {folder} …")
    made = make_trial(folder, patients=patients)
    trial = load_trial(made.configuration)
    with _engine(engine, workers) as running:
        code = run_export(trial, running)
    screen.show_decisions(trial)
    if train and code == 0:
        # A process of its own: the exporter does not know the datasets, only the tree lies between them.
        code = subprocess.run(
            [sys.executable, "-m", "trialbids.datasets.demo", str(trial.output)], check=False
        ).returncode
    raise typer.Exit(code)


def _trial(places: list[Path] | None, work: Path | None) -> Trial:
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


def _engine(name: str, workers: int | None) -> Engine:
    from .engine import engine

    if name not in ("processes", "serial"):
        raise UsageError(f"--engine {name}: expected processes or serial")
    return engine(name, workers)


PLACE_ERRORS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP})
WHOLE = "what is in the tree is whole, the next run goes on from there"


def main() -> None:
    """Run a command; an error is one sentence on the error stream, and the exit code says what kind it was."""
    from .engine import quieten

    quieten()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except SystemExit as end:  # typer turns Ctrl-C into this
        if end.code == EXIT_INTERRUPTED:
            typer.echo(f"trialbids: interrupted; {WHOLE}", err=True)
        raise
    except TrialbidsError as error:
        _end(str(error), error.exit_code, error)
    except KeyboardInterrupt as error:
        _end(f"interrupted; {WHOLE}", EXIT_INTERRUPTED, error)
    except OSError as error:
        if error.errno in PLACE_ERRORS:
            _end(f"{error.filename}: {error.strerror}; give a place that can be read or written", 2, error)
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or "a file could not be copied"
        _end(f"{error.filename or 'the system'}: {what}; {WHOLE}", 1, error)
    except Exception as error:  # noqa: BLE001 - the border of the program: a user sees one sentence, --debug the rest
        name = type(error).__name__
        _end(f"an error of the program ({name}); run it again with --debug and report what it shows", 1, error)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _end(sentence: str, code: int, error: BaseException) -> NoReturn:
    if "--debug" in sys.argv:
        raise error
    typer.echo(f"trialbids: {sentence}", err=True)
    sys.exit(code)
