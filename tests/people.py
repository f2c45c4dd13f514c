"""Cohorts of people without files, for the tests of splits: what the index would know of them, in a few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trialbids.datasets.cohorts.cohort import Cohort
from trialbids.datasets.cohorts.columnar import Columnar
from trialbids.datasets.cohorts.common import Common
from trialbids.datasets.cohorts.targets import Target


def cohort_of(
    rows: Iterable[Mapping[str, Any]],
    *,
    targets: Mapping[str, Target] | None = None,
    sha256: Mapping[str, str] | None = None,
    studies: Mapping[str, str] | None = None,
    root: Path = Path("nowhere"),
) -> Cohort:
    """One sample a row: ``person`` (01), and perhaps ``session``, ``site`` and clinical columns.

    The image of a sample is ``sub-01/ses-01/anat/sub-01_ses-01_T2w.nii.gz``; its hash is one of its own unless
    ``sha256`` gives it.
    """
    given = list(rows)
    samples = []
    for row in given:
        person, session = f"sub-{row['person']}", f"ses-{row.get('session', '01')}"
        path = f"{person}/{session}/anat/{person}_{session}_T2w.nii.gz"
        names = {"sample_id": f"{person}_{session}", "participant_id": person, "session_id": session}
        samples.append({**names, "site": row.get("site", "S01"), "t2": path})
    hashes = {sample["t2"]: f"{sample['t2'].encode().hex():0>64}" for sample in samples}
    common = Common(
        root=root,
        image_keys=("t2",),
        targets=dict(targets or {}),
        description="small",
        sha256={**hashes, **(sha256 or {})},
        studies=dict(studies or {}),
    )
    facts = [{key: value for key, value in row.items() if key not in ("person", "session", "site")} for row in given]
    return Cohort(common, Columnar.of_rows(samples), Columnar.of_rows(facts) if facts and facts[0] else None)


def image(person: str, session: str = "01") -> str:
    """The path of the image of a sample."""
    return f"sub-{person}/ses-{session}/anat/sub-{person}_ses-{session}_T2w.nii.gz"


def people(cohort: Cohort | None) -> set[str]:
    """The participants of a part, without ``sub-``; nobody is in a part that is None."""
    return {name[4:] for name in cohort.column("participant_id")} if cohort is not None else set()
