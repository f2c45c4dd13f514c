"""The steps of a pipeline before the first random one: done once a sample, and kept (L2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from types import FunctionType, ModuleType
from typing import Any

import monai
import numpy as np
import torch
from monai.transforms.compose import Compose
from monai.transforms.io.array import SaveImage
from monai.transforms.traits import LazyTrait, RandomizableTrait
from monai.transforms.transform import MapTransform
from monai.transforms.utility.dictionary import DeleteItemsd

from ..errors import QueryError
from .blobs import Damaged, believed
from .cache import Cache, code_version
from .canonical import describe
from .codec import decode, encode
from .loading import LoadSequencesd, files_of
from .seeding import randomizables
from .volumes import is_whole, key_of

REST = "rest of the row"
"""The entry that stands for all that belongs to no image; gone behind a step that keeps only certain entries."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline cut in two: ``steps[:cut]`` depend on the images alone and are not random."""

    steps: Compose
    cut: int

    @property
    def rest(self) -> tuple[Any, ...]:
        """The steps behind the cut."""
        return tuple(self.steps.transforms[self.cut :])

    def before(self, sample: Any) -> Any:
        """Do what comes before the cut."""
        return self.steps(sample, end=self.cut) if self.cut else sample

    def after(self, sample: Any, first: Callable[[Any], Any] | None = None) -> Any:
        """Do the rest; ``first`` stands in for its first step."""
        start = self.cut if first is None else self.cut + 1
        made = sample if first is None else first(sample)
        return self.steps(made, start=start) if start < len(self.steps.transforms) else made


def cut(steps: Compose, scalars: Collection[str]) -> Pipeline:
    """Cut before the first step that is random, saves, has one of ``scalars`` among its keys, or is done lazily.

    A lazy step waits for the next ones to be done with them at once: another cut would be another interpolation.
    """
    flat = steps.flatten()
    stops = (n for n, step in enumerate(flat.transforms) if _stops(step, flat, scalars))
    return Pipeline(flat, next(stops, len(flat.transforms)))


class Prefix:
    """Loads a sample and does the steps before the cut, or takes the result from the cache.

    ``keys`` are those of images and labels: only they and what belongs to them go in and are kept, so that a changed
    label value or clinical column is never hidden by the cache; for all else :data:`REST` stands in. The key of a
    result is made of the content of all its files and the last part of their names, of how they are read, of the steps
    as :func:`describe` writes them down, and of the libraries that do them; the files are named as the sample names
    them, wherever they lay when it was kept. Raises :class:`QueryError` where a step cannot be written down.
    """

    def __init__(self, load: LoadSequencesd, pipeline: Pipeline, cache: Cache) -> None:
        self.load = LoadSequencesd(load.keys, load.dtype, load.allow_missing_keys, cache.readonly(), load.resample)
        self.pipeline = pipeline
        self.cache = cache
        steps = pipeline.steps.transforms[: pipeline.cut]
        frame = [pipeline.steps.map_items, pipeline.steps.unpack_items]
        libraries = [torch.__version__, np.__version__, monai.__version__]
        self._spec = json.dumps([code_version(), libraries, describe(load), frame, [describe(step) for step in steps]])
        self._owners = list(_parts(steps))

    def __call__(self, sample: Mapping[str, Any]) -> Any:
        """The sample after the cut: images, labels, and :data:`REST` unless a step leaves it out.

        Raises :class:`ReadError`.
        """
        key, names = self._key(sample), self._files(sample)
        blob = self.cache.find(key)
        if blob is not None:
            try:
                with blob, believed():
                    return decode(blob.body, blob, self._owners, names)
            except Damaged as error:
                self.cache.discard(key, error)
        loaded = {**self.load({**sample}), REST: True}
        stable = self._key(sample) == key and all(is_whole(path) for path in names if not str(path).endswith(".tsv"))
        try:
            made = self.pipeline.before(loaded)
        except RuntimeError as error:
            raise self._lacking(error, loaded) or error from error.__cause__
        if stable:
            self.cache.keep(key, *encode(made, self._owners, names))
        return made

    def _lacking(self, error: RuntimeError, loaded: Mapping[str, Any]) -> QueryError | None:
        """What to say where a step asks for an entry that belongs to no image; None where something else is wrong."""
        cause = error.__cause__
        while isinstance(cause, RuntimeError) and cause.__cause__ is not None:
            cause = cause.__cause__
        if not isinstance(cause, KeyError) or not cause.args or cause.args[0] in loaded:
            return None
        there = ", ".join(repr(name) for name in loaded if name != REST)
        return QueryError(
            f"cache: {error}: there is no entry {cause.args[0]!r} for it. Steps before the first random one are kept, "
            f"and see images and labels only: {there}. Put it behind a random one, or leave out cache=."
        )

    def _files(self, sample: Mapping[str, Any]) -> list[str]:
        return [str(path) for key in self.load.keys for path in files_of(sample.get(str(key), "")) if path]

    def _key(self, sample: Mapping[str, Any]) -> str:
        digest = hashlib.blake2b(self._spec.encode(), digest_size=20)
        names = self._files(sample)
        digest.update(repr([(names.index(name), PurePath(name).name) for name in names]).encode())
        for key in self.load.keys:
            files = [key_of(path) if path else "" for path in files_of(sample.get(str(key), ""))]
            digest.update(repr((key, files)).encode())
        digest.update(repr([(name, value) for name, value in sample.items() if name not in self.load.keys]).encode())
        return digest.hexdigest()


def _stops(step: Any, steps: Compose, scalars: Collection[str]) -> bool:
    parts = list(_parts([step]))
    if any(isinstance(part, RandomizableTrait | SaveImage) for part in parts):
        return True
    if any(type(part) is not Compose for part in randomizables(step)):
        return True
    if any(isinstance(part, MapTransform) and _touches(part, scalars) for part in parts):
        return True
    return any(isinstance(part, LazyTrait) and _is_lazy(part, steps.lazy) for part in parts)


def _touches(step: MapTransform, scalars: Collection[str]) -> bool:
    """Whether its keys are entries that belong to no image, or patterns, which may mean such entries."""
    patterns = isinstance(step, DeleteItemsd) and any(step.use_re)
    return patterns or bool(set(step.keys) & set(scalars))


def _is_lazy(step: Any, lazy: bool | None) -> bool:
    return step.lazy is True if lazy is None else bool(lazy)


def _parts(steps: Sequence[Any]) -> Iterator[Any]:
    """The steps and all objects that can be called inside them, in an order that is the same in every process."""
    waiting, seen = list(reversed(steps)), set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, type | ModuleType | FunctionType):
            continue
        seen.add(id(part))
        if isinstance(part, list | tuple):
            waiting.extend(reversed(part))
        elif isinstance(part, dict):
            waiting.extend(reversed(list(part.values())))
        elif callable(part) and hasattr(part, "__dict__"):
            yield part
            waiting.extend(reversed(list(vars(part).values())))
