"""The commands ``protocol show``, ``check``, ``learn``, ``compare``, ``import`` and ``export``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import Debug, EngineName, Json, Places, Work, Workers, engine_of, trial_of
from .errors import UsageError

if TYPE_CHECKING:
    from .plan.build import Planned
    from .trial import Trial

protocol = typer.Typer(
    name="protocol",
    help="What was agreed to be scanned: shown, checked, learned from data, compared, brought in and given out.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="PROTOCOL", help="The name of a protocol, or the path of a .yaml file.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file.")]


@protocol.command()
def show(name: Name, json: Json = False, debug: Debug = False) -> None:
    """Print a protocol as YAML, with what it is based on filled in; checks it."""
    from trialbids.mappings.protocolfile import protocol_yaml

    from . import screen
    from .qc.protocol.check import read_protocol

    found = read_protocol(name)
    if json:
        screen.OUT.print_json(data=found.model_dump(mode="json", exclude_defaults=True))
    else:
        typer.echo(protocol_yaml(found), nl=False)


@protocol.command()
def check(
    places: Places = None,
    against: Annotated[str, typer.Option("--protocol", help="Another protocol than that of the trial.")] = "",
    work: Work = None, engine: EngineName = "processes", workers: Workers = None,
    json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Compare the plan with the protocol: what is missing or otherwise, and how far each site keeps it.

    Writes compliance.tsv into the work folder.
    """
    from . import screen
    from .qc.protocol.check import check_protocol, protocol_of, read_protocol
    from .qc.protocol.compliance import COMPLIANCE_FILE, compliance, compliance_bytes
    from .tables import write_atomic

    trial = trial_of(places, work)
    wanted = read_protocol(against) if against else protocol_of(trial)
    planned = _plan(trial, engine, workers, json)
    at = trial.qc.of_site
    findings, rows = check_protocol(planned, wanted, at), compliance(planned, wanted, at)
    path = trial.work / COMPLIANCE_FILE
    write_atomic(path, compliance_bytes(rows))
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.check] = counts.get(finding.check, 0) + 1
    if json:
        table = [row.to_row() for row in rows]
        screen.OUT.print_json(data={"protocol": wanted.protocol, "findings": counts, "compliance": table})
        return
    found = ", ".join(f"{n} x {code}" for code, n in sorted(counts.items())) or "nothing found"
    screen.OUT.print(f"{wanted.protocol}: {found}", soft_wrap=True)
    for row in rows:
        told = f"{row.site}  {row.slot}  {row.parameter}  {row.n_within}/{row.n}"
        allowed = f", allowed {row.allowed}" if row.allowed != row.wanted and row.allowed else ""
        ranges = f"(wanted {row.wanted} {row.unit}{allowed})"
        screen.OUT.print(f"{told}  {row.observed}  {ranges}", soft_wrap=True, markup=False)
    screen.OUT.print(f"written: {path}", soft_wrap=True)


@protocol.command()
def learn(
    places: Places = None,
    to: Annotated[Path, typer.Option("--to", help="The YAML file to write.")] = Path("protocol-learned.yaml"),
    force: Force = False,
    work: Work = None, engine: EngineName = "processes", workers: Workers = None,
    json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Write the protocol of what was scanned: kinds of image, how often each is there, ranges by vendor with counts."""
    from trialbids.mappings.protocolfile import protocol_yaml

    from . import screen
    from .qc.protocol.learn import learn as learn_protocol

    _check_target(to, force)
    made = learn_protocol(_plan(trial_of(places, work), engine, workers, json))
    _write(to, protocol_yaml(made))
    if json:
        screen.OUT.print_json(data={"slots": len(made.slots), "file": str(to)})
    else:
        screen.OUT.print(f"{len(made.slots)} slots, {made.meaning}: {to}", soft_wrap=True)


@protocol.command()
def compare(
    learned: Name,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="The protocol that it is compared with.")],
    json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Show where a learned protocol lies within, partly within or outside a reference, by slot and vendor."""
    from dataclasses import asdict

    from . import screen
    from .qc.protocol.check import read_protocol
    from .qc.protocol.compare import compare as compare_protocols
    from .qc.protocol.compare import differences_bytes

    rows = compare_protocols(read_protocol(learned), read_protocol(reference))
    if json:
        screen.OUT.print_json(data=[asdict(row) for row in rows])
    else:
        typer.echo(differences_bytes(rows).decode(), nl=False)


@protocol.command("import")
def bring_in(
    schema: Annotated[Path, typer.Argument(metavar="SCHEMA.JSON", help="A schema of dicompare.")],
    to: Annotated[Path, typer.Option("--to", help="The YAML file to write.")],
    force: Force = False, json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Make a protocol from a schema of dicompare; what of it cannot be said here is listed."""
    from trialbids.mappings.protocolfile import protocol_yaml

    from .qc.protocol.dicompare import import_schema, read_schema

    _check_target(to, force)
    made = import_schema(read_schema(schema), str(schema))
    _write(to, protocol_yaml(made.protocol))
    _tell(f"{len(made.protocol.slots)} slots: {to}", made.unexpressed, json)


@protocol.command("export")
def give_out(
    name: Name,
    to: Annotated[Path, typer.Option("--to", help="The JSON file to write.")],
    force: Force = False, json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Write a protocol as a schema of dicompare; what of it cannot be said there is listed."""
    from .qc.protocol.check import read_protocol
    from .qc.protocol.dicompareout import export_schema
    from .tables import json_bytes

    _check_target(to, force)
    made = export_schema(read_protocol(name))
    _write(to, json_bytes(made.schema).decode())
    _tell(f"{len(made.schema['acquisitions'])} acquisitions: {to}", made.unexpressed, json)


def _tell(done: str, unexpressed: tuple[str, ...], json: bool) -> None:
    from . import screen

    if json:
        screen.OUT.print_json(data={"done": done, "unexpressed": list(unexpressed)})
        return
    screen.OUT.print(done, soft_wrap=True)
    for sentence in unexpressed:
        screen.OUT.print(f"not expressed: {sentence}", soft_wrap=True, markup=False)


def _plan(trial: Trial, engine: str, workers: int | None, json: bool) -> tuple[Planned, ...]:
    """The stacks of the trial with their decisions; the plan is written as ``trialbids plan`` does."""
    from . import screen
    from .pipeline import plan_trial, scan_trial
    from .places import workplace
    from .release.guard import refuse_named_in

    check = partial(refuse_named_in, trial=trial)
    with engine_of(engine, workers) as running, workplace(trial) as pseudonyms, screen.progress(json) as progress:
        return plan_trial(trial, scan_trial(trial, running, progress), pseudonyms, progress, check=check).planned


def _check_target(path: Path, force: bool) -> None:
    """Refuse before any work a file that cannot be written."""
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"{path}: is no place for a file; give the path of one in a folder that there is with --to")
    if path.exists() and not force:
        raise UsageError(f"{path}: is there already; give another with --to, or --force to overwrite it")


def _write(path: Path, text: str) -> None:
    from .tables import write_atomic

    try:
        write_atomic(path, text.encode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); give another place with --to") from error
