"""The command line: thin commands over the stages. Whatever is heavy is imported inside the command that needs it."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from . import border
from .arguments import Debug, EngineName, Json, Places, Work, Workers, edited_plan, engine_of, rule_file_of, trial_of
from .border import EXIT_INVALID, EXIT_LEAK, EXIT_SESSIONS_FAILED
from .cli_deid import deid, link
from .cli_protocol import protocol
from .cli_qc import qc
from .cli_sample import sample
from .cli_seg import seg
from .errors import UsageError

if TYPE_CHECKING:
    from .engine import Engine
    from .trial import Trial

IMAGES = "trialbids.exporter.release.make"
"""What workers need to make images."""


class Commands(TyperGroup):
    """The commands of this room, and those that other rooms offer under the entry point group ``trialbids.commands``.

    The exporter knows none of them by name. They are looked for only where help is asked for, or a command that is not
    here, so that its own commands start no later for it.
    """

    _others: dict[str, Any] | None = None

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or self.others().get(cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *self.others()]

    def others(self) -> dict[str, Any]:
        """The commands of the other rooms by name."""
        if self._others is None:
            from importlib.metadata import entry_points

            groups = [typer.main.get_group(entry.load()) for entry in entry_points(group="trialbids.commands")]
            self._others = {name: command for group in groups for name, command in group.commands.items()}
        return self._others


app = typer.Typer(
    cls=Commands,
    name="trialbids",
    help="Trial DICOM to a curated, de-identified, quality-checked BIDS database, ready for MONAI and PyTorch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(deid)
app.add_typer(qc)
app.add_typer(protocol)
qc.command()(sample)
app.command()(link)
app.command()(seg)


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

    trial = trial_of(places, work)
    with engine_of(engine, workers) as running, workplace(trial), screen.progress(json) as progress:
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
    from .annotations.drawings import drawings_of
    from .deidentify.options import options_of
    from .pipeline import learn_from, plan_trial, scan_trial
    from .places import workplace
    from .plan.history import remembered
    from .plan.row import HISTORY
    from .release.flows import planned, write_exclusions
    from .release.guard import refuse_named_in
    from .release.parsimony import account, write_parsimony
    from .release.summary import summarise
    from .review.read import not_taken

    if not learn and (to is not None or force):
        raise UsageError("--to and --force belong to --learn; add it")
    trial = trial_of(places, work)
    edited = edited_plan(apply, by)
    rule_file = rule_file_of(trial, places, to, force) if learn else None
    check = partial(refuse_named_in, trial=trial)
    learned = None
    with engine_of(engine, workers) as running, workplace(trial) as pseudonyms, screen.progress(json) as progress:
        newest = next(remembered(trial.work / HISTORY), [])
        made = plan_trial(trial, scan_trial(trial, running, progress), pseudonyms, progress, edited, check)
        write_exclusions(trial.work, planned(made))
        drawings_of(trial.annotations, made, trial.work)
        if rule_file is not None:
            learned = learn_from(made, trial, rule_file, pseudonyms)
        rows = [p.row for p in made.planned]
        needs = account(made, rows, options_of(trial).allowed)
        write_parsimony(trial.work, needs)
    summary = summarise(made, rows, (), needs)
    named = {(e.stack_id, e.attribute) for e in (*made.taken, *(c.edit for c in made.contradicted))}
    left = () if edited is None else not_taken(edited.sheet, newest, rows, named)
    screen.show_summary(summary, None, trial, review=(made, learned), left=left, as_json=json)


@app.command()
def flow(
    places: Places = None, work: Work = None, engine: EngineName = "processes", workers: Workers = None,
    json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Draw who is in and who is not, step by step, before anything is exported.

    Writes flow.svg, flow.png, flow.tsv and flow.json into the work folder, and exclusions.tsv: every stack that is out,
    with its first reason and all others.
    """
    from . import screen
    from .pipeline import plan_trial, scan_trial
    from .places import workplace
    from .release.flows import flow_of, planned, write_exclusions, write_flow
    from .release.guard import refuse_named_in

    trial = trial_of(places, work)
    check = partial(refuse_named_in, trial=trial)
    with engine_of(engine, workers) as running, workplace(trial) as pseudonyms, screen.progress(json) as progress:
        made = plan_trial(trial, scan_trial(trial, running, progress), pseudonyms, progress, check=check)
        ended = planned(made)
        found = flow_of(ended, trial)
        written = [*write_flow(trial.work, found, trial.trial), write_exclusions(trial.work, ended)]
    screen.show_flow(found, written, made, trial.work, as_json=json)


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
    trial = trial_of([Path(place) for place in places], work)
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
    with engine_of(how, workers) as running, screen.progress(json) as progress:
        summary = harmonise_listing(task, output, running, progress)
    screen.show_listing(summary, table, output, as_json=json)


@app.command()
def export(
    places: Places = None, work: Work = None, engine: EngineName = "processes", workers: Workers = None,
    json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Export to a BIDS tree and validate it: what is already there and still good is left alone."""
    with engine_of(engine, workers, IMAGES) as running:  # first: its workers get ready while this process imports
        code = run_export(trial_of(places, work), running, json=json)
    raise typer.Exit(code)


def run_export(trial: Trial, engine: Engine, *, json: bool = False) -> int:
    """Export, validate, show what it came to; returns the exit code."""
    from . import screen
    from .inventory.scan import scan_trial
    from .places import workplace
    from .release.ahead import get_ready
    from .release.validate import Validator

    with workplace(trial) as pseudonyms, screen.progress(json) as progress, Validator(trial.output) as validator:
        inventory = scan_trial(trial, engine, progress, get_ready)

        from . import screen_qc  # from here on all that comes after the scan
        from .pipeline import plan_trial
        from .release.export import export_plan

        made = plan_trial(trial, inventory, pseudonyms, progress)
        exported = export_plan(made, trial, pseudonyms, engine, progress, validator.start)
        progress.start("validating", None)
        validation = validator.result()
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
    if not json:
        screen_qc.show_cycle(exported.cycle, trial.work, as_json=False)
        screen_qc.show_inspection(exported.inspection)
        screen.show_flow_line(exported.flow, trial)
    if exported.run.leaks:
        return EXIT_LEAK
    if exported.failures or exported.errors:
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
    like: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A public collection of the same form: lidc, picai, chexpert, rsna or tcia."),
    ] = None,
    annotations: Annotated[Path | None, typer.Option(help="Where its masks or tables lie, with --like.")] = None,
    engine: EngineName = "processes", workers: Workers = None, debug: Debug = False,
) -> None:  # fmt: skip
    """Look at a source and write a commented trial.yaml."""
    from . import screen
    from .initialise import write_trial

    with engine_of(engine, workers) as running, screen.progress(False) as progress:
        path = write_trial(source, folder, running, progress, like, annotations)
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
    with engine_of(engine, workers, IMAGES) as running:
        code = run_export(trial, running)
    screen.show_decisions(trial)
    if train and code == 0:
        # A process of its own: the exporter does not know the datasets, only the tree lies between them.
        code = subprocess.run(
            [sys.executable, "-m", "trialbids.datasets.demo", str(trial.output)], check=False
        ).returncode
    raise typer.Exit(code)


def main() -> None:
    """Run a command."""
    from .engine import collect_rarely, quieten

    quieten()
    collect_rarely()
    border.run(app)
