"""Consensus masks of one session: what several readers drew under one label on one image."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...annotations.checks import Put, cautions
from ...annotations.consensus import READER, Rule, consensus, method_of
from ...annotations.grid import MaskRefused, may_pass, odd
from ...annotations.region import Fault, Region
from ...annotations.voices import compared, has_voice
from ..image import Image
from .files import UNMADE, DrawnFiles, content_of

NO_MASK = "no voxel is in the consensus of"


class Agreed:
    """What readers drew, kept in bits until all of a session is there."""

    def __init__(self, rule: Rule | None) -> None:
        self._rule: Rule | None = rule
        self._drawn: dict[tuple[str, str], list[tuple[Region, NDArray[np.uint8]]]] = defaultdict(list)
        self._images: dict[str, Image] = {}

    def add(self, region: Region, image: Image, voxels: NDArray[Any]) -> None:
        """One reader's mask."""
        if self._rule is None or not has_voice(region):
            return
        self._images[image.path] = image
        region = compared(region)
        drawn = self._drawn[image.path, region.name]
        bits = np.packbits(voxels.astype(bool))
        mine = next((at for at, (other, _) in enumerate(drawn) if other.reader == region.reader), None)
        if mine is None:
            drawn.append((region, bits))
        else:
            drawn[mine] = (drawn[mine][0], drawn[mine][1] | bits)

    def write(self, files: DrawnFiles, faults: list[Fault]) -> None:
        """One mask for each label that two readers or more drew; an empty one is told instead."""
        for (path, name), drawn in self._drawn.items():
            if self._rule is not None and len({region.reader for region, _ in drawn}) > 1:
                try:
                    self._write(self._rule, self._images[path], name, drawn, files, faults)
                except UNMADE as error:
                    message = f"consensus of {name}: {odd(error)}"
                    faults.append(Fault("F03", drawn[0][0].series_uid, message, "warning", may_pass(error)))

    def _write(
        self,
        rule: Rule,
        image: Image,
        name: str,
        drawn: list[tuple[Region, NDArray[np.uint8]]],
        files: DrawnFiles,
        faults: list[Fault],
    ) -> None:
        shape = (*image.shape, 1)[:3]
        size = int(np.prod(shape))
        masks = [np.unpackbits(bits, count=size).reshape(shape) for _, bits in drawn]
        found = consensus(masks, rule)
        region = replace(drawn[0][0], reader=READER, scores=())
        if not found.any():
            faults.append(Fault("A02", region.series_uid, f"{NO_MASK} {len(drawn)} readers of {name}", "warning"))
            return
        said = cautions(Put(region, found))
        stem = files.stem(image, "mask", {"label": name, "desc": READER})
        try:
            files.claim(image, stem)
        except MaskRefused as refusal:
            faults.append(Fault(refusal.check, region.series_uid, f"consensus of {name}: {refusal}"))
            return
        content = content_of(region, image, [c.check for c in said])
        made = files.volume(image, stem, found, {**content, "Method": method_of(rule, len(drawn))})
        files.write_all(image, made)
