"""Regions that came in one label map or object, as one label map again, where they do not overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...annotations.grid import may_pass, odd
from ...annotations.region import Fault, Region
from ...tables import tsv_bytes
from ..image import Image
from .files import UNMADE, DrawnFiles, source_of

COLUMNS: Mapping[str, str] = {
    "index": "Number of the label in the image",
    "name": "Label with the number of the lesion",
    "abbreviation": "Label without the number of the lesion",
    "scheme": "Scheme of the label's code: SCT is SNOMED CT",
    "code": "Code of the label in its scheme",
    "meaning": "Meaning of the code",
}


@dataclass(slots=True)
class _Map:
    """A label map that grows: ``voxels`` uint16, 0 outside, else the place in ``regions`` counted from 1."""

    image: Image
    voxels: NDArray[np.uint16]
    regions: list[Region] = field(default_factory=list)
    checks: set[str] = field(default_factory=set)
    overlaps: bool = False


class LabelMaps:
    """The label maps of one session."""

    def __init__(self) -> None:
        self._maps: dict[tuple[str, str, str], _Map] = {}

    def add(self, region: Region, image: Image, voxels: NDArray[Any], checks: list[str]) -> None:
        """One region on its image's grid, if it came in a label map."""
        if not region.source or region.kind != "binary":
            return
        key = (region.source, image.path, region.reader)
        found = self._maps.get(key)
        if found is None:
            found = self._maps[key] = _Map(image, np.zeros(voxels.shape, np.uint16))
        inside = voxels.astype(bool)
        found.overlaps = found.overlaps or bool((inside & found.voxels.astype(bool)).any())
        found.voxels[inside] = len(found.regions) + 1
        found.regions.append(region)
        found.checks.update(checks)

    def write(self, files: DrawnFiles, faults: list[Fault]) -> None:
        """Those of two regions and more that do not overlap; a second one of a name is numbered.

        Regions keep the numbers that they have in their object where a voxel can hold these; else they are numbered 1,
        2 … in the order of their own. A map that cannot be made is told; its regions are there, each as a mask.
        """
        for found in self._maps.values():
            if found.overlaps or len(found.regions) < 2:
                continue
            first = found.regions[0]
            name = _free(files, found.image, first)
            regions, numbers = _numbered(found.regions)
            try:
                volume = files.volume(found.image, name, numbers[found.voxels], _content(found))
            except UNMADE as error:
                message = f"label map of {first.origin}: {odd(error)}"
                faults.append(Fault("F03", first.series_uid, message, "warning", may_pass(error)))
                continue
            files.write_all(found.image, volume)
            rows = [_row(number, region) for number, region in regions]
            files.write(found.image, f"{name}.tsv", tsv_bytes(tuple(COLUMNS), rows, empty="n/a"))


def _numbered(regions: list[Region]) -> tuple[list[tuple[int, Region]], NDArray[np.uint8 | np.uint16]]:
    """The regions by their numbers in the map, and the number of each by its place from 1 (0 stays 0)."""
    order = sorted(range(len(regions)), key=lambda place: regions[place].value)
    own = [regions[place].value for place in order]
    fits = len(set(own)) == len(own) and own[0] >= 1 and own[-1] <= np.iinfo(np.uint16).max
    numbered = own if fits else list(range(1, len(order) + 1))
    by_place = np.zeros(len(regions) + 1, np.uint8 if numbered[-1] <= np.iinfo(np.uint8).max else np.uint16)
    by_place[np.array(order) + 1] = numbered
    return [(number, regions[place]) for number, place in zip(numbered, order, strict=True)], by_place


def _free(files: DrawnFiles, image: Image, region: Region) -> str:
    number = 1
    while True:
        entities = {"seg": f"{region.set}{'' if number == 1 else number}", "desc": region.reader}
        name = files.stem(image, "dseg", entities)
        if files.is_free(image, name):
            files.claim(image, name)
            return name
        number += 1


def _content(found: _Map) -> dict[str, Any]:
    methods = {region.method for region in found.regions}
    return {
        "Reader": found.regions[0].reader,
        "Method": methods.pop() if len(methods) == 1 else "several",
        "Sources": [source_of(found.image)],
        **({"Checks": sorted(found.checks)} if found.checks else {}),
        **{name: {"Description": text} for name, text in COLUMNS.items()},
    }


def _row(number: int, region: Region) -> dict[str, str]:
    label = region.label
    return {
        "index": str(number),
        "name": region.name,
        "abbreviation": label.name,
        "scheme": label.scheme if label.code else "",
        "code": label.code,
        "meaning": label.meaning if label.code else "",
    }
