"""A stack: what becomes exactly one image file."""

from __future__ import annotations

from dataclasses import dataclass

from ..inventory.instance import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The instances of one 3D volume or one 4D image, with what they promise to the converter.

    ``instances`` are ordered by volume, then along the slice normal; ``volume`` holds the volume index (from 0)
    of each. A mosaic is one instance with ``n_slices`` tiles; an enhanced frame is one instance.
    ``bvalues`` and ``directions`` have one entry a volume where the stack is diffusion, else they are empty.
    ``split`` names the rules that set this stack apart from the rest of its series, with the value each saw.
    ``stack_id`` depends on the series and the split values alone, so it stays when slices are added.
    b-values that lie in several series are one stack, which bears the ``stack_id`` of the first of them.
    Objects that are no images have one stack a series with no slices and no volumes.
    ``doubt`` is the reason (:mod:`.reasons`) why its whole series cannot be trusted, "" where it can; ``caution`` is
    one why a person should look at the image although it is kept.
    ``phase_index`` counts from 1 within the acquisition; ``phase_time_s`` is seconds since its first phase.
    """

    stack_id: str
    acquisition_id: str
    instances: tuple[Instance, ...]
    volume: tuple[int, ...]
    n_slices: int
    n_volumes: int
    split: tuple[tuple[str, str], ...] = ()
    bvalues: tuple[float, ...] = ()
    directions: tuple[tuple[float, ...], ...] = ()
    echo_index: int | None = None
    flip_index: int | None = None
    phase_index: int | None = None
    phase_time_s: float | None = None
    phase_time_source: str = ""
    doubt: str = ""
    caution: str = ""

    @property
    def first(self) -> Instance:
        """The instance whose header stands for the stack where all agree."""
        return self.instances[0]

    @property
    def is_image(self) -> bool:
        """False for objects that hold no image of the patient (segmentations, structures, reports, raw data)."""
        return self.n_volumes > 0

    @property
    def series_uids(self) -> tuple[str, ...]:
        """The original SeriesInstanceUIDs, in order of first use."""
        return tuple(dict.fromkeys(i.SeriesInstanceUID for i in self.instances))


@dataclass(frozen=True, slots=True)
class SetAside:
    """An instance that belongs to no stack, and why (a short code from :mod:`.reasons` and a sentence)."""

    instance: Instance
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Stacking:
    """The result of stacking: every instance of the inventory is in one of the two."""

    stacks: tuple[Stack, ...]
    set_aside: tuple[SetAside, ...]
