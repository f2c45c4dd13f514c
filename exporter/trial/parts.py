"""What the parts of ``trial.yaml`` have in common: a strict model, legal paths, tags and patterns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from ..inventory.instance import Instance


def legal_pattern(group: str, pattern: str) -> str:
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is no regular expression ({error})") from error
    if group not in compiled.groupindex:
        raise ValueError(f"has no named group (?P<{group}>…)")
    return pattern


def _legal_tag(tag: str) -> str:
    if tag not in Instance.__dataclass_fields__ or not tag[0].isupper():
        raise ValueError(
            f"'{tag}' is not a DICOM keyword that the inventory reads, such as PatientID or InstitutionName"
        )
    return tag


def legal_path(path: Path) -> Path:
    """The path with ``~`` resolved."""
    if "\0" in str(path):
        raise ValueError("holds a null character, which no path can")
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"there is no home folder for {path.parts[0]}") from error


LegalPath = Annotated[Path, AfterValidator(legal_path)]
Tag = Annotated[str, BeforeValidator(lambda v: _legal_tag(str(v)))]


class Model(BaseModel):
    """Base of all parts of ``trial.yaml``: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
