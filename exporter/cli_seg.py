"""The command ``seg``: masks of the tree as DICOM segmentations on the original series."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .arguments import Debug, Json
from .errors import UsageError


def seg(
    masks: Annotated[
        list[Path], typer.Argument(metavar="BIDS_MASK…", help="Files *_mask.nii.gz or *_dseg.nii.gz of derivatives/.")
    ],
    work: Annotated[Path, typer.Option(help="The private work folder of the export that made the tree.")],
    out: Annotated[Path, typer.Option(help="A folder outside of any BIDS dataset.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace segmentations that are there.")] = False,
    json: Json = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Write masks as DICOM segmentations on the original series, for a viewer or an archive of images.

    Private: a segmentation names the patient as the original series does. Each is read back, and compared with its mask
    voxel for voxel, before it is written.
    """
    from . import screen
    from .annotations.outgoing.write import write_segmentations
    from .pipeline import instance_digest
    from .places import is_work_folder

    if not is_work_folder(work):
        raise UsageError(f"{work}: is no work folder of trialbids; give the right one with --work")
    written = []
    for path in write_segmentations(masks, work, out, instance_digest, overwrite=overwrite):
        written.append(str(path))
        if not json:
            screen.OUT.print(f"Wrote {path}", soft_wrap=True)
    if json:
        screen.OUT.print_json(data={"written": written})
