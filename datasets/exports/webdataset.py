"""WebDataset shards: the samples of each part in tar files that are read one after the other.

Format: https://github.com/webdataset/webdataset, the files of one sample share the name before the first dot.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExportError
from .columns import facts
from .files import check_own_grids, content, extension
from .notes import Noted
from .parts import TEST, TRAIN, VAL, Parts, parts_of
from .provenance import provenance
from .whole import whole_folder
from .written import Written, new_place

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort
    from ..splits.splits import Splits

UNSPLIT = "unsplit"


def write(
    cohort: Cohort,
    splits: Splits | None,
    out: Path,
    *,
    fold: int | None = None,
    samples_a_shard: int = 64,
    seed: int = 0,
) -> Written:
    """Write ``out/<part>-000000.tar`` …: every sample is ``<sample_id>.<key>.nii.gz`` (or ``.tsv``) and one ``.json``.

    ::

        out/
        ├── train-000000.tar    sub-01_ses-01.t2.nii.gz  sub-01_ses-01.lesion.nii.gz  sub-01_ses-01.json …
        ├── val-000000.tar
        └── shards.json         how many samples each shard has, fingerprint of the cohort, units

    The JSON holds ids, targets, units, times (s) and b-values (s/mm²). Voxels are physical. Without splits the only
    part is ``unsplit``; of several folds one is written, ``fold`` (from 1). Shards are read in order, so samples stand
    in an order drawn from ``seed``, not in that of the sites. The same cohort gives the same bytes.
    Raises :class:`ExportError` where the place is taken, two names fall together, or the fold is not named.
    """
    check_own_grids(cohort)
    place = new_place(out, cohort.root)
    _check_names(cohort, samples_a_shard)
    parts = parts_of(cohort, splits, fold)
    members = _members_of(cohort, parts)
    noted = Noted()
    shards: dict[str, int] = {}
    with whole_folder(place) as folder:
        for part, samples in members.items():
            ordered = sorted(samples, key=lambda sample: _rank(sample, seed))
            for start in range(0, len(ordered), samples_a_shard):
                name = f"{part}-{start // samples_a_shard:06d}.tar"
                chunk = ordered[start : start + samples_a_shard]
                _write_shard(folder / name, chunk, cohort.keys, noted)
                shards[name] = len(chunk)
        told = {**provenance(cohort, splits, parts), "order": seed, "keys": list(cohort.keys), "shards": shards}
        (folder / "shards.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return Written(place, sum(shards.values()), len(shards) + 1, noted.sentences())


def _check_names(cohort: Cohort, samples_a_shard: int) -> None:
    if samples_a_shard < 1:
        raise ExportError(f"samples_a_shard={samples_a_shard}: a shard holds at least one sample.")
    lower = Counter(key.lower() for key in cohort.keys)
    if twice := [key for key in cohort.keys if lower[key.lower()] > 1]:
        raise ExportError(
            f"{', '.join(twice)}: WebDataset reads names in lower case, so these keys are one; rename one."
        )
    for sample in cohort:
        if "." in sample["sample_id"] or "/" in sample["sample_id"]:
            raise ExportError(f"{sample['sample_id']}: a sample's name in a shard has neither dot nor slash.")


def _members_of(cohort: Cohort, parts: Parts) -> dict[str, list[dict[str, Any]]]:
    """The samples of each part."""
    if not parts.folds:
        return {UNSPLIT: list(cohort)}
    if len(parts.folds) != 1:
        raise ExportError(f"The splits have {len(parts.folds)} folds and shards hold one; give one (fold 1, say).")
    fold = parts.folds[0]
    return {
        part: [sample for sample in cohort if fold.get(sample["sample_id"]) == part]
        for part in (TRAIN, VAL, TEST)
        if part in fold.values()
    }


def _rank(sample: Mapping[str, Any], seed: int) -> bytes:
    return hashlib.blake2b(repr((seed, sample["sample_id"])).encode(), digest_size=16).digest()


def _write_shard(path: Path, samples: Sequence[Mapping[str, Any]], keys: Sequence[str], noted: Noted) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for sample in samples:
            for name, data in _members(sample, keys, noted):
                info = tarfile.TarInfo(f"{sample['sample_id']}.{name}")
                info.size, info.mode = len(data), 0o644  # owner and time are 0: the same bytes each time
                tar.addfile(info, io.BytesIO(data))


def _members(sample: Mapping[str, Any], keys: Iterable[str], noted: Noted) -> Iterator[tuple[str, bytes]]:
    for key in keys:
        data, reason = content(sample, key)
        noted.count(key, reason, missing=data is None)
        if data is not None:
            yield f"{key.lower()}{extension(sample, key)}", data
    yield "json", json.dumps(facts(sample, keys), sort_keys=True).encode()
