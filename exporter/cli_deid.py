"""The commands about who is who and what may leave: ``deid review``, ``deid verify``, ``deid rotate`` and ``link``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import Debug, EngineName, Json, Places, Work, Workers, engine_of, trial_of
from .border import EXIT_LEAK
from .errors import UsageError
from .tables import CONTROL

if TYPE_CHECKING:
    from .release.linkage import Link
    from .release.valuereview import Sheet

deid = typer.Typer(
    name="deid",
    help="What may leave, the proof that nothing else did, and the key behind all labels.",
    no_args_is_help=True,
)


TrialFile = Annotated[
    Path | None, typer.Argument(metavar="[TRIAL.YAML]", help="The trial's configuration (the default is ./trial.yaml).")
]


@deid.command()
def review(
    places: Places = None,
    apply: Annotated[Path | None, typer.Option(help="A copy of review-values.tsv in which values were marked.")] = None,
    by: Annotated[str, typer.Option(help="Whose marks these are; the default is the name of the user.")] = "",
    work: Work = None, json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Write the table of the distinct values that left or were stopped, for a person to mark; read the marks back.

    Private: a stopped value stands there as the header has it.
    """
    from . import screen
    from .places import workplace
    from .release.valuereview import review_values

    if by and apply is None:
        raise UsageError("--by says whose marks are applied; give the marked table with --apply")
    trial = trial_of(places, work)
    with workplace(trial):
        done = review_values(trial, None if apply is None else _sheet(apply, by))
    if json:
        counts = {"lines": len(done.lines), "stopped": done.n_stopped, "unmarked": done.n_unmarked}
        screen.OUT.print_json(data=counts | {"taken": len(done.taken), "table": str(done.table)})
        return
    if apply is not None:
        screen.OUT.print(f"{len(done.taken)} marks taken; the next export applies them", soft_wrap=True)
    lines = f"{len(done.lines)} lines, {done.n_stopped} of them values that did not leave, {done.n_unmarked} not marked"
    screen.OUT.print(f"{lines}: {done.table} (private)", soft_wrap=True)


@deid.command()
def verify(
    root: Annotated[Path, typer.Argument(metavar="BIDS_ROOT", help="The root of a released tree.")],
    configuration: Annotated[
        Path | None, typer.Option("--trial", help="Its trial.yaml: it names the work folder and the key.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Its private work folder; the default is BIDS_ROOT.work, or what --trial says.")
    ] = None,
    engine: EngineName = "processes", workers: Workers = None, json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Prove a tree: every file, header and name is inspected and searched for all that is known of anybody.

    Ends with 5 where something was found; the list is in leaks.tsv in the work folder.
    """
    from . import screen
    from .places import key_of, locked
    from .release.afterproof import prove_again, shown

    trial = trial_of([configuration], work) if configuration else None
    folder = trial.work if trial else (work or root.absolute().with_name(root.absolute().name + ".work")).absolute()
    pseudonyms = key_of(folder, trial.key if trial else None)
    with engine_of(engine, workers) as running, locked(folder), screen.progress(json) as progress:
        done = prove_again(root, folder, pseudonyms, running, progress)
    if json:
        unsearched = [{"kind": k, "reason": r, "count": n} for (k, r), n in sorted(done.unsearched.items())]
        counts = {"files": done.n_files, "identifiers": done.n_identifiers, "leaks": done.counts()}
        screen.OUT.print_json(data=counts | {"unsearched": unsearched})
    else:
        for line in shown(done):
            screen.OUT.print(line, soft_wrap=True)
        what = f"{done.n_files:,} files searched for {done.n_identifiers:,} identifiers"
        found = f"{len(done.leaks)} leaks, listed in {folder / 'leaks.tsv'}" if done.leaks else "nothing found"
        screen.OUT.print(f"{what}: {found}", soft_wrap=True)
    raise typer.Exit(EXIT_LEAK if done.leaks else 0)


@deid.command()
def rotate(
    places: Places = None,
    old_key: Annotated[
        Path | None, typer.Option(help="A file with the old key, where the new one is given from outside already.")
    ] = None,
    lost: Annotated[bool, typer.Option("--lost", help="Nobody has the old key any more.")] = False,
    work: Work = None, json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Start a new release line: a new key, new labels for everybody, and a private table from the old to the new."""
    from . import screen
    from .places import check_rotation, is_halfway, locked
    from .release.rotate import rotate as make_rotation

    folder, file = _work_and_key(places, work)
    check_rotation(folder, file)
    halfway = is_halfway(folder)
    with locked(folder):
        done = None if halfway else make_rotation(folder, file, old_key=old_key, lost=lost)
    if done is None:
        screen.OUT.print("the rotation that was interrupted is complete; no further one was made", soft_wrap=True)
    elif json:
        values = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(done).items()}
        screen.OUT.print_json(data=values)
    else:
        for line in done.lines():
            screen.OUT.print(line, soft_wrap=True)


def link(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A label, a file of the tree, a PatientID or a UID.")],
    trial: TrialFile = None, work: Work = None, json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Show whom a pseudonym stands for, or the pseudonym of a PatientID or UID. Private: needs the key."""
    from . import screen
    from .places import key_of
    from .release.linkage import find_links, read_linkage
    from .release.uidlinks import find_uid, is_uid

    folder, file = _work_and_key([trial] if trial else None, work)
    pseudonyms = key_of(folder, file)
    found = find_links(read_linkage(folder, pseudonyms), name)
    if not found and is_uid(name):
        uid = find_uid(folder, pseudonyms, name)
        if json:
            screen.OUT.print_json(data={"uids": [asdict(uid)]})
        else:
            where = uid.keyword or "not in the inventory of this work folder: computed"
            screen.OUT.print(f"{uid.original} -> {uid.pseudonym} ({where})", soft_wrap=True)
        return
    if not found:
        raise UsageError(f"{name}: is no label, no PatientID and no UID of {folder}; is it the right work folder?")
    if json:
        screen.OUT.print_json(data={"links": [_plain(row) for row in found]})
    else:
        for line in _table(found):
            screen.OUT.print(line, soft_wrap=True)


def _sheet(path: Path, by: str) -> Sheet:
    """The marked table, signed."""
    from datetime import datetime
    from getpass import getuser

    from .release.valuereview import Sheet

    if CONTROL.search(by):
        raise UsageError(f"--by {by!r}: holds a control character; give a name in plain letters")
    try:
        name = by.strip() or getuser()
    except (OSError, KeyError):  # an account without a name, as in some containers
        name = "unknown"
    return Sheet(path, name, datetime.now().astimezone().isoformat("T", "seconds"))


def _work_and_key(places: list[Path] | None, work: Path | None) -> tuple[Path, Path | None]:
    """The work folder that the arguments name, and the file of the key where a trial.yaml names one."""
    if work is not None and not places:
        return work.absolute(), None
    trial = trial_of(places, work)
    return trial.work, trial.key


def _plain(row: Link) -> dict[str, object]:
    from .release.linkage import AND

    return {**asdict(row), "patient_ids": [word for word in row.patient_ids.split(AND) if word]}


def _table(rows: tuple[Link, ...]) -> list[str]:
    """The rows in columns, with the prefixes of the tree."""
    head = ("subject", "session", "id", "visit", "date", "namespace", "patient ids")
    cells = [(f"sub-{r.subject}", f"ses-{r.session}", r.id, r.visit, r.date, r.namespace, r.patient_ids) for r in rows]
    widths = [max(len(line[n]) for line in (head, *cells)) for n in range(len(head))]
    return [
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *cells)
    ]
