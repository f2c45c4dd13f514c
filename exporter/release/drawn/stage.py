"""What was drawn on the images of a session, staged as a derivative dataset of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...annotations.boxes import put_on
from ...annotations.checks import Caution, Put, cautions
from ...annotations.consensus import Rule
from ...annotations.grid import ODD, Grid, MaskRefused, Opens, Shape, Sliced, may_pass, odd
from ...annotations.region import Drawing, Fault, Marked, Region
from ...annotations.resolve import NOT_EXPORTED, Placed
from ...inventory.instance import Instance
from ...plan.build import Planned
from ..image import Image
from ..session import StagedMasks
from .agreed import Agreed
from .files import UNMADE, DrawnFiles, content_of
from .labelmaps import LabelMaps
from .tables import BoxTables

_Put = TypeVar("_Put")

NO_VOXELS = np.zeros((0, 0, 0), np.uint8)
"""What the checks see of a box or a point."""


def stage_masks(
    folder: Path,
    planned: Sequence[Planned],
    images: Sequence[Image],
    placed: Iterable[Placed],
    rule: Rule | None = None,
) -> StagedMasks:
    """Write everything that was drawn on one of these images into ``folder``, on the image's grid.

    Of several images that may be meant the one is taken whose grid fits. ``rule`` asks for a consensus of the readers.
    """
    staging = _Staging(folder, planned, images, rule)
    for one in placed:
        staging.add(one)
    return staging.finish()


class _Staging:
    """The annotations of one session, one drawing after the other: no more than one is held with all its voxels."""

    def __init__(self, folder: Path, planned: Sequence[Planned], images: Sequence[Image], rule: Rule | None) -> None:
        self._files = DrawnFiles(folder)
        self._maps, self._tables, self._agreed = LabelMaps(), BoxTables(), Agreed(rule)
        self._faults: list[Fault] = []
        by_path = {image.path: image for image in images}
        self._images = {p.row.stack_id: by_path[p.row.bids_path] for p in planned if p.row.bids_path in by_path}
        self._planned = planned

    def add(self, placed: Placed) -> None:
        """Write one drawing, or say why not."""
        drawing = placed.drawing
        candidates = {stack: self._images[stack] for stack in placed.stacks if stack in self._images}
        try:
            if not candidates:
                raise MaskRefused("A01", NOT_EXPORTED)
            checks = self._put(drawing, candidates)
        except MaskRefused as refusal:
            self._refuse(drawing, refusal, refusal.__cause__)
            return
        except UNMADE as error:
            self._refuse(drawing, MaskRefused("F03", odd(error)), error)
            return
        self._faults += [*placed.notes, *checks]

    def finish(self) -> StagedMasks:
        """The files that take several drawings, then the list of all."""
        self._maps.write(self._files, self._faults)
        self._tables.write(self._files)
        self._agreed.write(self._files, self._faults)
        return StagedMasks(tuple(self._files.paths), tuple(self._faults))

    def _put(self, drawing: Drawing, candidates: Mapping[str, Image]) -> list[Fault]:
        """Write a drawing and give what the checks say. Raises ``MaskRefused``."""
        said = self._put_region(drawing, candidates) if isinstance(drawing, Region) else ()
        if isinstance(drawing, Marked):
            said = self._put_mark(drawing, candidates)
        return [Fault(c.check, drawing.series_uid, f"{drawing.origin}: {c.message}", "warning") for c in said]

    def _put_region(self, region: Region, candidates: Mapping[str, Image]) -> Sequence[Caution]:
        shape = _opened(region.shape)
        stack, (voxels, gaps) = _only(candidates, lambda _, grid: (shape.on(grid), _gaps(shape, grid)))
        image = candidates[stack]
        suffix = "probseg" if region.kind == "fraction" else "mask"
        name = self._files.stem(image, suffix, {"label": region.name, "desc": region.reader})
        said = cautions(Put(region, voxels, gaps))
        checks = [caution.check for caution in said]
        made = self._files.volume(image, name, voxels, content_of(region, image, checks))
        self._files.claim(image, name)
        self._maps.add(region, image, voxels, checks)
        self._agreed.add(region, image, voxels)
        self._files.write_all(image, made)  # last: of a drawing that cannot be taken nothing is there
        return said

    def _put_mark(self, mark: Marked, candidates: Mapping[str, Image]) -> Sequence[Caution]:
        stack, found = _only(candidates, lambda stack, grid: put_on(mark, grid, self._instance(stack, mark.sop_uid)))
        said = cautions(Put(mark, NO_VOXELS))
        self._tables.add(found, candidates[stack], [caution.check for caution in said])
        return said

    def _refuse(self, drawing: Drawing, refusal: MaskRefused, cause: BaseException | None) -> None:
        message = f"{drawing.origin}: {refusal}"
        self._faults.append(Fault(refusal.check, drawing.series_uid, message, may_pass=may_pass(cause)))

    def _instance(self, stack: str, sop_uid: str) -> Instance | None:
        members = (p.harmonised.stack.instances for p in self._planned if p.row.stack_id == stack)
        return next((i for those in members for i in those if sop_uid and i.SOPInstanceUID == sop_uid), None)


def _opened(shape: Shape) -> Shape:
    try:
        return _opened(shape.opened()) if isinstance(shape, Opens) else shape
    except ODD as error:
        raise MaskRefused("F03", odd(error)) from error


def _gaps(shape: Shape, grid: Grid) -> tuple[int, ...]:
    return shape.gaps(grid) if isinstance(shape, Sliced) else ()


def _only(candidates: Mapping[str, Image], put: Callable[[str, Grid], _Put]) -> tuple[str, _Put]:
    """The one stack on whose grid something can be put. Raises ``MaskRefused`` where that is none, or several."""
    refusals: list[MaskRefused] = []
    fitting: list[tuple[str, _Put]] = []
    for stack, image in candidates.items():
        try:
            fitting.append((stack, put(stack, Grid(image.shape, image.affine))))
        except MaskRefused as refusal:
            refusals.append(refusal)
        except ODD as error:
            refused = MaskRefused("F03", odd(error))
            refused.__cause__ = error
            refusals.append(refused)
    if not fitting:
        raise refusals[0]
    if len(fitting) > 1:
        raise MaskRefused("A01", f"the series became {len(fitting)} images that it fits; name the image")
    return fitting[0]
