"""The command ``qc sample``: draw a random sample of what was released, and take in what a reader says of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import Debug, Json, Places, Work, trial_of
from .errors import UsageError

LARGEST_SEED = 10**17

if TYPE_CHECKING:
    from .qc.inspection.draw import Draw
    from .qc.inspection.estimate import Inspection, Share
    from .qc.inspection.population import Released
    from .qc.inspection.store import Taken
    from .trial import Trial


def sample(
    places: Places = None,
    n: Annotated[int | None, typer.Option("--n", help="How many images; the default is 60.")] = None,
    per_stratum: Annotated[int | None, typer.Option(help="So many of each site and sequence instead.")] = None,
    max_error: Annotated[
        float | None, typer.Option(help="As many as show, if all are right, that at most this share is wrong (0.05).")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="The same seed and tree give the same sample.")
    ] = 1,
    again: Annotated[bool, typer.Option("--again", help="Draw also what was judged and is unchanged.")] = False,
    to: Annotated[Path | None, typer.Option(help="Where the sheet goes; the default is in the work folder.")] = None,
    read: Annotated[Path | None, typer.Option(help="A verdicts.tsv that was filled in: take the verdicts in.")] = None,
    work: Work = None, json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Draw a random sample of the released images for a person to judge, or read the verdicts back.

    Writes a contact sheet and a table to fill in. Private: both belong in no release.
    """
    from .places import is_work_folder, locked

    trial = trial_of(places, work)
    if not is_work_folder(trial.work):
        raise UsageError(f"{trial.work}: is no work folder of trialbids; run trialbids export first, or give --work")
    with locked(trial.work):
        if read is None:
            _draw(trial, (n, per_stratum, max_error), seed, again, to, json)
            return
        if again or to is not None or any(size is not None for size in (n, per_stratum, max_error)):
            raise UsageError("--read takes verdicts in and draws nothing; give it without the options of a draw")
        _read(trial, read, json)


def _draw(
    trial: Trial, size: tuple[int | None, int | None, float | None], seed: int, again: bool, to: Path | None, json: bool
) -> None:
    from . import screen
    from .qc.inspection.lay import lay_out
    from .qc.inspection.population import read_population
    from .qc.inspection.promise import promised
    from .qc.inspection.sampling import Size, draw_sample
    from .qc.inspection.store import SHEET_FILE, VERDICTS_FILE, folder_of, read_draws, read_taken, write_draw

    if to is not None:
        _check_place(to, trial)
    images = read_population(trial.output)
    draws = read_draws(trial.work)
    taken = read_taken(trial.work, draws)
    draw = draw_sample(trial.work, images, Size(*size), seed, again=again)
    found = promised(draw, draws, taken)
    folder = folder_of(trial.work, draw.number) if to is None else to
    with screen.progress(json) as progress:
        lay_out(draw, images, trial.output, folder, trial.trial, progress)
    write_draw(trial.work, draw)
    error = size[-1]
    is_short = error is not None and found.at_most > error
    more = _more(draw, images, draws, taken, error, again=again) if error is not None and is_short else None
    strata = {image.stratum for image in draw.images}
    if json:
        counts = {"inspection": draw.number, "seed": seed, "drawn": len(draw.images), "images": len(images)}
        paths = {"sheet": str(folder / SHEET_FILE), "verdicts": str(folder / VERDICTS_FILE)}
        bound = {"at_most_if_right": round(found.at_most, 6)}
        bound |= {} if error is None else {"meets_max_error": not is_short, "more_needed": more if is_short else 0}
        screen.OUT.print_json(data=counts | {"strata": len(strata), "strata_in_tree": len(draw.strata)} | bound | paths)
        return
    drawn = f"{len(draw.images):,} of {len(images):,} images"
    groups = f"{len(strata)} of {len(draw.strata)} groups of site and sequence"
    screen.OUT.print(f"inspection {draw.number}: {drawn}, from {groups}, seed {seed}", soft_wrap=True)
    for line in _promise(draw, found, error, more):
        screen.OUT.print(line, soft_wrap=True)
    screen.OUT.print(f"look at {folder / SHEET_FILE} (private)", soft_wrap=True)
    screen.OUT.print(f"fill in {folder / VERDICTS_FILE}, then: trialbids qc sample --read FILE", soft_wrap=True)


def _more(
    draw: Draw, images: Sequence[Released], draws: Mapping[int, Draw], taken: Taken, error: float, *, again: bool
) -> int | None:
    from .qc.inspection.promise import more_needed
    from .qc.inspection.store import judged_states

    known: Collection[str] = () if again else judged_states(draws, taken)
    return more_needed(draw, images, known, draws, taken, error)


def _promise(draw: Draw, found: Inspection, error: float | None, more: int | None) -> Iterator[str]:
    """What all verdicts together will show if every image drawn is right, and whether that is what was asked for."""
    from .qc.inspection.estimate import percent

    before = found.sample.n - len(draw.images)
    beside = f", with the {before:,} judged before" if before > 0 else ""
    wrong = f", {found.sample.wrong:,} of them wrong" if beside and found.sample.wrong else ""
    drawn = f"at most {percent(found.sample.at_most)} of images as they were drawn are wrong (95 % confidence)"
    weighted = f"weighted by the size of the groups, at most {percent(found.at_most)} of {found.covered:,}"
    yield f"if all are right{beside}{wrong}: {drawn}; {weighted}"
    if error is None:
        return
    if found.at_most <= error:
        yield f"that meets --max-error {error:g}"
    elif more is None:
        yield f"that does not meet --max-error {error:g}, and the images that are left would not do either"
    else:
        total = len(draw.images) + more
        yield f"that does not meet --max-error {error:g}: {more:,} more images would do (--n {total})"


def _read(trial: Trial, path: Path, json: bool) -> None:
    from . import screen
    from .qc.inspection.estimate import estimate
    from .qc.inspection.fate import WORDS, fate_of
    from .qc.inspection.judged import judged_wrong, write_wrong
    from .qc.inspection.population import MANIFEST, read_population
    from .qc.inspection.store import read_draws, read_taken, take
    from .qc.inspection.verdicts import read_verdicts
    from .qc.ledger.waivers import waived_ids

    draws = read_draws(trial.work)
    if not draws:
        raise UsageError(f"{trial.work}: nothing was drawn yet; run trialbids qc sample first")
    waived = waived_ids(trial.work, date.today())
    images = read_population(trial.output) if (trial.output / MANIFEST).exists() else ()
    draw, verdicts = read_verdicts(path, draws)
    take(trial.work, draw, verdicts)
    taken = read_taken(trial.work, draws)
    wrong = judged_wrong(draws, taken)
    write_wrong(trial.work, wrong)
    found = estimate(draws, taken)
    by_path = {image.path: image for image in images}
    fates = [(w, fate_of(w, waived, by_path)) for w in wrong]
    if json:
        issues = [{"check": w.code, "stack_id": w.stack_id, "image": w.image, "fate": fate} for w, fate in fates]
        result = None if found is None else found.to_json()
        screen.OUT.print_json(
            data={"inspection": draw.number, "rows": len(verdicts), "issues": issues, "result": result}
        )
        return
    screen.OUT.print(f"inspection {draw.number}: {len(verdicts)} of {len(draw.images)} rows hold a verdict")
    for w, fate in fates:
        screen.OUT.print(f"  {w.code} {w.image}: {WORDS[fate]}", soft_wrap=True)
    for line in () if found is None else shown(found):
        screen.OUT.print(line, soft_wrap=True)


def shown(found: Inspection) -> Iterator[str]:
    """The result as lines: by stratum, by aspect, overall, and the sentences that say what it means."""
    from .qc.inspection.estimate import percent, rounded, sentences

    head = ("site", "sequence", "images", "known", "judged", "wrong", "unsure", "at most")
    rows = [(p.site, p.sequence, f"{p.images:,}", str(p.known), *_cells(p.share)) for p in found.strata]
    rows += [("all", "", f"{found.images:,}", str(sum(p.known for p in found.strata)), *_cells(found.sample))]
    rows += [("all:", name, "", "", *_cells(share)) for name, share in found.aspects.items()]
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    for row in (head, *rows):
        yield "  ".join(c.ljust(w) if n < 2 else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True)))
    if found.rate is not None:
        exact = f"{rounded(found.sample.low)} to {rounded(found.sample.high)}"
        rate = rounded(found.rate)
        yield f"weighted to the release: {rate} wrong, at most {percent(found.at_most)} (sample: {exact})"
    yield from sentences(found)


def _cells(share: Share) -> tuple[str, str, str, str]:
    from .qc.inspection.estimate import percent

    return str(share.n), str(share.wrong), str(share.unsure), percent(share.at_most) if share.n else "-"


def _check_place(to: Path, trial: Trial) -> None:
    """Refuse a folder where a sheet of images could be released, or lie among other files."""
    real = to.resolve()
    shared = [("released tree", trial.output.resolve()), *(("source", source.resolve()) for source in trial.sources)]
    for name, folder in shared:
        if real == folder or folder in real.parents:
            raise UsageError(f"{to}: lies in the {name}, and the sheet is private; give another folder with --to")
    dataset = next((p for p in (real, *real.parents) if (p / "dataset_description.json").is_file()), None)
    if dataset is not None:
        raise UsageError(f"{to}: lies in the BIDS dataset {dataset}, and the sheet is private; give another with --to")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to}: is no empty folder; give an empty or a new one with --to")
