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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import UsageError
from ...tables import read_lines
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

    A value that is none of the collection's, or in which the views of a study differ, is blank for that study, and a
    row whose path is of another form is not read; the remarks name their lines. Raises ``UsageError`` where the file
    is no table of the collection.
    """
    rows = read_lines(file)
    for name in ("Path", "Sex", "Age", *OBSERVATIONS):
        if rows and name not in rows[0][1]:
            raise UsageError(f"{file}: has no column {name}; this is no table of CheXpert")
    studies: dict[tuple[str, str], _Study] = {}
    remarks: list[str] = []
    for line, row in rows:
        named = NAMED.fullmatch(row["Path"])
        if named is None:
            remarks.append(
                f"line {line}: Path: expected …/patient00001/study1/view1_frontal.jpg; nothing of it is read"
            )
            continue
        study = studies.setdefault((named["patient"], named["study"]), _Study(line))
        remarks += [f"line {line}: {why}" for why in study.add(_said(row))]
    if rows and not studies:
        raise UsageError(f"{file}: {remarks[0]}; no line has such a path")
    columns = {"patient": [patient for patient, _ in studies], "study": [study for _, study in studies]}
    for name in ("sex", "age", *map(column_of, OBSERVATIONS)):
        columns[name] = [study.values[name] or "" for study in studies.values()]
    views = [str(study.views) for study in studies.values()]
    return Sheet(file, {**columns, "views": views}, [study.line for study in studies.values()], tuple(remarks))


@dataclass(slots=True)
class _Study:
    """A study as its views are read: its values by column, None where they are refused."""

    line: int
    views: int = 0
    values: dict[str, str | None] = field(default_factory=dict)

    def add(self, said: Mapping[str, str | None]) -> list[str]:
        """Take a view, and say what of it is refused."""
        self.views += 1
        refused = []
        for name, value in said.items():
            known = self.values.setdefault(name, value)
            if value is None:
                refused.append(f"{name}: expected 1.0, 0.0, -1.0 or nothing; the study has no value")
                self.values[name] = None
            elif known is not None and known != value:
                refused.append(f"{name}: differs from an earlier view of the same study, which has no value")
                self.values[name] = None
        return refused


def _said(row: Mapping[str, str]) -> dict[str, str | None]:
    """What a row says of its study, in words: blank where the report says nothing, None what is no word of it."""
    said: dict[str, str | None] = {"sex": {"Female": "F", "Male": "M"}.get(row["Sex"], ""), "age": row["Age"]}
    for name in OBSERVATIONS:
        said[column_of(name)] = WORDS.get(row[name]) if row[name] else ""
    return said
