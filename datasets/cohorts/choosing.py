"""Which acquisition a sample reads for a key, among all that match."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..index.image import Image
from .acquisition import Source, Unusable, acquisitions, qc_rank, resolve
from .query import Q
from .timing import Metadata
from .units import Unit

Refusal = Callable[[Unit, Sequence[Image]], str | None]
"""Why a unit does not take an acquisition, None where it may."""


class Chooser:
    """The choice for one key, unit by unit: what it reads, or why there is nothing, or that several answer.

    ``refusal`` says why an acquisition is not taken, ``suv`` the factor of a PET image, ``metadata`` what the sidecars
    say of an image.
    """

    def __init__(
        self,
        key: str,
        query: Q,
        *,
        duplicates: str,
        refusal: Refusal,
        suv: Callable[[Unit, Image], float],
        metadata: Metadata,
    ) -> None:
        self._key, self._query, self._duplicates, self._refusal = key, query, duplicates, refusal
        self._suv, self._metadata = suv, metadata

    def choose(self, unit: Unit, candidates: Sequence[Image]) -> None:
        """Note in the unit what it reads for the key."""
        if not candidates:
            unit.absent[self._key] = f"no image matches {self._query!r}"
            return
        reasons: list[str] = []
        usable: list[tuple[int, Source]] = []
        for group in acquisitions(candidates):
            if (reason := self._refusal(unit, group)) is not None:
                reasons.append(reason)
                continue
            try:
                source = resolve(self._query, group, lambda image: self._suv(unit, image), self._metadata)
                usable.append((qc_rank(group), source))
            except Unusable as error:
                reasons.append(str(error))
        if self._query.label and any(source.suffix == "mask" for _, source in usable):
            usable = [(rank, source) for rank, source in usable if source.suffix == "mask"]
        if usable:
            self._take(unit, usable)
        else:
            unit.absent[self._key] = "; ".join(reasons)

    def _take(self, unit: Unit, usable: Sequence[tuple[int, Source]]) -> None:
        unit.answers[self._key] = len(usable)
        if self._duplicates == "best-qc":
            unit.sources[self._key] = min(usable, key=lambda ranked: ranked[0])[1]
            return
        if len(usable) > 1 and self._duplicates == "raise":
            unit.doubles[self._key] = ", ".join(source.name for _, source in usable)
        unit.sources[self._key] = usable[-1 if self._duplicates == "last" else 0][1]


def drawn_elsewhere(unit: Unit, mask: Image, keys: Sequence[str]) -> str | None:
    """Why a mask does not belong to the images of this sample, if so."""
    paths = {image.path for key in keys if key in unit.sources for image in unit.sources[key].images}
    if mask.sources and not paths & set(mask.sources):
        return f"{mask.path}: it was drawn on {mask.sources[0]}, which is not in this sample"
    return None
