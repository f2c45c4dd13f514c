"""What a model may say: masks, label maps, probabilities, maps; each with what it must hold and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialbids.mappings.labels import LEGAL_NAME
from trialbids.mappings.predictions import KINDS

from ..errors import QueryError

Labels = str | Sequence[str] | Mapping[int, str]
DSEG_TYPES = (np.uint8, np.int16, np.int32)


class Unfit(ValueError):
    """A prediction that does not hold what its kind must; the message says what it holds."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of prediction with its labels.

    ``labels`` are the names by channel, or in a label map (``dseg``) by value. ``channels`` is how many channels the
    prediction must have.
    """

    suffix: str
    labels: Mapping[int, str]

    @property
    def channels(self) -> int:
        """Length of the first axis of the prediction."""
        return 1 if self.suffix == "dseg" else max(self.labels) + 1

    @property
    def linear(self) -> bool:
        """Whether values between voxels are interpolated; labels are not."""
        return self.suffix in ("probseg", "map")

    def checked(self, voxels: NDArray[Any]) -> NDArray[Any]:
        """The channels that are written, in the type that they are stored in.

        Raises :class:`Unfit` for another number of channels, values that are no numbers, or others than the kind may
        hold.
        """
        if voxels.ndim != 4 or len(voxels) != self.channels:
            wanted = f"[{self.channels}, X, Y, Z]"
            raise Unfit(f"it has the shape {list(voxels.shape)}, and {self.suffix} of {self._named()} needs {wanted}")
        if voxels.dtype.kind == "c":
            raise Unfit("it holds complex numbers")
        bad = 0 if voxels.dtype.kind in "biu" else int((~np.isfinite(voxels)).sum())
        if bad:
            raise Unfit(f"{bad} of its values are NaN or infinite")
        return {"mask": self._mask, "dseg": self._dseg, "probseg": self._probseg, "map": self._map}[self.suffix](voxels)

    def _mask(self, voxels: NDArray[Any]) -> NDArray[Any]:
        if ((voxels != 0) & (voxels != 1)).any():
            raise Unfit("a mask holds 0 and 1; threshold it first (AsDiscreted), or write it with kind='probseg'")
        return voxels[list(self.labels)].astype(np.uint8)

    def _dseg(self, voxels: NDArray[Any]) -> NDArray[Any]:
        found = np.unique(voxels)
        strange = [value for value in found.tolist() if value != 0 and value not in self.labels]
        if strange:
            few = ", ".join(f"{value:g}" for value in strange[:5])
            raise Unfit(f"it holds the values {few}, which are none of its labels {dict(self.labels)}")
        highest = max(self.labels)
        return voxels.astype(next(kind for kind in DSEG_TYPES if highest <= np.iinfo(kind).max))

    def _probseg(self, voxels: NDArray[Any]) -> NDArray[Any]:
        chosen = voxels[list(self.labels)]
        low, high = float(chosen.min()), float(chosen.max())
        if low < -1e-6 or high > 1 + 1e-6:
            raise Unfit(
                f"probabilities lie between 0 and 1, these between {low:.3g} and {high:.3g}; apply the sigmoid or "
                "softmax first, or write them with kind='map'"
            )
        return np.clip(chosen, 0, 1).astype(np.float32)

    def _map(self, voxels: NDArray[Any]) -> NDArray[Any]:
        return voxels[list(self.labels)].astype(np.float32)

    def _named(self) -> str:
        return ", ".join(self.labels.values()) or "no label"


def kind_of(suffix: str, labels: Labels) -> Kind:
    """One kind with its labels, from what a person writes: a name, names by channel, or a mapping.

    Raises :class:`QueryError` for what cannot be meant.
    """
    if suffix not in KINDS:
        raise QueryError(f"PredictionWriter: kind={suffix!r} is not known; legal: {' '.join(KINDS)}")
    if not isinstance(labels, str | Sequence | Mapping):
        raise QueryError(
            f"PredictionWriter: labels={labels!r}: give a name, names by channel, or a mapping from number to name"
        )
    given = _by_number(suffix, labels)
    if not given and suffix == "map":
        return Kind(suffix, {0: ""})
    for number, name in given.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < (1 if suffix == "dseg" else 0):
            raise QueryError(f"PredictionWriter: labels={labels!r}: {number!r} is no {_counted(suffix)}")
        if not isinstance(name, str) or not LEGAL_NAME.fullmatch(name):
            raise QueryError(f"PredictionWriter: labels={labels!r}: a label is letters and digits, and {name!r} is not")
    if not given or len(set(given.values())) < len(given):
        raise QueryError(f"PredictionWriter: labels={labels!r}: give each {_counted(suffix)} a name of its own")
    kind = Kind(suffix, dict(sorted(given.items())))
    left = set(range(1, kind.channels)) - given.keys() if suffix != "dseg" else set()
    if left:
        raise QueryError(
            f"PredictionWriter: labels={labels!r}: only channel 0, the background, may be left out; channel "
            f"{min(left)} has no name"
        )
    if suffix == "dseg" and max(given) > np.iinfo(np.int32).max:
        raise QueryError(f"PredictionWriter: labels={labels!r}: {max(given)} is too large for a label map")
    return kind


def _counted(suffix: str) -> str:
    return "value from 1 on" if suffix == "dseg" else "channel from 0 on"


def _by_number(suffix: str, labels: Labels) -> dict[int, str]:
    first = 1 if suffix == "dseg" else 0
    if isinstance(labels, str):
        return {first: labels} if labels else {}
    return dict(labels) if isinstance(labels, Mapping) else dict(enumerate(labels, first))
