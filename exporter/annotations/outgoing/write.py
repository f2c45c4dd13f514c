"""Segmentations of masks of the tree, as files outside of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import UsageError
from ...review.find import Digest, find_stacks
from ...stacks import Stack
from ...tables import write_private
from .mask import read_mask, tree_above
from .segmentation import segmentation_of


def write_segmentations(
    masks: Sequence[Path], work: Path, out: Path, digest: Digest, *, overwrite: bool = False
) -> Iterator[Path]:
    """Write one segmentation a mask into ``out``, for its owner's eyes alone; each path as it is written.

    ``digest`` tells pixels apart where an identifier was met twice. Everything that needs no pixel is checked before
    the first file is written. Raises ``UsageError``: ``out`` in a BIDS dataset, a mask that is none, an image that the
    work folder does not know, originals that are not there.
    """
    tree = tree_above(out)
    if tree is not None:
        raise UsageError(
            f"{out}: lies in the dataset {tree}, and segmentations hold original identifiers; give another"
        )
    targets = [out / f"{path.name.removesuffix('.nii.gz')}.dcm" for path in masks]
    twice = next((target for at, target in enumerate(targets) if target in targets[:at]), None)
    if twice is not None:
        raise UsageError(f"{twice}: two of the masks have this name; write them into folders of their own")
    there = next((target for target in targets if target.exists()), None)
    if there is not None and not overwrite:
        raise UsageError(f"{there}: is there already; give another --out, or --overwrite")
    images = dict.fromkeys(read_mask(path).image for path in masks)
    stacks = {image: stack_of(image, work, digest) for image in images}
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, target in zip(masks, targets, strict=True):
        mask = read_mask(path)  # anew: all of them at once may be more than memory holds
        write_private(target, segmentation_of(mask, stacks[mask.image]))
        yield target


def stack_of(image: str, work: Path, digest: Digest) -> Stack:
    """The stack that an image of the tree (path below its root) was made of, as the work folder remembers it."""
    found = find_stacks(work, image, digest)
    rows = [row for row in found.rows if Path(row.bids_path).as_posix() == image]
    stacks = [stack for stack in found.stacks if rows and stack.stack_id == rows[0].stack_id]
    if len(rows) != 1 or len(stacks) != 1:
        raise UsageError(f"{work}: knows no image {image}; give the work folder of the export that made it")
    return stacks[0]
