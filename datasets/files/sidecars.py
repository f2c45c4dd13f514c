"""JSON sidecars under the BIDS inheritance principle (BIDS specification, "Common principles")."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from ..errors import ReadError
from .names import Name, parse_name


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One metadata file that may apply to several images."""

    path: str
    name: Name

    def applies(self, image: Name) -> bool:
        """Whether every entity of the sidecar is one of the image's, and the suffix is the same."""
        return self.name.suffix == image.suffix and self.name.entities <= image.entities


def shared_sidecars(
    folder: str, files: Iterable[str], stems: Container[str], extension: str = ".json"
) -> list[Sidecar]:
    """The sidecars of a folder that may apply to several images, the most general first.

    One that has the stem of an image in the same folder is that image's own: it says nothing of others, although
    its entities may be among theirs.
    """
    found: list[Sidecar] = []
    for filename in files:
        if (
            filename.endswith(extension)
            and filename.partition(".")[0] not in stems
            and not filename.endswith("_qc.json")
        ):
            name = parse_name(filename)
            if name is not None:
                found.append(Sidecar(f"{folder}/{filename}" if folder else filename, name))
    return sorted(found, key=lambda sidecar: (len(sidecar.name.entities), sidecar.path))


def parse_json(content: bytes) -> Any:
    """As ``json.loads``, four times as fast. Raises ``ValueError`` or ``RecursionError`` where it is no JSON."""
    try:
        return from_json(content, cache_strings="keys")
    except ValueError:  # also what only the other reads: a byte order mark, half a surrogate pair, deep nesting
        return json.loads(content)


class Metadata:
    """Merges the sidecars of an image, nearest last; those that several images share are read once.

    ``read`` gives the bytes of a file. ``outer`` holds what was read of the sidecars at the root of the dataset,
    which every participant shares; it is filled as they are met.
    """

    def __init__(
        self,
        read: Callable[[str], bytes],
        problem: Callable[[str, str], None],
        outer: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        self._bytes = read
        self._problem = problem
        self._outer = {} if outer is None else outer
        self._shared: dict[str, dict[str, Any]] = {}

    def of(self, image: Name, levels: Iterable[Iterable[Sidecar]], own: str | None) -> dict[str, Any]:
        """The metadata of one image from the sidecars of each level, outermost first, and from its own file."""
        merged: dict[str, Any] = {}
        for level in levels:
            for sidecar in level:
                if sidecar.applies(image):
                    merged.update(self._once(sidecar.path))
        if own is not None:
            merged.update(self._read(own))
        return merged

    def _once(self, path: str) -> dict[str, Any]:
        known = self._shared if "sub-" in path else self._outer
        if path not in known:
            known[path] = self._read(path)
        return known[path]

    def _read(self, path: str) -> dict[str, Any]:
        try:
            content = parse_json(self._bytes(path))
        except (OSError, ReadError, ValueError, RecursionError) as error:
            self._problem(path, f"the JSON cannot be read ({error})")
            return {}
        if not isinstance(content, dict):
            self._problem(path, "the JSON is not an object")
            return {}
        return content
