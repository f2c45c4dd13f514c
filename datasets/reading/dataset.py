"""A cohort as a MONAI dataset."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, SupportsIndex

import torch
from monai.data.dataset import Dataset
from monai.transforms.compose import Compose
from monai.transforms.transform import Randomizable
from monai.transforms.utility.dictionary import ConcatItemsd, DeleteItemsd

from ..cohorts.cohort import Cohort
from ..cohorts.rows import SIDE_KEYS
from ..errors import ReadError
from .cache import Cache
from .crops import PushedCrop
from .draws import Draw
from .loading import LoadSequencesd
from .prefix import REST, Pipeline, Prefix, cut
from .resampling import ResampleToGridd
from .seeding import derived_seed, may_be_random, randomizables, seeded
from .skipping import SKIPPED, Skips, check_policy, left_out
from .stacking import check_stack, stacked

Transform = Callable[[Any], Any]


class CohortDataset(Dataset):
    """The samples of a cohort, loaded (:class:`LoadSequencesd`) and transformed.

    >>> dataset = CohortDataset(cohort, transform=RandFlipd(["t2"], prob=0.5), seed=0)   # doctest: +SKIP
    >>> loader = DataLoader(dataset, batch_size=2, num_workers=2, collate_fn=collate)    # doctest: +SKIP

    ``dataset[3]`` is a sample, ``dataset[2:5]`` and ``dataset[[1, 4]]`` are subsets, and
    ``dataset[Draw(3, epoch, repeat)]`` is what a sampler asks for. What is random in ``transform`` depends on ``seed``,
    the epoch, the sample and the repeat alone, not on workers or order; :meth:`set_epoch` before an epoch draws anew.

    - ``dtype`` casts every image, for instance to ``torch.float32``.
    - ``cache`` keeps decoded volumes, or, where ``transform`` begins with steps that are not random, what those steps
      make of a sample; the values are the same as without. Such a step sees images and labels only, and one that
      cannot be written down (a lambda, a class of your own) is refused here: see :func:`versioned`. A transform whose
      attributes are changed afterwards needs a new dataset.
    - ``errors="skip"`` leaves out samples whose files are damaged: :func:`collate` lists the reasons under
      ``"skipped"``, which every batch then has (a batch of which nothing is left has no images, and an empty
      ``sample_id``), each is warned of once, and :attr:`skipped` knows them all.
    - ``stack="image"`` makes all images the channels of one tensor of that name.
    - A cohort made with ``grid=Resample(…)`` is brought to that grid before ``transform``, the images lazily if it is
      a lazy ``Compose``, labels always at once and from the nearest voxel.

    Raises :class:`QueryError` and :class:`CohortError` for what cannot be meant or stacked, and on reading
    :class:`ReadError` naming participant, session and file.
    """

    def __init__(
        self,
        cohort: Cohort,
        transform: Transform | Sequence[Transform] | None = None,
        *,
        seed: int = 0,
        dtype: torch.dtype | None = None,
        cache: Cache | None = None,
        errors: str = "raise",
        stack: str | None = None,
    ) -> None:
        check_policy(errors)
        if stack is not None:
            check_stack(cohort, stack)
        super().__init__(data=cohort, transform=_pipeline(cohort, transform, stack))
        self.cohort = cohort
        self.seed = seed
        self.errors = errors
        self._stack = stack if cohort.resample is None else None
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._skips = Skips(len(cohort))
        keys = (self._stack, *cohort.label_keys) if self._stack else cohort.keys
        self.load = LoadSequencesd(keys, dtype=dtype, cache=cache, resample=False)
        self._own = frozenset([*keys, *(f"{key}{side}" for key in keys for side in SIDE_KEYS)])
        self._pipeline = self._cut(cache is not None)
        self._prefix = None if cache is None or not self._pipeline.cut else Prefix(self.load, self._pipeline, cache)
        self._random: list[Randomizable] | None = None

    @property
    def epoch(self) -> int:
        """The epoch whose random numbers are drawn where no :class:`Draw` says it."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Draw other random numbers; workers that are kept over epochs see it too."""
        self._epoch.fill_(epoch)

    @property
    def skipped(self) -> tuple[str, ...]:
        """The ``sample_id`` of every sample that was left out so far, also in workers."""
        return tuple(self.cohort[index]["sample_id"] for index in self._skips.indices())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, Draw):
            return self._draw(index)
        if isinstance(index, SupportsIndex):
            return self._draw(Draw(operator.index(index), self.epoch))
        return super().__getitem__(index)

    def _transform(self, index: int) -> Any:
        return self._draw(Draw(index, self.epoch))

    def _cut(self, cached: bool) -> Pipeline:
        steps = self.transform
        assert isinstance(steps, Compose)
        if not cached or not len(self.cohort):
            return Pipeline(steps, 0)
        return cut(steps, frozenset(self._row(0)) - self._own)

    def _row(self, index: int) -> dict[str, Any]:
        row = self.cohort[index]
        return stacked(row, self._stack, self.cohort.image_keys) if self._stack else row

    def _draw(self, draw: Draw) -> Any:
        row = self._row(draw.index)
        try:
            sample = self._loaded(row)
        except ReadError as error:
            if self.errors == "raise":
                raise
            self._skips.note(draw.index, str(error))
            return left_out(row, str(error))
        made = self._augmented(sample, draw, row["sample_id"])
        return _each(made, {SKIPPED: ""}) if self.errors == "skip" else made

    def _loaded(self, row: dict[str, Any]) -> Any:
        """The sample as it is before what is random."""
        if self._prefix is None:
            return self.load({**row})
        made = self._prefix({name: value for name, value in row.items() if name in self._own})
        return _rejoined(made, self.load.finish({k: value for k, value in row.items() if k not in self._own}))

    def _augmented(self, sample: Any, draw: Draw, sample_id: str) -> Any:
        if self._random is None:
            rest = self._pipeline.rest
            self._random = randomizables(rest)
            self._seeded = may_be_random(rest)
            self._crop = PushedCrop.of(self._pipeline.steps, self._pipeline.cut)
        if not self._seeded:
            return self._pipeline.after(sample)
        with seeded(derived_seed(self.seed, draw.epoch, sample_id, draw.repeat), self._random):
            return self._pipeline.after(sample, self._crop)


def _pipeline(cohort: Cohort, transform: Transform | Sequence[Transform] | None, stack: str | None) -> Compose:
    """The steps of the cohort (resampling, and stacking after it), then those of the caller."""
    steps = [] if transform is None else [transform] if callable(transform) else list(transform)
    first_step = steps[0] if len(steps) == 1 else None
    given = first_step if isinstance(first_step, Compose) else Compose(steps)
    if cohort.resample is None:
        return given
    first: list[Transform] = [ResampleToGridd(cohort.resample, cohort.image_keys, cohort.label_keys)]
    if stack is not None:
        others = [key for key in cohort.image_keys if key != stack]
        first += [ConcatItemsd(cohort.image_keys, stack), DeleteItemsd(others)]
    return Compose(
        [*first, *given.transforms],
        map_items=given.map_items,
        unpack_items=given.unpack_items,
        log_stats=given.log_stats,
        lazy=given.lazy,
        overrides=given.overrides,
    )


def _rejoined(made: Any, rest: Mapping[str, Any]) -> Any:
    """What the first steps made, with the rest of the row wherever they kept it."""
    if isinstance(made, list):
        return [_rejoined(one, rest) for one in made]
    if not isinstance(made, Mapping) or REST not in made:
        return made
    return {**{key: value for key, value in made.items() if key != REST}, **rest}


def _each(made: Any, more: Mapping[str, Any]) -> Any:
    """More entries for a sample, or for every one of several."""
    if isinstance(made, list):
        return [_each(one, more) for one in made]
    return {**made, **more} if isinstance(made, Mapping) else made
