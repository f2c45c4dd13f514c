"""A list of samples as the Medical Segmentation Decathlon wrote it, for MONAI and Auto3DSeg.

::

    datalist.json      {"training": [{"image": …, "label": …, "fold": 0, …}], "validation": […], "testing": […]}
    datalist_files/    only what the tree does not hold as the cohort serves it
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExportError, listing
from ..files.places import Place, fetch
from .channels import Channel, channels, grids_apart, who
from .columns import facts
from .files import NIFTI, Sample, extension, listed, place, why_anew, write_whole
from .notes import Noted
from .ongrid import is_own_file, nifti_on_grid, off_grid, place_volume, why_moved
from .parts import TEST, TRAIN, VAL, Parts, parts_of
from .provenance import provenance
from .written import Written, new_place

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort
    from ..splits.splits import Split


STRICT = ("image", "label", "sample_id", "participant_id", "session_id", "site")
"""What an item for Auto3DSeg has, beside its fold."""


def write(
    cohort: Cohort,
    splits: Sequence[Split] | None,
    out: Path,
    *,
    fold: int | None = None,
    copy: bool = False,
    strict: bool = False,
) -> Written:
    """Write a datalist (JSON) that ``monai.data.load_decathlon_datalist(out, base_dir=root)`` reads.

    Each item has the keys of the cohort, ``sample_id``, ``participant_id``, ``session_id``, ``site`` and the targets,
    and ``image`` and ``label`` as the decathlon names them: ``image`` is the one image, or the list of those that share
    one grid, which MONAI stacks as channels. Paths are relative to the root of the tree. A value that is scaled, joined
    or chosen from a file is written anew into ``<out>_files``; ``copy`` puts every file there.

    A k-fold is the key ``fold`` of the items of ``training``, which counts from 0; a single split gives ``training``
    and ``validation``. What every fold tests on is ``testing``. ``provenance`` holds the cohort's fingerprint.

    With ``strict``, as Auto3DSeg wants it, an item has nothing but ``image``, ``label``, ``fold`` and its ids, and a
    sample that cannot say so is refused. Raises :class:`ExportError` naming participant and session.
    """
    _check_names(cohort)
    place_of_list = new_place(out, cohort.root)
    folder = new_place(out.with_name(f"{out.stem}_files"), cohort.root)
    parts = parts_of(cohort, splits, fold)
    numbers = parts.fold_numbers() if len(parts.folds) > 1 else {}
    samples = list(cohort)
    stacks = {
        sample["sample_id"]: _differing(sample, cohort.image_keys, cohort.resample is not None) for sample in samples
    }
    lost = [f"{who(sample)}: {why}" for sample in samples if (why := stacks[sample["sample_id"]])]
    labels = [key for key in cohort.label_keys if not any(f"{key}.table" in sample for sample in samples)]
    if strict:
        _refuse(lost, labels, cohort)
    writer = _Items(cohort, folder, copy=copy)
    try:
        items = [writer.item(sample) for sample in samples]
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    lists: dict[str, list[dict[str, Any]]] = {"training": [], "validation": [], "testing": []}
    for item in items:
        sample_id = item["sample_id"]
        if not lost:
            item = {"image": _flat([item[key] for key in cohort.image_keys]), **item}
        if len(labels) == 1 and labels[0] != "label" and item[labels[0]]:
            item["label"] = item[labels[0]]
        if strict:
            item = {key: item[key] for key in STRICT if key in item}
        if sample_id in numbers:
            item["fold"] = numbers[sample_id]
        lists[_list_of(sample_id, parts)].append(item)
    notes = [*writer.noted.sentences(), *_notes(lost, labels, cohort)]
    body = {
        **_heading(cohort, labels, out, stacked=not lost),
        "numTraining": len(lists["training"]) + len(lists["validation"]),
        "numTest": len(lists["testing"]),
        "provenance": provenance(cohort, splits, parts),
        **{name: items for name, items in lists.items() if items or name == "training"},
    }
    write_whole(place_of_list, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode())
    return Written(out, len(samples), 1 + writer.files, tuple(notes))


def write_auto3dseg(
    cohort: Cohort, splits: Sequence[Split] | None, out: Path, *, fold: int | None = None, copy: bool = False
) -> Written:
    """Write a datalist for ``monai.apps.auto3dseg.AutoRunner``: as :func:`write` with ``strict``."""
    return write(cohort, splits, out, fold=fold, copy=copy, strict=True)


class _Items:
    """Makes the items of a list; what the tree does not hold as it is served is written below ``folder``."""

    def __init__(self, cohort: Cohort, folder: Path, *, copy: bool) -> None:
        self.cohort = cohort
        self.folder = folder
        self.copy = copy
        self.files = 0
        self.noted = Noted()

    def item(self, sample: Sample) -> dict[str, Any]:
        """One item with its paths relative to the root of the tree."""
        return {
            **{key: self._paths(sample, key) for key in self.cohort.keys},
            **facts(sample, self.cohort.keys),
        }

    def _paths(self, sample: Sample, key: str) -> str | list[str]:
        """What a key becomes: one path, a list of volumes that MONAI stacks, or "" where it is missing."""
        if not listed(sample, key):
            return ""
        volumes = channels(sample, (key,)) if key in self.cohort.image_keys else []
        if len(volumes) == 1:
            return self._volume(volumes[0], key)
        if len(listed(sample, key)) > 1 and volumes:
            return [self._volume(volume, volume.name) for volume in volumes]
        return self._whole(sample, key)

    def _volume(self, channel: Channel, tail: str) -> str:
        if is_own_file(channel, self.cohort.resample) and not self.copy:
            return _relative(listed(channel.sample, channel.key)[0], self.cohort.root)
        target = self._target(channel.sample, tail, NIFTI)
        reason = place_volume(channel, target, self.cohort.resample, copy=self.copy)
        self.noted.count(channel.key, reason, missing=False)
        return _relative(target, self.cohort.root)

    def _whole(self, sample: Sample, key: str) -> str:
        """A label, or an image of several volumes in one file."""
        grid = self.cohort.resample
        moved = off_grid(sample, key, grid)
        files = [fetch(path) for path in listed(sample, key)]
        if not moved and not self.copy and not why_anew(sample, key, files):
            return _relative(listed(sample, key)[0], self.cohort.root)
        target = self._target(sample, key, extension(sample, key))
        if moved and grid is not None:
            write_whole(target, nifti_on_grid(sample, key, grid, label=key in self.cohort.label_keys))
            self.noted.count(key, why_moved(grid), missing=False)
        else:
            self.noted.add(key, place(sample, key, target, copy=self.copy))
        return _relative(target, self.cohort.root)

    def _target(self, sample: Sample, tail: str, ending: str) -> Path:
        self.files += 1
        return self.folder / f"{sample['sample_id']}_{tail}{ending}"


def _relative(path: str | Path, root: Place) -> str:
    """As a path relative to the root of the tree; what lies beside a tree behind a URL keeps its full path."""
    if isinstance(root, Path):
        return Path(os.path.relpath(path, root)).as_posix()
    return str(path).removeprefix(f"{root}/")


def _flat(values: Sequence[str | list[str]]) -> str | list[str]:
    """One path where there is one, else the list of all."""
    if len(values) == 1:
        return values[0]
    return [path for value in values for path in ([value] if isinstance(value, str) else value)]


def _differing(sample: Sample, keys: Sequence[str], resampled: bool) -> str:
    """Why the images of a sample cannot be the channels of one array, "" where they can."""
    if missing := [key for key in keys if not listed(sample, key)]:
        return f"{', '.join(missing)} missing"
    found = {key: channels(sample, (key,)) for key in keys}
    for key, volumes in found.items():
        if len(volumes) > 1 and len(listed(sample, key)) == 1 and len(keys) > 1:
            return f"{Path(listed(sample, key)[0]).name} holds {len(volumes)} volumes beside other images"
    first, *others = [volume for volumes in found.values() for volume in volumes]
    for volume in [] if resampled else others:
        if grids_apart(first.header, volume.header):
            names = [Path(listed(each.sample, each.key)[0]).name for each in (volume, first)]
            return f"the grid of {names[0]} differs from that of {names[1]}"
    return ""


def _check_names(cohort: Cohort) -> None:
    """Raise where a key has the name that the decathlon has for something else."""
    own = [] if cohort.image_keys == ("image",) else [key for key in cohort.keys if key == "image"]
    if taken := [*own, *(key for key in cohort.image_keys if key == "label")]:
        raise ExportError(
            f"{taken[0]}: in a datalist that is the name of all images of a sample as channels, or of its label; give "
            "this key of the cohort another name."
        )


def _refuse(lost: Sequence[str], labels: Sequence[str], cohort: Cohort) -> None:
    """Raise where Auto3DSeg could not read the list."""
    if lost:
        raise ExportError(
            "the images of a sample are the channels of one array, and these share no grid; ask for images that do, or "
            f"for grid: {{resample: …}} in the cohort (--grid):\n{listing(lost)}"
        )
    if len(labels) != 1:
        raise ExportError(
            f"an item has one label, a mask or a label map; the cohort has {len(cohort.label_keys)}: "
            f"{', '.join(cohort.label_keys) or 'none'}. Ask for one."
        )


def _notes(lost: Sequence[str], labels: Sequence[str], cohort: Cohort) -> list[str]:
    notes: list[str] = []
    if lost:
        notes.append(f"no key 'image': in {len(lost)} samples the images share no grid, such as {lost[0]}")
    if cohort.label_keys and len(labels) != 1:
        notes.append(f"no key 'label': the labels are {', '.join(cohort.label_keys)}")
    return notes


def _heading(cohort: Cohort, labels: Sequence[str], out: Path, *, stacked: bool) -> dict[str, Any]:
    heading: dict[str, Any] = {
        "name": out.stem,
        "description": f"{', '.join(cohort.keys)}; paths are relative to the root of the BIDS tree (base_dir)",
        "tensorImageSize": "3D",
    }
    if stacked:
        heading["modality"] = {str(n): key for n, key in enumerate(cohort.image_keys)}
    if len(labels) == 1 and not any("_dseg." in path for sample in cohort for path in listed(sample, labels[0])):
        heading["labels"] = {"0": "background", "1": labels[0]}
    return heading


def _list_of(sample: str, parts: Parts) -> str:
    if sample in parts.tested:
        return "testing"
    if len(parts.folds) == 1:
        return {TRAIN: "training", VAL: "validation", TEST: "testing"}[parts.folds[0][sample]]
    return "training"
