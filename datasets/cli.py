"""The commands of the training side: ``trialbids datalist``, ``splits`` and ``card``.

They are found under the entry point group ``trialbids.commands``. Whatever is heavy is imported inside a command; torch
only by a format that needs it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import DatasetError, QueryError

if TYPE_CHECKING:
    from .cohorts.cohort import Cohort
    from .cohorts.recipe import Recipe as CohortRecipe
    from .exports.written import Written
    from .splits.splits import Splits

app = typer.Typer(help="What goes from the curated tree to a training: lists, splits, the data card.")

Root = Annotated[str, typer.Argument(metavar="BIDS_ROOT", help="The root of a BIDS tree: a folder, or a URL (s3://…).")]
Recipe = Annotated[Path | None, typer.Option("--cohort", help="A cohort.yaml, in place of the options from here …")]
Unit = Annotated[
    str | None, typer.Option(help="What a sample is: session (the default), participant, image or lesion.")
]
Images = Annotated[
    list[str] | None, typer.Option("--image", help="An image by its key: t2=T2w,plane=sag; may be given several times.")
]
Labels = Annotated[
    list[str] | None, typer.Option("--label", help="A mask by its key: lesion=lesion,reader=consensus; several times.")
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", help="orads=categorical:orads_score, age=regression:age, os=survival:months:event …"),
]
Where = Annotated[str | None, typer.Option(help="A condition over clinical columns: site != 'S07' and age >= 18.")]
Qc = Annotated[str | None, typer.Option(help="The verdict that images need: pass (the default), warn or better, any.")]
Missing = Annotated[str | None, typer.Option(help="What lacks an image: raise (the default), drop or mask.")]
Duplicates = Annotated[
    str | None, typer.Option(help="Where several answer: raise (the default), first, last, best-qc.")
]
Grid = Annotated[
    str | None,
    typer.Option(help="… to here. Voxel grids: any (the default), same, or the key of the image to resample to."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON, for machines.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a cohort, as they were given; None where they were not."""

    unit: str | None
    images: list[str] | None
    labels: list[str] | None
    targets: list[str] | None
    where: str | None
    qc: str | None
    missing: str | None
    duplicates: str | None
    grid: str | None

    def cohort(self, root: str, recipe: Path | None) -> Cohort:
        """The cohort of a recipe, or of these options. Raises :class:`QueryError` where both or neither are given."""
        from .cohorts.recipe import Recipe
        from .database import Database

        given = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) not in (None, [])}
        if recipe is not None and given:
            words = ", ".join(f"--{name.removesuffix('s') if name != 'duplicates' else name}" for name in given)
            raise QueryError(f"--cohort: says it all; leave out {words}, or write it into {recipe}")
        if recipe is None and "images" not in given:
            raise QueryError("say what a sample holds: --cohort cohort.yaml, or --image t2=T2w,plane=sag")
        return (Recipe.read(recipe) if recipe is not None else _recipe(given)).cohort(Database(root))


CONTINUED = "`trialbids splits … --previous OLD.tsv --out NEW.tsv`"
SPOKEN = {
    "Splits.load(…, changed='accept') uses it all the same": f"{CONTINUED} makes one of these, and nobody moves",
    "cohort.split(previous=…) continues it": f"{CONTINUED} continues it, and nobody moves",
    "groups= or aliases=": "--groups COLUMN",
    "or split(k=…)": "or divide by --k",
    "grid=Resample(…)": "--grid",
}
"""What the library says to who writes Python, and its like for who writes commands."""

_OPTIONS = (
    "unit|images|labels|targets|where|qc|missing|duplicates|grid|k|test|val|nested|stratify|groups|seed|previous|fold"
)
_ARGUMENT = re.compile(rf"(?<![\w./=-])({_OPTIONS})=(?![A-Z])('[^']*'|\"[^\"]*\"|[\w./]+)?")
_LEFT_OUT = re.compile(r"\bleave_one_out\('([^']*)'\)")


def in_options(sentence: str) -> str:
    """A message of the library in the words of the command line.

    >>> in_options("it is missing; ask for missing='drop', or leave them out by where='site != None'.")
    "it is missing; ask for --missing drop, or leave them out by --where 'site != None'."
    """
    for python, spoken in SPOKEN.items():
        sentence = sentence.replace(python, spoken)
    return _ARGUMENT.sub(_option, _LEFT_OUT.sub(r"--leave-one-out \1", sentence))


def _option(found: re.Match[str]) -> str:
    name, value = found[1].removesuffix("s") if found[1] in ("images", "labels", "targets") else found[1], found[2]
    return f"--{name}" if not value else f"--{name} {value if ' ' in value else value.strip(chr(39))}"


@contextmanager
def speaking_options() -> Iterator[None]:
    """Errors speak of options, as who reads them has a terminal before him."""
    try:
        yield
    except DatasetError as error:
        raise type(error)(in_options(str(error))) from error


def _recipe(given: Mapping[str, Any]) -> CohortRecipe:
    """The options of a cohort as the recipe that they are."""
    from pydantic import ValidationError

    from .cohorts.inline import query_of_text
    from .cohorts.recipe import Recipe

    values = dict(given)
    values["images"] = _keyed("--image", [query_of_text(text) for text in given["images"]])
    values["labels"] = _keyed("--label", [query_of_text(_labelled(text)) for text in given.get("labels", ())])
    values["targets"] = _keyed("--target", [_target(text) for text in given.get("targets", ())])
    if given.get("qc") == "any":
        values["qc"] = None
    if given.get("grid", "any") not in ("any", "same"):
        values["grid"] = {"resample": given["grid"]}
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][:2])
        raise QueryError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from error
    recipe.request()
    return recipe


def _keyed(option: str, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Values by key. Raises :class:`QueryError` where a key is given twice: the last would win in silence."""
    keyed = dict(pairs)
    if len(keyed) < len(pairs):
        twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        raise QueryError(f"{option}: the key {twice[0]!r} is given twice")
    return keyed


def _labelled(text: str) -> str:
    """``lesion=lesion,reader=R1`` as the query ``lesion=label=lesion,reader=R1``."""
    key, equals, rest = text.partition("=")
    return f"{key}=label={rest}" if equals and "=" not in rest.partition(",")[0] else text


def _target(text: str) -> tuple[str, dict[str, Any]]:
    """Key and recipe of ``orads=categorical:orads_score`` or ``os=survival:os_months:os_event``."""
    key, equals, rest = text.partition("=")
    kind, colon, columns = rest.partition(":")
    if not equals or not colon or not columns:
        raise QueryError(f"--target {text}: write a key, a kind and a column: orads=categorical:orads_score")
    names = columns.split(":")
    return key.strip(), {kind.strip(): names if len(names) > 1 or kind == "multilabel" else names[0]}


@app.command()
@speaking_options()
def datalist(
    root: Root,
    format_name: Annotated[
        str,
        typer.Option(
            "--format", help="monai, auto3dseg, nnunet, torchio, huggingface, webdataset, croissant or tsv."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The file or folder to write, outside of the tree.")],
    cohort: Recipe = None, unit: Unit = None, image: Images = None, label: Labels = None, target: Targets = None,
    where: Where = None, qc: Qc = None, missing: Missing = None, duplicates: Duplicates = None, grid: Grid = None,
    splits: Annotated[Path | None, typer.Option(help="A splits.tsv, as `trialbids splits` writes it.")] = None,
    fold: Annotated[int | None, typer.Option(min=1, help="One fold of it, counted from 1; the default is all.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the images instead of linking to them.")] = False,
    licence: Annotated[str, typer.Option(help="For croissant: the licence, where the tree names none.")] = "",
    creator: Annotated[
        list[str] | None, typer.Option(help="For croissant: who made the dataset; may be given several times.")
    ] = None,
    as_json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Write a cohort with its splits in the form of another framework: the tree stays the only copy where it can.

    monai and auto3dseg are one JSON, nnunet a folder Dataset###_Name of links, tsv a spreadsheet.
    """
    from .exports.formats import FORMATS, format_of
    from .exports.written import new_place
    from .splits.splits import Splits

    chosen = format_of(format_name)
    options: dict[str, Any] = {
        name: value for name, value in {"fold": fold, "copy": copy or None}.items() if value is not None
    }
    for name in options:
        if name not in chosen.options:
            raise QueryError(f"--{name}: {format_name} has no such choice; leave it out")
    if licence or creator:
        if "told" not in chosen.options:
            raise QueryError(f"--licence, --creator: {format_name} says neither; leave them out")
        from .exports.croissant import Told

        options["told"] = Told(licence=licence, creators=tuple(creator or ()))
    if fold is not None and splits is None:
        raise QueryError("--fold: counts the folds of a table; give it with --splits")
    new_place(out, root)
    asked = Asked(unit, image, label, target, where, qc, missing, duplicates, grid)
    found = asked.cohort(root, cohort)
    if found.resample is not None and not chosen.resamples:
        others = ", ".join(name for name, other in FORMATS.items() if other.resamples)
        raise QueryError(
            f"--format {format_name}: holds every image on its own grid; leave out --grid (grid: in the recipe) and "
            f"resample when the files are read, or take one of {others}"
        )
    divided = None if splits is None else Splits.load(found, splits)
    written = chosen.write(found, divided, out, **options)
    show_written(written, as_json=as_json)


@app.command()
@speaking_options()
def splits(
    root: Root,
    cohort: Recipe = None, unit: Unit = None, image: Images = None, label: Labels = None, target: Targets = None,
    where: Where = None, qc: Qc = None, missing: Missing = None, duplicates: Duplicates = None, grid: Grid = None,
    k: Annotated[int | None, typer.Option("--k", help="The number of folds.")] = None,
    test: Annotated[float | None, typer.Option(help="The share to test on, the same in all folds.")] = None,
    val: Annotated[float | None, typer.Option(help="The share to validate on, without folds or inside each.")] = None,
    nested: Annotated[int | None, typer.Option(help="The number of inner folds in every fold.")] = None,
    stratify: Annotated[list[str] | None, typer.Option(help="A column to balance; may be given several times.")] = None,
    groups: Annotated[str | None, typer.Option(help="A column whose values stay together, such as the family.")] = None,
    leave_one_out: Annotated[str | None, typer.Option(help="A column such as site: leave out each value once.")] = None,
    seed: Annotated[int | None, typer.Option(help="What the division is drawn from; 0 where none is given.")] = None,
    previous: Annotated[Path | None, typer.Option(help="An earlier splits.tsv: nobody in it moves.")] = None,
    out: Annotated[Path | None, typer.Option(help="The splits.tsv to write; a JSON is put beside it.")] = None,
    check: Annotated[Path | None, typer.Option(help="Check this splits.tsv for leaks; nothing is written.")] = None,
    as_json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Divide participants into parts, balanced and without leaks, or check a table of such parts.

    Ends with 4 where somebody stands on two sides: a participant, a declared group, equal voxels or one study.
    """
    from .exports.written import new_place
    from .splits.splits import Splits
    from .splits.table import beside

    design = {"k": k, "test": test, "val": val, "nested": nested, "stratify": stratify, "groups": groups, "seed": seed}
    given = {name: value for name, value in design.items() if value not in (None, [])}
    asked = Asked(unit, image, label, target, where, qc, missing, duplicates, grid)
    if check is not None:
        if given or leave_one_out or previous or out:
            raise QueryError("--check: looks at a table that is there; leave out what a new one would be made by")
        divided = Splits.load(asked.cohort(root, cohort), check)
        divided.check(content=True)
        show_splits(divided, check, as_json=as_json)
        return
    if out is None:
        raise QueryError("splits: give --out with the table to write, or --check with one to look at")
    new_place(out, root)
    new_place(beside(out), root)
    divided = _divided(asked.cohort(root, cohort), given, leave_one_out, previous)
    out.parent.mkdir(parents=True, exist_ok=True)
    divided.save(out)
    show_splits(divided, out, as_json=as_json)


def _divided(cohort: Cohort, given: Mapping[str, Any], column: str | None, previous: Path | None) -> Splits:
    """New parts of a cohort, as it was asked."""
    asked = {**given, **({} if previous is None else {"previous": previous})}
    if column is None:
        return cohort.split(**asked)
    if made := [f"--{name}" for name in ("k", "test") if name in asked]:
        raise QueryError(
            f"--leave-one-out: makes one fold a value of {column} and tests on who has it; leave out {', '.join(made)}"
        )
    return cohort.leave_one_out(column, **asked)


@app.command()
@speaking_options()
def card(
    root: Root,
    out: Annotated[
        Path | None, typer.Option(help="Where to write it; the default is curation/DATACARD.md in the tree.")
    ] = None,
    as_json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Write the data card: what is in the tree, where it comes from, what is missing and where it is biased."""
    from .database import Database
    from .exports.card import write_card

    show_written(write_card(Database(root), out), as_json=as_json)


def show_written(written: Written, *, as_json: bool) -> None:
    """What an export came to: where it is, how large it is, what must be known of it."""
    if as_json:
        counts = {"samples": written.samples, "files": written.files, "notes": list(written.notes)}
        typer.echo(json.dumps({"written": str(written.folder_or_file), **counts}))
        return
    typer.echo(f"{written.folder_or_file}: {_counted(written.samples, 'sample')}, {_counted(written.files, 'file')}")
    for note in written.notes:
        typer.echo(f"- {note}")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def show_splits(splits: Splits, path: Path, *, as_json: bool) -> None:
    """The sizes of the parts and their balance."""
    report = splits.report()
    if as_json:
        parts = [
            {"fold": c.fold, "part": c.part, "participants": c.participants, "samples": c.samples} for c in report.parts
        ]
        told = {"table": str(path), "leaks": 0, "parts": parts, "rare": report.rare, "notes": report.notes}
        typer.echo(json.dumps(told))
        return
    typer.echo(f"{report}\n\n{path}: no leak")
