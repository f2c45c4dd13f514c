"""A folder that Hugging Face's ``datasets`` reads offline, with the same splits.

``load_dataset(folder)`` finds the configurations in ``README.md``
(https://huggingface.co/docs/hub/datasets-manual-configuration), and the files of each sample in ``metadata.parquet``:
by its ``niftifolder`` a column ``t2_file_name`` becomes the image ``t2``.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ..errors import ExportError
from .about import About
from .columns import known_type, rows_of
from .files import NIFTI, Placed, check_own_grids, extension, place
from .notes import Noted
from .parts import TEST, TRAIN, VAL, parts_of
from .whole import whole_folder
from .written import Written, new_place

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort
    from ..splits.splits import Splits

NAMES: Mapping[str, str] = {TRAIN: "train", VAL: "validation", TEST: "test"}
"""How Hugging Face calls the parts."""
LICENCES: Mapping[str, str] = {"CC0": "cc0-1.0", "CC-BY-4.0": "cc-by-4.0", "CC BY 4.0": "cc-by-4.0", "PDDL": "pddl"}
"""Licences as BIDS datasets name them, by the identifiers of the Hub; any other is ``other`` with its name."""
FOLDER_OF_FILES = "files"


def write(cohort: Cohort, splits: Splits | None, out: Path, *, copy: bool = False) -> Written:
    """Write ``out/``, with one configuration a fold (``fold1`` …), or one called ``default``.

    ::

        out/
        ├── README.md                           configurations, sizes, what the columns hold
        └── fold1/train/metadata.parquet        a row a sample: ids, targets, times, b-values, the names of its files
            fold1/train/files/<sample_id>/t2.nii.gz …

        >>> from datasets import load_dataset                                     # doctest: +SKIP
        >>> load_dataset("out", "fold1", split="train")[0]["t2"].get_fdata()      # doctest: +SKIP

    An image is a column ``Nifti()``, read by nibabel; its values are physical. A class is a ``ClassLabel``. Boxes and
    points are files, with their paths as text. Without splits there is one part, ``unsplit``. Files are links into the
    tree where they can be; with ``copy`` the folder can go elsewhere. Raises :class:`ExportError` where the place is
    taken, or ``datasets`` (``trialbids[export]``) is not installed.
    """
    if find_spec("datasets") is None:
        raise ExportError("Hugging Face's datasets is not installed; pip install 'trialbids[export]'.")
    check_own_grids(cohort)
    target = new_place(out, cohort.root)
    about = About.read(cohort.root)
    configurations = _configurations(cohort, splits)
    store, schema = _Store(cohort, copy), _schema(cohort)
    files = 1
    with whole_folder(target) as folder:
        for name, parts in configurations.items():
            for part, ids in parts.items():
                files += 1 + _write_part(folder / name / part, cohort, schema, store, ids)
        (folder / "README.md").write_text(_readme(cohort, configurations, about), encoding="utf-8")
    notes = (
        [] if about.licence else ["The tree names no licence, so neither does the README: say one before you share."]
    )
    return Written(target, len(cohort), files, (*notes, *store.noted.sentences()))


def _configurations(cohort: Cohort, splits: Splits | None) -> dict[str, dict[str, list[str]]]:
    """Configurations, their parts, and the samples of each."""
    if splits is None:
        return {"default": {"unsplit": [sample["sample_id"] for sample in cohort]}}
    parts = parts_of(cohort, splits)
    names = ["default"] if len(parts.folds) == 1 else [name.replace(" ", "-") for name in parts.names]
    return {
        name: {
            NAMES[part]: [sample["sample_id"] for sample in cohort if fold.get(sample["sample_id"]) == part]
            for part in NAMES
            if part in fold.values()
        }
        for name, fold in zip(names, parts.folds, strict=True)
    }


@dataclass(slots=True)
class _Store:
    """Puts the files of samples into as many folders as there are folds; what is no link is there only once."""

    cohort: Cohort
    copy: bool
    noted: Noted = field(default_factory=Noted)
    placed: dict[tuple[str, str], Placed] = field(default_factory=dict)

    def put(self, sample: Mapping[str, Any], key: str, target: Path) -> Path | None:
        """The file of a key at ``target``, None where the sample has none."""
        known = sample["sample_id"], key
        if known not in self.placed:
            self.placed[known] = place(sample, key, target, copy=self.copy)
            self.noted.add(key, self.placed[known])
        first = self.placed[known].path
        if first is None or first == target:
            return first
        target.parent.mkdir(parents=True, exist_ok=True)
        if first.is_symlink():
            target.symlink_to(first.readlink())
            return target
        try:
            target.hardlink_to(first)
        except OSError:  # a file system without links
            shutil.copyfile(first, target)
        return target


def _write_part(folder: Path, cohort: Cohort, schema: Any, store: _Store, ids: Collection[str]) -> int:
    """The files and the table of one part; how many files were put there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    samples = [sample for sample in cohort if sample["sample_id"] in ids]
    rows = rows_of(samples, cohort.keys)
    count = 0
    for sample, row in zip(samples, rows, strict=True):
        for key in cohort.keys:
            name = f"{FOLDER_OF_FILES}/{sample['sample_id']}/{key}{extension(sample, key)}"
            put = store.put(sample, key, folder / name)
            row[_column(cohort, key)] = name if put else None
            count += put is not None
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "metadata.parquet")
    return count


def _column(cohort: Cohort, key: str) -> str:
    """A column of files that ``niftifolder`` reads, or of plain paths."""
    return f"{key}_file_name" if extension(cohort[0], key) == NIFTI else f"{key}_path"


def _schema(cohort: Cohort) -> Any:
    """The types of all columns, the same in every part; a target with classes carries their names."""
    import pyarrow as pa

    import datasets

    rows = rows_of(list(cohort), cohort.keys)
    types = {f.name: known_type(f.type) for f in pa.Table.from_pylist(rows).schema}
    types |= {_column(cohort, key): pa.string() for key in cohort.keys}
    features = datasets.Features.from_arrow_schema(pa.schema(list(types.items())))
    for name, classes in cohort.classes.items():
        words = [str(each) for each in classes]
        if types.get(name) == pa.int64() and len(set(words)) == len(words):
            features[name] = datasets.ClassLabel(names=words)
    return features.arrow_schema


def _readme(cohort: Cohort, configurations: Mapping[str, Mapping[str, Sequence[str]]], about: About) -> str:
    head: dict[str, Any] = {
        "pretty_name": about.name or "unnamed",
        "tags": ["medical", "nifti", "bids"],
        "configs": [
            {
                "config_name": name,
                "data_files": [{"split": part, "path": f"{name}/{part}/**"} for part in parts],
            }
            for name, parts in configurations.items()
        ],
    }
    if about.licence:
        known = LICENCES.get(about.licence)
        head |= {"license": known} if known else {"license": "other", "license_name": about.licence}
    lines = [
        "---",
        yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(),
        "---",
        "",
        f"# {about.name or 'Unnamed dataset'}",
        "",
        f"{len(cohort)} samples, exported from a BIDS tree by trialbids.",
        "",
        f"The fingerprint of the cohort is `{cohort.fingerprint}`.",
        "",
        "| configuration | part | samples |",
        "|---|---|---:|",
        *(f"| {name} | {part} | {len(ids)} |" for name, parts in configurations.items() for part, ids in parts.items()),
        "",
        "| column | holds |",
        "|---|---|",
        *(f"| `{key}` | {_unit(cohort, key)} |" for key in cohort.keys),
        "",
    ]
    return "\n".join(lines)


def _unit(cohort: Cohort, key: str) -> str:
    if extension(cohort[0], key) != NIFTI:
        return "voxel coordinates, as a table"
    if key in cohort.label_keys:
        return "a mask or a label map on the grid of the image it was drawn on"
    units = sorted({str(sample.get(f"{key}.unit") or "arbitrary") for sample in cohort})
    return f"an image; unit: {' or '.join(units)}"
