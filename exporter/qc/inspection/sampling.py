"""Drawing a sample for a trial: what is there, what was judged before, how many, which."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from ...plan.row import PLAN_FILE
from ...tables import read_tsv
from ..names import ASPECTS
from .bounds import needed
from .draw import Draw, Drawn, Stratum, allocate, choose, left_to_draw, per_stratum, strata_of
from .population import Released, basis_of
from .store import judged_states, next_number, read_draws, read_taken

DEFAULT_SIZE = 60


@dataclass(frozen=True, slots=True)
class Size:
    """How large a sample is: ``n`` images, so many of each stratum, or as many as a bound needs. One of them is set."""

    n: int | None = None
    each: int | None = None
    error: float | None = None

    def counts(self, sizes: Mapping[Stratum, int]) -> dict[Stratum, int]:
        """How many of each stratum. Raises ``UsageError`` where more than one size is given, or one that is none."""
        if sum(given is not None for given in (self.n, self.each, self.error)) > 1:
            raise UsageError("--n, --per-stratum and --max-error say the size of the sample each; give one of them")
        for name, number in (("--n", self.n), ("--per-stratum", self.each)):
            if number is not None and number < 1:
                raise UsageError(f"{name} {number}: expected a whole number from 1")
        if self.each is not None:
            return per_stratum(sizes, self.each)
        if self.error is not None:
            return allocate(sizes, needed(self.error))
        return allocate(sizes, DEFAULT_SIZE if self.n is None else self.n)


def draw_sample(work: Path, images: Sequence[Released], size: Size, seed: int, *, again: bool = False) -> Draw:
    """A new sample of the images of a tree; nothing is written.

    Images that were judged as they are now are left out unless ``again``. Raises ``UsageError`` where none is left.
    """
    draws = read_draws(work)
    known: Collection[str] = () if again else judged_states(draws, read_taken(work, draws))
    if not images:
        raise UsageError("the released tree holds no images; run trialbids export first")
    left = strata_of(left_to_draw(images, known))
    if not left:
        raise UsageError(f"all {len(images):,} images were inspected and are unchanged; --again draws them once more")
    counts = size.counts({key: len(members) for key, members in left.items()})
    stacks = _stacks(work)
    drawn = tuple(_drawn(image, stacks.get(image.path, "")) for image in choose(left, counts, seed))
    strata = {key: frozenset(i.state for i in members) for key, members in strata_of(images).items()}
    return Draw(next_number(work), seed, strata, drawn)


def _drawn(image: Released, stack_id: str) -> Drawn:
    bases = {aspect: basis_of(aspect, image.voxels_sha256, image.affine, image.words) for aspect in ASPECTS}
    return Drawn(image.path, image.site, image.sequence, image.state, stack_id, bases)


def _stacks(work: Path) -> dict[str, str]:
    """The stack that each released image was made from, by the plan."""
    path = work / PLAN_FILE
    if not path.is_file():
        raise UsageError(f"{path}: there is no plan; give the work folder of the tree with --work")
    try:
        rows = [row for row in read_tsv(path) if row["bids_path"] and row["final_decision"] in ("keep", "")]
        return {row["bids_path"]: row["stack_id"] for row in rows}
    except (ValueError, KeyError) as error:
        raise UsageError(f"{path}: was changed by hand; run trialbids export again") from error
