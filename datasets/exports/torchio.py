"""A cohort as TorchIO subjects, with the values of the cohort.

TorchIO would read the files by itself, without the factor of an ADC, the union of several lesions or the chosen phases;
so every image is given a reader that gives what :class:`~trialbids.datasets.LoadSequencesd` gives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cohorts.policies import Resample
from ..cohorts.rows import HOW_READ
from ..errors import DatasetError, ExportError
from ..files.places import Place, fetch, place_of
from .columns import facts
from .files import listed, write_whole
from .ongrid import tensor_on_grid
from .parts import parts_of, plain
from .provenance import provenance
from .written import Written, new_place

if TYPE_CHECKING:
    import torch
    from torchio import Subject

    from ..cohorts.cohort import Cohort
    from ..splits.splits import Split

FORMAT = "trialbids-subjects/1"
READING = (*HOW_READ, ".unit")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one key of one sample for TorchIO: a tensor ``[C, X, Y, Z]`` and the affine (RAS+, mm). It pickles.

    With ``grid`` it is brought to the grid of another key of the sample.
    """

    sample: Mapping[str, Any]
    key: str
    label: bool
    grid: Resample | None = None

    def __call__(self, path: str | Path) -> tuple[torch.Tensor, Any]:
        """What TorchIO calls with the path of the image; the sample says the same and how it is read."""
        from ..reading.loading import LoadSequencesd

        if self.grid is not None and self.key != self.grid.to:
            tensor = tensor_on_grid(self.sample, self.key, self.grid, label=self.label)
        else:
            tensor = LoadSequencesd(self.key, resample=False)({**self.sample})[self.key]
        return tensor.as_tensor().contiguous(), tensor.affine.numpy()


def subjects(cohort: Cohort) -> list[Subject]:
    """One ``torchio.Subject`` a sample: ``ScalarImage`` for images, ``LabelMap`` for labels, read when they are used.

    >>> dataset = torchio.SubjectsDataset(subjects(train), transform=torchio.ZNormalization())   # doctest: +SKIP

    The ids, targets, units, times (s) and b-values (s/mm²) are entries of the subject. A key that is missing is left
    out of its subject, as TorchIO has no other way; TorchIO's collate then drops it for a whole batch, so that one is
    refused here unless every subject lacks it. Raises :class:`ExportError` naming the samples, and for tables of boxes
    and points, which TorchIO does not know.
    """
    samples = list(cohort)
    _check(samples, cohort.keys)
    return [_subject(sample, cohort.image_keys, cohort.label_keys, cohort.resample) for sample in samples]


def write(cohort: Cohort, splits: Sequence[Split] | None, out: Path, *, fold: int | None = None) -> Written:
    """Write a JSON list of the samples that :func:`read_subjects` turns into subjects; paths are relative to the root.

    Nothing is copied: what is scaled or joined is scaled and joined when it is read.
    """
    target = new_place(out, cohort.root)
    samples = list(cohort)
    _check(samples, cohort.keys)
    parts = parts_of(cohort, splits, fold)
    body = {
        "format": FORMAT,
        "images": list(cohort.image_keys),
        "labels": list(cohort.label_keys),
        "resample": None if cohort.resample is None else asdict(cohort.resample),
        "provenance": provenance(cohort, splits, parts),
        "folds": [dict(words) for words in parts.folds],
        "subjects": [_relative(sample, cohort) for sample in samples],
    }
    write_whole(target, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode())
    return Written(
        out,
        len(samples),
        1,
        (f"read it by: from trialbids.datasets import read_subjects; read_subjects({out.name!r}, BIDS_ROOT, fold=1)",),
    )


def read_subjects(path: str | Path, root: str | Path, *, fold: int | None = None, part: str = "train") -> list[Subject]:
    """The subjects of a list that :func:`write` wrote, over the tree at ``root``; with ``fold`` (from 1) of one part.

    Raises :class:`DatasetError` where the file is no such list, or has no such fold.
    """
    try:
        body = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: the list of subjects cannot be read ({error}).") from error
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise DatasetError(f"{path}: is no list of subjects; write one with: trialbids datalist --format torchio")
    samples = [_absolute(entry, body["images"] + body["labels"], place_of(root)) for entry in body["subjects"]]
    if fold is not None:
        if not 1 <= fold <= len(body["folds"]):
            raise DatasetError(f"{path}: fold {fold}: there are {len(body['folds'])}, counted from 1.")
        words = body["folds"][fold - 1]
        samples = [sample for sample in samples if words.get(sample["sample_id"]) == part]
    grid = Resample(**body["resample"]) if body["resample"] else None
    return [_subject(sample, body["images"], body["labels"], grid) for sample in samples]


def _subject(sample: Mapping[str, Any], images: Sequence[str], labels: Sequence[str], grid: Resample | None) -> Subject:
    import_torchio()
    from torchio import LabelMap, ScalarImage, Subject

    keys = (*images, *labels)
    entries: dict[str, Any] = {}
    for key in keys:
        if paths := listed(sample, key):
            kind = ScalarImage if key in images else LabelMap
            needed: set[str] = {key} if grid is None else {key, grid.to}
            how = {name: value for each in needed for name, value in _how(sample, each).items()}
            reader = Reader(how, key, key in labels, grid)
            entries[key] = kind(fetch(paths[0]), reader=reader)
    return Subject({**entries, **facts(sample, keys)})


def import_torchio() -> None:
    """Import TorchIO. Raises :class:`DatasetError` with what to install."""
    try:
        import torchio  # noqa: F401
    except ImportError as error:
        raise DatasetError("subjects: TorchIO is not installed; run: pip install 'trialbids[torchio]'") from error


def _how(sample: Mapping[str, Any], key: str) -> dict[str, Any]:
    named = {name: sample[name] for name in ("sample_id", "participant_id", "session_id") if name in sample}
    return {
        **named,
        key: sample[key],
        **{f"{key}{side}": sample[f"{key}{side}"] for side in READING if f"{key}{side}" in sample},
    }


def _check(samples: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> None:
    for key in keys:
        tables = [str(sample["sample_id"]) for sample in samples if f"{key}.table" in sample]
        if tables:
            raise ExportError(f"{key}: TorchIO knows no table of boxes or points, as in {tables[0]}; ask for a mask.")
        without = [str(sample["sample_id"]) for sample in samples if not listed(sample, key)]
        if without and len(without) < len(samples):
            shown = ", ".join(without[:5]) + (f" and {len(without) - 5} more" if len(without) > 5 else "")
            raise ExportError(
                f"{key}: missing in {shown}; TorchIO's batches take the keys of their first subject, so it would be "
                "lost for others too. Ask for missing='drop'."
            )


def _relative(sample: Mapping[str, Any], cohort: Cohort) -> dict[str, Any]:
    entry = {name: plain(value) for name, value in sample.items()}
    for key in cohort.keys:
        paths = [path.removeprefix(f"{cohort.root}/") for path in listed(sample, key)]
        entry[key] = paths if isinstance(entry[key], list) else paths[0] if paths else ""
    return entry


def _absolute(entry: Mapping[str, Any], keys: Sequence[str], root: Place) -> dict[str, Any]:
    sample = dict(entry)
    for key in keys:
        paths = [str(root / path) for path in listed(entry, key)]
        sample[key] = paths if isinstance(entry[key], list) else paths[0] if paths else ""
    return sample
