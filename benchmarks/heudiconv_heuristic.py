"""heudiconv's side of the benchmark: every series is converted, nothing is understood (as its own ``convertall``)."""

from __future__ import annotations

from typing import Any

Key = tuple[str, tuple[str, ...], None]


def infotodict(seqinfo: list[Any]) -> dict[Key, list[str]]:
    """Images of one volume are called T1w, of several bold."""
    stem = "{bids_subject_session_dir}/%s/{bids_subject_session_prefix}_%srun-{item:03d}_%s"
    anat: Key = (stem % ("anat", "", "T1w"), ("nii.gz",), None)
    func: Key = (stem % ("func", "task-any_", "bold"), ("nii.gz",), None)
    found: dict[Key, list[str]] = {anat: [], func: []}
    for series in seqinfo:
        found[func if series.dim4 > 1 else anat].append(series.series_id)
    return found
