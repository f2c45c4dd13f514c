"""The objects of one stack as de-identified files, numbered by their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from ...errors import ConversionError
from ...inventory.instance import Instance
from ...inventory.objects import NOWHERE, Place, read_members
from ..leftout import LeftOut
from .context import Diffusion, ObjectContext
from .deidentifier import Deidentifier

OTHER_FRAMES = "It holds frames of other stacks too, which would be released with it."


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a stack: the files in order, and the objects that were left out."""

    paths: tuple[Path, ...]
    left_out: tuple[LeftOut, ...]


def write_objects(
    instances: Sequence[Instance], folder: Path, context: ObjectContext, unpacked: Mapping[Place, Path] = NOWHERE
) -> Written:
    """Write the objects of ``instances`` as ``folder/000001.dcm`` and so on, in the order of first use.

    An object with frames that are not among ``instances`` is left out, and so is one that cannot be de-identified.
    ``unpacked`` says where members of archives lie as files already. Raises ``ConversionError`` (source-lost) and
    ``OSError``.
    """
    places = Counter((i.path, i.member) for i in instances)
    first: dict[Place, Instance] = {}
    for instance in instances:
        first.setdefault((instance.path, instance.member), instance)
    writer = Deidentifier(context)
    paths: list[Path] = []
    left_out: list[LeftOut] = []
    for place, instance in first.items():
        if instance.frame and (instance.NumberOfFrames or 0) > places[place]:
            left_out.append(LeftOut(place, "frames-of-other-stacks", OTHER_FRAMES))
            continue
        path = folder / f"{len(paths) + 1:06d}.dcm"
        try:
            data = _written(writer, place, instance, unpacked)
        except ConversionError as error:
            if error.reason == "source-lost":
                raise
            left_out.append(LeftOut(place, error.reason, str(error)))
            continue
        folder.mkdir(parents=True, exist_ok=True)  # not before: where all are left out, no empty folder may stay
        path.write_bytes(data)
        paths.append(path)
    return Written(tuple(paths), tuple(left_out))


def _written(writer: Deidentifier, place: Place, instance: Instance, unpacked: Mapping[Place, Path]) -> bytes:
    target = BytesIO()
    with _open(place, unpacked) as source:
        writer.write(source, target, _diffusion(instance))
    return target.getvalue()


def _open(place: Place, unpacked: Mapping[Place, Path]) -> AbstractContextManager[BinaryIO]:
    path, member = place
    if member and place not in unpacked:
        return BytesIO(next(data for _, data in read_members(path, {member})))
    try:
        return (unpacked[place] if member else Path(path)).open("rb")
    except FileNotFoundError as error:
        raise ConversionError("source-lost", f"{path} is not there any more. Run the export again.") from error


def _diffusion(instance: Instance) -> Diffusion | None:
    """b-value and direction of a single-frame object; an enhanced one has them in its functional groups."""
    if instance.frame or instance.b_value is None:
        return None
    return Diffusion(instance.b_value, instance.b_direction)
