"""A cohort as a raw dataset of nnU-Net v2, with the same folds.

::

    Dataset501_Lesion/
    ├── dataset.json              channel_names, labels, numTraining, file_ending, and what it was made of
    ├── splits_final.json         our folds; nnU-Net reads it from its folder of preprocessed data
    ├── imagesTr/<sample>_0000.nii.gz, _0001 …    one 3D volume a channel
    ├── labelsTr/<sample>.nii.gz
    └── imagesTs/, labelsTs/      what every fold tests on

The rules are those of nnU-Net's "dataset format" and of its ``verify_dataset_integrity`` (Isensee et al. 2021,
doi:10.1038/s41592-020-01008-z): every case has the same number of channels, all on one grid with the label, and labels
are whole numbers that follow each other from 0, the background.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ExportError, listing
from ..files.nifti import read_header, read_volume
from .channels import Channel, channels, grids_apart, header_of, who
from .files import NIFTI, Sample, listed, write_whole
from .labels import LabelMap, label_map
from .notes import Noted
from .ongrid import place_volume
from .parts import TEST, TRAIN, Parts, parts_of
from .provenance import provenance
from .whole import whole_folder
from .written import Written, new_place

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort
    from ..splits.splits import Split

NAME = re.compile(r"Dataset\d{3}_\w+", re.ASCII)
FILE_ENDING = NIFTI


@dataclass(frozen=True, slots=True)
class Case:
    """One sample as nnU-Net has it."""

    name: str
    sample: Sample
    channels: tuple[Channel, ...]


def write(
    cohort: Cohort, splits: Sequence[Split] | None, out: Path, *, fold: int | None = None, copy: bool = False
) -> Written:
    """Write ``out``, a folder ``Dataset###_Name`` that belongs into ``nnUNet_raw``.

    A file of the tree is linked where it holds one 3D volume with the values of the cohort; what is scaled, chosen or
    joined is written anew. ``copy`` copies instead of linking. Several labels become one label map in the order of the
    cohort. A test part becomes ``imagesTs``; no sample of it is among the training cases.

    Raises :class:`ExportError` naming participants and sessions where channels, grids or labels break nnU-Net's rules;
    then nothing is written.
    """
    if not NAME.fullmatch(out.name):
        raise ExportError(
            f"{out}: nnU-Net wants the folder named Dataset, three digits, _ and a word: Dataset501_Lesion."
        )
    target = new_place(out, cohort.root)
    parts = parts_of(cohort, splits, fold)
    cases = [_case(sample, cohort.image_keys) for sample in cohort]
    _check(cases, cohort)
    labels = label_map(cohort)
    if target.exists():
        target.rmdir()  # an empty folder, as new_place has seen
    with whole_folder(target) as folder:
        noted = _write_cases(cases, labels, parts, folder, copy=copy)
        unfit = _not_finite(cases, folder)
        _write_json(folder / "dataset.json", _dataset(cohort, splits, cases, labels, parts))
        if folds := _folds(parts):
            _write_json(folder / "splits_final.json", folds)
    files = sum(1 for path in target.rglob("*") if not path.is_dir())
    return Written(out, len(cases), files, (*noted.sentences(), *unfit, *_notes(cases, parts, out)))


def _case(sample: Sample, keys: Sequence[str]) -> Case:
    return Case(str(sample["sample_id"]), sample, tuple(channels(sample, keys)))


def _check(cases: Sequence[Case], cohort: Cohort) -> None:
    """Raise where the cases break nnU-Net's rules, with every session that does."""
    if not cohort.label_keys:
        raise ExportError("nnU-Net segments: the cohort has no label; ask for a mask by labels= or --label.")
    names = Counter(tuple(channel.name for channel in case.channels) for case in cases)
    usual = names.most_common(1)[0][0]
    wrong = [
        f"{who(case.sample)}: {len(case.channels)} channels ({', '.join(c.name for c in case.channels)})"
        for case in cases
        if len(case.channels) != len(usual)
    ]
    if wrong:
        raise ExportError(
            f"nnU-Net wants the same channels in every case; most have {len(usual)} ({', '.join(usual)}). Ask for the "
            f"same phases or b-values, or leave these out:\n{listing(wrong)}"
        )
    wrong = [line for case in cases for line in _off_grid(case, cohort.label_keys)]
    if wrong and cohort.resample is None:
        raise ExportError(
            "nnU-Net wants all channels of a case and its label on one grid; ask for images that share one, or for "
            f"grid: {{resample: …}} in the cohort (--grid):\n{listing(wrong)}"
        )


def _off_grid(case: Case, labels: Sequence[str]) -> list[str]:
    first = case.channels[0]
    others = [(channel.key, listed(channel.sample, channel.key)[0], channel.header) for channel in case.channels[1:]]
    for key in labels:
        others += [(key, path, header_of(case.sample, path)) for path in listed(case.sample, key)]
    apart = {key: path for key, path, header in reversed(others) if grids_apart(first.header, header)}
    return [
        f"{who(case.sample)}: {key}: {Path(path).name} is not on the grid of {first.key}" for key, path in apart.items()
    ]


def _write_cases(cases: Sequence[Case], labels: LabelMap, parts: Parts, folder: Path, *, copy: bool) -> Noted:
    """Write images and labels; returns which files are not the tree's own, and why."""
    noted = Noted()
    for case in cases:
        side = "Ts" if case.name in parts.tested else "Tr"
        for number, channel in enumerate(case.channels):
            target = folder / f"images{side}" / f"{case.name}_{number:04d}{FILE_ENDING}"
            noted.count(channel.key, place_volume(channel, target, labels.grid, copy=copy), missing=False)
        target = folder / f"labels{side}" / f"{case.name}{FILE_ENDING}"
        noted.count("label", labels.write(case.sample, target, copy=copy), missing=False)
    return noted


def _not_finite(cases: Sequence[Case], folder: Path) -> list[str]:
    """A sentence a channel with voxels that are no numbers, on which a network trains to NaN; integers have none."""
    found: dict[str, list[str]] = {}
    for case in cases:
        for number, channel in enumerate(case.channels):
            (path,) = folder.glob(f"images*/{case.name}_{number:04d}{FILE_ENDING}")
            if read_header(path).dtype.kind == "f" and not np.isfinite(read_volume(path)[0]).all():
                found.setdefault(channel.name, []).append(who(case.sample))
    return [
        f"{name}: {len(cases)} cases have voxels that are NaN or infinite, such as {cases[0]}; nnU-Net does not "
        "replace them: mend these images, or leave them out"
        for name, cases in found.items()
    ]


def _dataset(
    cohort: Cohort, splits: Sequence[Split] | None, cases: Sequence[Case], labels: LabelMap, parts: Parts
) -> dict[str, Any]:
    """``dataset.json``. A CT in HU is called ``CT``, by which nnU-Net chooses how to normalise."""
    names = [
        "CT" if channel.sample.get(f"{channel.key}.unit") == "HU" else channel.name for channel in cases[0].channels
    ]
    return {
        "channel_names": {str(number): name for number, name in enumerate(names)},
        "labels": labels.names,
        "numTraining": sum(case.name not in parts.tested for case in cases),
        "file_ending": FILE_ENDING,
        "provenance": provenance(cohort, splits, parts),
    }


def _folds(parts: Parts) -> list[dict[str, list[str]]]:
    """``splits_final.json``: the training cases of every fold, and those it is judged by."""
    folds = [{"train": _in(fold, TRAIN), "val": _in(fold, parts.held_out)} for fold in parts.folds]
    return folds if all(fold["val"] for fold in folds) else []


def _in(fold: Mapping[str, str], part: str) -> list[str]:
    return sorted(sample for sample, name in fold.items() if name == part)


def _notes(cases: Sequence[Case], parts: Parts, out: Path) -> list[str]:
    notes: list[str] = []
    if _folds(parts):
        notes.append(
            f"copy {out.name}/splits_final.json to nnUNet_preprocessed/{out.name}/ before training, or nnU-Net makes "
            "its own folds"
        )
    else:
        people = Counter(case.sample["participant_id"] for case in cases if case.name not in parts.tested)
        several = sum(count > 1 for count in people.values())
        leak = f", which puts the cases of {several} participants who have several on both sides" if several else ""
        notes.append(f"no folds were given: nnU-Net makes its own, by case and not by participant{leak}")
    if TEST in {name for fold in parts.folds for name in fold.values()} and not parts.tested and len(parts.folds) > 1:
        notes.append("the folds test on different samples: all are among the training cases, and labelled there")
    return notes


def _write_json(path: Path, content: object) -> None:
    write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
