"""Intensities of the training part: mean, spread and percentiles of every key and channel."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..cohorts.cohort import Cohort
from ..errors import CohortError, QueryError, ReadError, listing
from ..reading.cache import Cache
from ..reading.loading import LoadSequencesd
from .moments import ChannelStatistics, Moments
from .standardise import StandardiseSequencesd
from .values import is_train, require_train

NONZERO = "nonzero"


class IntensityStatistics(BaseModel):
    """Statistics of intensities, and of whom they were made.

    >>> intensities = IntensityStatistics.fit(train, ["t2", "dce"])          # doctest: +SKIP
    >>> intensities.save("intensities.json")                                 # doctest: +SKIP
    >>> dataset = CohortDataset(train, [intensities.transform(), …])         # doctest: +SKIP

    They are of the voxels as they are stored: where the cohort has a ``grid=Resample(…)``, which the dataset applies
    before its transforms, the resampled image has somewhat other extremes and less noise.

    ``channels`` holds for each key one :class:`ChannelStatistics` a channel, or a single one for all channels.
    ``participants`` are those of the training part: :meth:`check` refuses them in any other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Literal["trialbids-intensities/1"] = Field(default="trialbids-intensities/1", alias="schema")
    channels: dict[str, tuple[ChannelStatistics, ...]]
    within: str | None
    part: str
    fingerprint: str
    participants: tuple[str, ...]

    @classmethod
    def fit(
        cls,
        train: Cohort,
        keys: Sequence[str] | None = None,
        *,
        percentiles: Sequence[float] = (0.5, 50.0, 99.5),
        within: str | None = None,
        per_channel: bool = True,
        cache: Cache | None = None,
        whole: bool = False,
    ) -> IntensityStatistics:
        """Read every image of ``keys`` (all images) once, a volume at a time.

        ``within``       which voxels count: all, ``nonzero``, or those in the mask of a label key, on the same grid
        ``per_channel``  False: all phases or b-values of a key together, as a DCE of differing length needs
        ``cache``        a :class:`Cache`, to read from
        ``whole``        take a cohort that was not split

        Images that are missing (``missing="mask"``), or whose mask is, count nothing. Voxels count as they are stored,
        before any ``grid=Resample(…)``. Raises :class:`CohortError` where the cohort is not the training part, has no
        voxel to count, or numbers of channels differ, :class:`QueryError` for keys that are not there,
        :class:`ReadError` for a damaged file.
        """
        require_train(train, "IntensityStatistics.fit", whole=whole)
        keys = tuple(train.image_keys if keys is None else keys)
        wrong = [key for key in keys if key not in train.image_keys]
        if wrong or not keys:
            raise QueryError(f"fit: no images {wrong}; the cohort has: {' '.join(train.image_keys)}")
        if within not in (None, NONZERO, *train.label_keys):
            raise QueryError(f"fit: within={within!r}; legal: {NONZERO} {' '.join(train.label_keys)}")
        if not all(0 <= p <= 100 for p in percentiles):
            raise QueryError(f"fit: percentiles={tuple(percentiles)}; they lie between 0 and 100")
        found: dict[str, list[Moments]] = {key: [] for key in keys}
        for sample, key, volumes in _volumes(train, keys, within, cache):
            moments = found[key]
            if not moments:
                moments.extend(Moments(len(train)) for _ in range(len(volumes) if per_channel else 1))
            if per_channel and len(volumes) != len(moments):
                raise CohortError(
                    f"fit: {sample['sample_id']} has {len(volumes)} channels of {key}, others {len(moments)}; ask for "
                    "the same phases or b-values, or say per_channel=False."
                )
            for n, volume in enumerate(volumes):
                moments[n if per_channel else 0].add(volume, f"{sample['sample_id']} {key} {n}")
        return cls(
            channels={key: _results(key, moments, tuple(percentiles)) for key, moments in found.items()},
            within=within,
            part=train.part,
            fingerprint=train.fingerprint,
            participants=tuple(sorted(set(train.column("participant_id")))),
        )

    def transform(
        self, keys: Sequence[str] | None = None, *, clip: tuple[float, float] | None = None
    ) -> StandardiseSequencesd:
        """Subtract the mean and divide by the standard deviation of each channel; ``clip`` to two percentiles first.

        Raises :class:`QueryError` for keys or percentiles that were not fitted, :class:`CohortError` where a channel
        is constant.
        """
        keys = tuple(self.channels if keys is None else keys)
        wrong = [key for key in keys if key not in self.channels]
        if wrong:
            raise QueryError(f"transform: {wrong} were not fitted; there are: {' '.join(self.channels)}")
        chosen = {key: self.channels[key] for key in keys}
        constant = [key for key, channels in chosen.items() if any(channel.std == 0 for channel in channels)]
        if constant:
            raise CohortError(f"transform: {' '.join(constant)} has one value throughout, so there is no spread.")
        if clip is not None:
            known = sorted(next(iter(chosen.values()))[0].percentiles)
            if not (set(clip) <= set(known) and clip[0] < clip[1]):
                raise QueryError(f"transform: clip={clip}; it takes two of the percentiles fitted, {known}, in order")
        return StandardiseSequencesd(
            keys,
            mean=tuple(tuple(channel.mean for channel in chosen[key]) for key in keys),
            std=tuple(tuple(channel.std for channel in chosen[key]) for key in keys),
            clip=clip
            and tuple(
                tuple((channel.percentiles[clip[0]], channel.percentiles[clip[1]]) for channel in chosen[key])
                for key in keys
            ),
        )

    def __str__(self) -> str:
        """A short table, one line a channel."""
        percentiles = sorted({p for channels in self.channels.values() for c in channels for p in c.percentiles})
        rows = [["key", "channel", "mean", "std", "min", *(f"{p:g} %" for p in percentiles), "max", "voxels"]]
        for key, channels in self.channels.items():
            for number, c in enumerate(channels):
                shares = (c.percentiles.get(p, float("nan")) for p in percentiles)
                values = [f"{value:.4g}" for value in (c.mean, c.std, c.minimum, *shares, c.maximum)]
                rows.append([key, str(number) if len(channels) > 1 else "", *values, f"{c.voxels:,}"])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(w) if n else cell.ljust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        who = f"{len(self.participants)} participants of {self.part or 'a whole cohort'}"
        return "\n".join([f"{who}{f', voxels within {self.within}' * bool(self.within)}", *lines])

    def check(self, *cohorts: Cohort | None) -> None:
        """Raises :class:`CohortError` where a cohort cannot belong to the same split.

        A training part must hold nobody whom the fit has not seen, every other part nobody whom it has.
        """
        for cohort in cohorts:
            if cohort is None:
                continue
            people, fitted = set(cohort.column("participant_id")), set(self.participants)
            training = is_train(cohort.part) or (not cohort.part and cohort.fingerprint == self.fingerprint)
            wrong = people - fitted if training else people & fitted
            if wrong:
                raise CohortError(
                    f"the statistics were fitted on {self.part or 'a cohort that was not split'}; of "
                    f"{cohort.part or 'this cohort'} they have {'not seen' if training else 'seen'} {len(wrong)} "
                    f"participants; fit them on the training part of the same split:\n{listing(sorted(wrong))}"
                )

    def save(self, path: str | Path) -> None:
        """Write them as JSON."""
        Path(path).write_text(self.model_dump_json(indent=1, by_alias=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> IntensityStatistics:
        """Read them back. Raises :class:`ReadError` where the file is none of ours."""
        try:
            return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise ReadError(f"{path}: no intensity statistics can be read from it: {error}") from error


def _volumes(
    cohort: Cohort, keys: Sequence[str], within: str | None, cache: Cache | None
) -> Iterator[tuple[Mapping[Hashable, Any], str, list[np.ndarray]]]:
    """Of every sample and key the voxels that count, a 1-D array a channel."""
    mask_key = within if within in cohort.label_keys else None
    for row in cohort:
        sample: dict[Hashable, Any] = {**row}
        present = [key for key in keys if sample[key]]
        wanted = [*present, *([mask_key] if mask_key and sample[mask_key] else [])]
        if not present or (mask_key and mask_key not in wanted):
            continue
        loaded = LoadSequencesd(wanted, cache=cache, resample=False)(sample)
        for key in present:
            image = loaded[key]
            mask = None if mask_key is None else _mask(sample, key, image, mask_key, loaded[mask_key])
            yield sample, key, [_counting(channel, mask, within) for channel in image.as_tensor()]


def _mask(sample: Mapping[Hashable, Any], key: str, image: Any, mask_key: str, mask: Any) -> torch.Tensor:
    if mask.shape[1:] != image.shape[1:] or not torch.allclose(mask.affine, image.affine, atol=1e-3):
        raise CohortError(
            f"fit: {sample['sample_id']}: {mask_key} lies on another grid than {key}; fit {key} without within=, or "
            "ask for grid='same'."
        )
    return (mask.as_tensor() > 0).any(dim=0)


def _counting(channel: torch.Tensor, mask: torch.Tensor | None, within: str | None) -> np.ndarray:
    """The voxels in memory order, without a transposition."""
    array = channel.numpy()
    if mask is not None:
        return array[mask.numpy()]
    flat = array.ravel(order="K")
    return flat[flat != 0] if within == NONZERO else flat


def _results(key: str, moments: Sequence[Moments], percentiles: tuple[float, ...]) -> tuple[ChannelStatistics, ...]:
    results = [moment.result(percentiles) for moment in moments]
    found = tuple(result for result in results if result is not None)
    if not found or len(found) < len(results):
        raise CohortError(f"fit: {key} has no voxel that counts in any sample.")
    return found
