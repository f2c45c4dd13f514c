"""What a tree says of itself: its name, how it was made, its licence, authors and releases."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DatasetError, ReadError
from ..files.places import Place, fetch

_RELEASE = re.compile(r"(?P<version>\d+(\.\d+)*) (?P<day>\d{4}-\d\d-\d\d)")


@dataclass(frozen=True, slots=True)
class About:
    """The facts of ``dataset_description.json`` and the newest entry of ``CHANGES``; "" and () where nothing is said.

    ``made_by`` are programs with their versions, ``day`` (ISO 8601) and ``version`` are those of the last release.
    """

    name: str = ""
    bids_version: str = ""
    licence: str = ""
    authors: tuple[str, ...] = ()
    citation: str = ""
    doi: str = ""
    links: tuple[str, ...] = ()
    made_by: tuple[tuple[str, str], ...] = ()
    version: str = ""
    day: str = ""

    @classmethod
    def read(cls, root: str | Place) -> About:
        """Read the files at the root of a tree. Raises :class:`DatasetError` where the description is no JSON."""
        said = read_json(root, "dataset_description.json")
        release = _RELEASE.match(read_text(root, "CHANGES"))
        programs = said.get("GeneratedBy")
        return cls(
            name=_text(said, "Name"),
            bids_version=_text(said, "BIDSVersion"),
            licence=_text(said, "License"),
            authors=_texts(said, "Authors"),
            citation=_text(said, "HowToAcknowledge"),
            doi=_text(said, "DatasetDOI"),
            links=_texts(said, "ReferencesAndLinks"),
            made_by=tuple(
                (_text(program, "Name"), _text(program, "Version"))
                for program in (programs if isinstance(programs, list) else ())
                if isinstance(program, dict)
            ),
            version=release["version"] if release else "",
            day=release["day"] if release else "",
        )


def read_text(root: str | Place, name: str) -> str:
    """A text file of the tree, "" where there is none. Raises :class:`DatasetError` where it is no UTF-8."""
    try:
        return fetch(f"{root}/{name}").read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except ReadError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return ""
        raise
    except UnicodeDecodeError as error:
        raise DatasetError(f"{root}/{name}: is no UTF-8 text ({error}).") from error


def read_json(root: str | Place, name: str) -> Mapping[str, Any]:
    """A JSON object of the tree, {} where there is none. Raises :class:`DatasetError` where it is something else."""
    text = read_text(root, name)
    if not text:
        return {}
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DatasetError(f"{root}/{name}: the JSON cannot be read ({error}).") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{root}/{name}: the JSON is not an object.")
    return content


def _text(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    return value.strip() if isinstance(value, str) else ""


def _texts(said: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = said.get(key)
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
