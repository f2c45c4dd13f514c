"""What may lie where in a released tree: names of files and folders, by the grammar that `mappings/names.py` writes."""

from __future__ import annotations

import re
from functools import cache

from bidsschematools.schema import load_schema

from trialbids.mappings.names import name_rules
from trialbids.mappings.predictions import KINDS as PREDICTED
from trialbids.mappings.predictions import MODEL

ROOT_KINDS = {
    "dataset_description.json": "json",
    "participants.json": "json",
    "scans.json": "json",
    "sessions.json": "json",
    "participants.tsv": "participants",
    "README": "readme",
    "CHANGES": "changes",
    ".bidsignore": "ignored",
    ".trialbids": "json",
    "code/trialbids.json": "json",
    "curation/manifest.parquet": "parquet",
    "curation/qc.parquet": "parquet",
    "curation/issues.tsv": "curated",
    "curation/cycles.tsv": "curated",
    "curation/compliance.tsv": "curated",
    "curation/inspection.json": "json",
    "curation/summary.json": "json",
    "curation/certificate.json": "json",
    "curation/certificate.html": "html",
    "curation/DATACARD.md": "card",
    "curation/flow.json": "json",
    "curation/flow.tsv": "flow",
    "curation/flow.svg": "drawing",
    "curation/flow.png": "picture",
    "derivatives/annotations/dataset_description.json": "json",
    "derivatives/annotations/.bidsignore": "ignored",
}
"""The files outside the subjects' folders, and how each is read."""

_LABEL = r"[0-9A-Za-z]+"
_VISIT = rf"sub-(?P<sub>{_LABEL})/ses-(?P<ses>{_LABEL})"
_SESSIONS = re.compile(rf"sub-({_LABEL})/sub-\1_sessions\.tsv")
_PHENOTYPE = re.compile(r"phenotype/[0-9A-Za-z_]+(?:_ses-[0-9A-Za-z]+)?(?P<extension>\.tsv|\.json)")
_SCANS = re.compile(rf"sub-({_LABEL})/ses-({_LABEL})/sub-\1_ses-\2_scans\.tsv")
_IMAGE = re.compile(rf"{_VISIT}/(?P<type>[a-z]+)/(?P<stem>[^/]+?)(?P<extension>\.nii\.gz|\.json|\.bval|\.bvec)")
_MASK = re.compile(
    rf"derivatives/annotations/{_VISIT}/(?P<type>[a-z]+)/(?P<stem>[^/]+?)(?P<extension>\.nii\.gz|\.json|\.tsv)"
)
_PREDICTION = re.compile(
    rf"derivatives/(?P<model>{MODEL.pattern})/{_VISIT}/(?P<type>[a-z]+)/(?P<stem>[^/]+?)(?P<extension>\.nii\.gz|\.json|\.tsv)"
)
_PREDICTED_ROOT = re.compile(
    rf"derivatives/(?P<model>{MODEL.pattern})/(?P<file>dataset_description\.json|\.bidsignore)"
)
_SOURCE = re.compile(rf"sourcedata/{_VISIT}/(?:[0-9A-Za-z_-]+/)*[0-9A-Za-z_-]+\.dcm")
_DERIVED = rf"derivatives/(?:annotations|{MODEL.pattern})"
_FOLDERS = re.compile(
    rf"code|curation|phenotype|derivatives|{_DERIVED}|sourcedata|(({_DERIVED}|sourcedata)/)?sub-{_LABEL}(/ses-{_LABEL}(/[0-9A-Za-z_-]+)*)?"
)
DRAWN = {
    "mask": (".nii.gz", ".json"),
    "probseg": (".nii.gz", ".json"),
    "dseg": (".nii.gz", ".json", ".tsv"),
    "boxes": (".json", ".tsv"),
    "points": (".json", ".tsv"),
}
"""The suffixes of the annotations, each with the files that it has."""

_DRAWN_KINDS = {".nii.gz": "nifti", ".json": "mask", ".tsv": "drawn"}
_PREDICTED_KINDS = {".nii.gz": "nifti", ".json": "predicted", ".tsv": "drawn"}
_EXTENSIONS = {".nii.gz": "nifti", ".json": "sidecar", ".bval": "numbers", ".bvec": "numbers"}


def kind_of(path: str) -> str:
    """How a file of the tree (path below the root) is to be read, "" where no file of that name belongs there.

    >>> kind_of("sub-A1/ses-01/anat/sub-A1_ses-01_T1w.nii.gz"), kind_of("sub-A1/ses-01/anat/sub-B2_ses-01_T1w.nii.gz")
    ('nifti', '')
    """
    if path in ROOT_KINDS:
        return ROOT_KINDS[path]
    if _SESSIONS.fullmatch(path):
        return "sessions"
    if _SCANS.fullmatch(path):
        return "scans"
    if found := _PHENOTYPE.fullmatch(path):
        return "phenotype" if found["extension"] == ".tsv" else "json"
    if found := _IMAGE.fullmatch(path):
        stem, extension = found["stem"], found["extension"]
        if extension == ".json" and stem.endswith("_qc"):
            return "json" if _is_stem(stem.removesuffix("_qc"), found) else ""
        return _EXTENSIONS[extension] if _is_stem(stem, found) else ""
    if found := _MASK.fullmatch(path):
        suffix = found["stem"].rpartition("_")[2]
        known = found["extension"] in DRAWN.get(suffix, ()) and _is_stem(found["stem"], found)
        return _DRAWN_KINDS[found["extension"]] if known else ""
    if found := _PREDICTED_ROOT.fullmatch(path):
        return "ignored" if found["file"] == ".bidsignore" else "predicted"
    if found := _PREDICTION.fullmatch(path):
        suffix = found["stem"].rpartition("_")[2]
        known = found["extension"] in PREDICTED.get(suffix, ()) and _is_stem(found["stem"], found)
        return _PREDICTED_KINDS[found["extension"]] if known else ""
    return "dicom" if _SOURCE.fullmatch(path) else ""


def is_folder(path: str) -> bool:
    """May a folder of this name (path below the root) lie in the tree?"""
    if not _FOLDERS.fullmatch(path):
        return False
    if path.startswith("sourcedata"):
        return True
    below = re.sub(rf"{_DERIVED}/?", "", path).split("/")[2:]
    return path == "phenotype" or not below or (len(below) == 1 and below[0] in _datatypes())


def is_prediction(path: str) -> bool:
    """Is this what a model said of an image, which people put into the tree after its export?"""
    return _PREDICTION.fullmatch(path) is not None


def is_image_path(path: str) -> bool:
    """Is this the path of an image below its session, as scans.tsv names it?"""
    datatype, _, name = path.partition("/")
    stem = name.removesuffix(".nii.gz")
    return datatype in _datatypes() and name != stem and _entities(stem) is not None


def _is_stem(stem: str, found: re.Match[str]) -> bool:
    """Entities of the standard with labels of letters and digits, the folder's subject and session, a known suffix."""
    entities = _entities(stem)
    return (
        entities is not None
        and found["type"] in _datatypes()
        and (entities.get("sub"), entities.get("ses")) == (found["sub"], found["ses"])
    )


def _entities(stem: str) -> dict[str, str] | None:
    *pairs, suffix = stem.split("_")
    entities: dict[str, str] = {}
    for pair in pairs:
        name, dash, label = pair.partition("-")
        if name not in _entity_names() or name in entities or not dash or not re.fullmatch(_LABEL, label):
            return None
        entities[name] = label
    return entities if suffix in _suffixes() else None


@cache
def _entity_names() -> frozenset[str]:
    return frozenset(entity.name for entity in load_schema().objects.entities.values())


@cache
def _suffixes() -> frozenset[str]:
    return frozenset(naming.suffix for naming in name_rules().sequences.values()) | {*DRAWN, *PREDICTED}


@cache
def _datatypes() -> frozenset[str]:
    return frozenset(naming.datatype for naming in name_rules().sequences.values())
