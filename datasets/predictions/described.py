"""Who made a folder of predictions: the model in ``dataset_description.json`` of a derivative dataset."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trialbids.mappings.predictions import LONGEST_TEXT, MODEL, PARAMETER, bidsignore

from ..errors import PredictionError, QueryError
from .place import check_no_link
from .store import json_bytes, write_new, write_over

BIDS_VERSION = "1.11.1"
DESCRIPTION = "dataset_description.json"
Parameter = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Model:
    """A model as its folder names it. Raises :class:`QueryError` for what cannot be written."""

    name: str
    version: str = ""
    description: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not MODEL.fullmatch(self.name):
            raise QueryError(
                f"PredictionWriter: model={self.name!r}: it names a folder: up to 48 letters, digits, '-', '_' and "
                "'.', the first a letter or digit; 'annotations' is what people drew"
            )
        for what, text in (("version", self.version), ("description", self.description)):
            if len(text) > LONGEST_TEXT or not text.isprintable():
                raise QueryError(f"PredictionWriter: {what} must be one line of at most {LONGEST_TEXT} characters")
        for key, value in self.parameters.items():
            is_text = isinstance(value, str) and len(value) <= LONGEST_TEXT and value.isprintable()
            is_number = isinstance(value, int | float) and math.isfinite(value)
            if not PARAMETER.fullmatch(key) or not (is_text or is_number):
                raise QueryError(
                    f"PredictionWriter: parameters: {key}={value!r}: a name of letters, digits and '_', and a number, "
                    "True, False or a line of text"
                )

    @property
    def folder(self) -> str:
        """Where its predictions lie, below the root of the tree."""
        return f"derivatives/{self.name}"

    def generated_by(self) -> dict[str, Any]:
        """The model as BIDS describes what made a dataset."""
        given = {"Version": self.version, "Description": self.description, "Parameters": dict(self.parameters)}
        return {"Name": self.name, **{key: value for key, value in given.items() if value}}


def describe(root: Path, model: Model) -> None:
    """Make the folder a derivative dataset, or find that it is that of the same model.

    Several processes may do so at once. Raises :class:`PredictionError` where another model lies there, ``OSError``
    where it cannot be written.
    """
    path = root / model.folder / DESCRIPTION
    content = {
        "Name": f"{_name_of(root)}: predictions of {model.name}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [model.generated_by(), {"Name": "trialbids", "Version": version("trialbids")}],
        "SourceDatasets": [{"Version": "the raw dataset that this lies in"}],
        "DatasetLinks": {"raw": "../.."},
    }
    try:
        if not path.exists():
            write_over(path.with_name(".bidsignore"), ("\n".join(bidsignore()) + "\n").encode(), path.parent)
            write_new(path, json_bytes(content), path.parent)
    except FileExistsError:
        pass  # another process was faster; what it wrote is compared as any other is
    check_same_model(root, model)


def check_same_model(root: Path, model: Model) -> None:
    """Raise :class:`PredictionError` where the folder of the model is another model's, or leads elsewhere by a link."""
    path = root / model.folder / DESCRIPTION
    check_no_link(root, path.parent)
    if not path.exists():
        return
    made_by = _made_by(path)
    if made_by != model.generated_by():
        raise PredictionError(
            f"{path}: the folder holds predictions of {made_by}, and these are of {model.generated_by()}; give the "
            "model another name, or take the folder away."
        )


def _made_by(path: Path) -> Any:
    """What made the dataset, by its description."""
    try:
        return json.loads(path.read_bytes())["GeneratedBy"][0]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise PredictionError(f"{path}: cannot be read ({error}); take the folder away.") from error


def _name_of(root: Path) -> str:
    """The dataset's name, that of the folder where it has none."""
    try:
        return str(json.loads((root / DESCRIPTION).read_bytes())["Name"])
    except (OSError, ValueError, KeyError, TypeError):
        return root.name
