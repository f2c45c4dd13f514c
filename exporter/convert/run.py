"""One stack to one checked image in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import ConversionError
from ..inventory.instance import Instance
from ..stacks.stack import Stack
from .dcm2niix import run_dcm2niix
from .gradients import with_gradients
from .grid import Grid, expected_grids
from .joined import by_series, joined
from .native import build
from .pixels import PixelReader
from .proof import volume_order
from .volume import Volume

Materialise = Callable[[Sequence[Instance], Path], list[Path]]


def convert(stack: Stack, materialise: Materialise, scratch: Path) -> Volume:
    """The stack as the image it promises, by dcm2niix where what comes out is right, else by pydicom.

    ``materialise`` lays the files of instances into an empty folder (links, or bytes of archive members) and returns
    one path for each, in order. ``scratch`` is a private folder; nothing stays in it.
    Raises :class:`ConversionError` with a reason code: ``no-geometry``, ``unreadable``, ``undecodable``,
    ``incomplete``, ``too-large``.
    """
    grids = expected_grids(stack)
    objects = list({(i.path, i.member): i for i in stack.instances}.values())
    with tempfile.TemporaryDirectory(prefix="stack-", dir=scratch) as name:
        source = Path(name, "in")
        source.mkdir()
        paths = materialise(objects, source)
        reader = PixelReader({(i.path, i.member): path for i, path in zip(objects, paths, strict=True)})
        outputs = run_dcm2niix(source, Path(name, "out"), stack.first, sum(i.size for i in objects))
        volume, refusal = choose(outputs, grids, stack, reader)
        if volume is None and by_series(stack):
            volume, refusal = joined(stack, lambda one: choose(outputs, grids, one, reader))
        if volume is None:
            volume = build_instead(stack, reader, outputs, refusal)
    return with_gradients(volume, stack)


def choose(
    outputs: Sequence[Volume], grids: Sequence[Grid], stack: Stack, reader: PixelReader
) -> tuple[Volume | None, str]:
    """The output that is the stack, its volumes in the stack's order; or None and what was wrong with each."""
    refusals: list[str] = []
    for output in outputs:
        order, reason = volume_order(output, grids, stack, reader)
        if order:
            return reordered(output, order), ""
        refusals.append(reason)
    return None, "; ".join(dict.fromkeys(refusals)) or "dcm2niix made no image"


def reordered(volume: Volume, order: tuple[int, ...]) -> Volume:
    """The volume with its volumes, b-values and directions taken in ``order``."""
    if order == tuple(range(len(order))):
        return volume
    index = list(order)
    bval, bvec = volume.bval, volume.bvec
    return volume.but(
        voxels=volume.voxels[..., index].copy(order="F"),
        bval=bval[index] if bval is not None and len(bval) == len(order) else None,
        bvec=bvec[:, index] if bvec is not None and bvec.shape[1] == len(order) else None,
    )


def build_instead(stack: Stack, reader: PixelReader, outputs: Sequence[Volume], refusal: str) -> Volume:
    """The stack built with pydicom; both reasons in one sentence where that fails too.

    Headers that dcm2niix read right still serve: its JSON is kept where the files hold this stack alone.
    """
    try:
        volume = build(stack, reader)
    except ConversionError as error:
        raise ConversionError(error.reason, f"{error} (dcm2niix: {refusal})") from error
    theirs = outputs[0].sidecar if outputs and not stack.first.frame else {}
    known = {key: value for key, value in theirs.items() if not key.startswith("ConversionSoftware")}
    return volume.but(sidecar={**known, **volume.sidecar}, note=f"dcm2niix: {refusal}")
