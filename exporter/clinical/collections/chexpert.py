"""CheXpert: what the reports of chest radiographs say, a row an image, named by its path.

``Path,Sex,Age,Frontal/Lateral,AP/PA`` and fourteen observations; ``Path`` is
``CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg`` (the release's folder may have another name), an
observation 1.0 (positive), 0.0 (negative), -1.0 (the report is uncertain) or blank (not mentioned). The observations
are those of the study, repeated for each of its views, so a study is one row here: ``patient`` (``patient00001``),
``study`` (``study1``), ``sex``, ``age``, the observations in lower case with ``_`` (``pleural_effusion``) as words,
and the number of ``views``.

Source: Irvin, Rajpurkar, Ko et al., AAAI 2019, arXiv:1901.07031; stanfordmlgroup.github.io/competitions/chexpert.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from ...errors import UsageError
from ...tables import read_table
from ..sheet import Sheet

OBSERVATIONS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
WORDS = {"1.0": "positive", "0.0": "negative", "-1.0": "uncertain", "1": "positive", "0": "negative", "-1": "uncertain"}
NAMED = re.compile(r"(?:.*/)?(?P<patient>patient\d+)/(?P<study>study\d+)/view\d+_(?:frontal|lateral)\.\w+")


def column_of(observation: str) -> str:
    """The name of an observation's column: ``Pleural Effusion`` is ``pleural_effusion``."""
    return observation.lower().replace(" ", "_")


def chexpert_sheet(file: Path) -> Sheet:
    """One row a study, in the order of the file; its line is that of the first view.

    Raises ``UsageError`` naming the line where a path or a value is not of the collection's form, or where the views of
    one study say different things.
    """
    rows = read_table(file)
    for name in ("Path", "Sex", "Age", *OBSERVATIONS):
        if rows and name not in rows[0]:
            raise UsageError(f"{file}: has no column {name}; this is no table of CheXpert")
    studies: dict[tuple[str, str], dict[str, str]] = {}
    lines: list[int] = []
    views: Counter[tuple[str, str]] = Counter()
    for line, row in enumerate(rows, start=2):
        named = NAMED.fullmatch(row["Path"])
        if named is None:
            raise UsageError(f"{file}: line {line}: Path: expected …/patient00001/study1/view1_frontal.jpg")
        key, said = (named["patient"], named["study"]), _said(file, line, row)
        if key not in studies:
            lines.append(line)
        different = next((name for name, value in studies.setdefault(key, said).items() if said[name] != value), None)
        if different is not None:
            raise UsageError(f"{file}: line {line}: {different}: differs from an earlier view of the same study")
        views[key] += 1
    columns = {"patient": [patient for patient, _ in studies], "study": [study for _, study in studies]}
    for name in ("sex", "age", *map(column_of, OBSERVATIONS)):
        columns[name] = [said[name] for said in studies.values()]
    return Sheet(file, {**columns, "views": [str(views[key]) for key in studies]}, lines)


def _said(file: Path, line: int, row: dict[str, str]) -> dict[str, str]:
    """What a row says of its study, in words; blank where the report says nothing."""
    said = {"sex": {"Female": "F", "Male": "M"}.get(row["Sex"], ""), "age": row["Age"]}
    for name in OBSERVATIONS:
        if row[name] and row[name] not in WORDS:
            raise UsageError(f"{file}: line {line}: {name}: expected 1.0, 0.0, -1.0 or nothing")
        said[column_of(name)] = WORDS.get(row[name], "")
    return said
