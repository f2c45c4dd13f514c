"""The form of what models said: JSON that people's own programs put beside the release, and so with free text in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trialbids.mappings.predictions import LONGEST_TEXT, MODEL, PARAMETER, PARTS

from . import shapes
from .documents import Each, Leaf, Spec, drawn_spec

CLOSED = frozenset(("CohortFingerprint", "FieldOfView", "SplitPart"))
"""Keys of the sidecars that hold no text, and no number that a person gives: they are not searched."""

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(rf"[0-9A-Za-z][0-9A-Za-z _-]{{0,63}}: predictions of {MODEL.pattern}")
_LINK = "bids:raw:"


def predicted_spec(relative: str) -> Spec:
    """The form of a prediction's JSON, or of the description of its dataset (path below the tree's root)."""
    if relative.endswith("/dataset_description.json"):
        return _DESCRIPTION
    drawn = drawn_spec(re.sub(r"_(?:map|dseg)\.json$", "_mask.json", relative))
    taken = ("Type", "Label", "LabelCode", "Method", "Sources", "SpatialReference")
    assert isinstance(drawn, Mapping)
    return {**{key: drawn[key] for key in taken}, **_OWN}


def are_at_hand(root: Path, relative: str, content: Any) -> bool:
    """Are the images that a prediction is of in the tree, of the same subject and session?

    What outlives its image tells of somebody who is no longer in the release.
    """
    if relative.endswith("/dataset_description.json"):
        return True
    visit = relative.split("/")[2:4]
    paths = [str(source).removeprefix(_LINK) for source in content.get("Sources", ())]
    return bool(paths) and all(path.split("/")[:2] == visit and (root / path).is_file() for path in paths)


def _like(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_line(value: Any) -> bool:
    """Is this a line of free text? It is searched for all that is known of anybody, which is all that can be done."""
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and value.isprintable()


def _is_parameter(value: Any) -> bool:
    return isinstance(value, bool) or shapes.is_number(value) or _is_line(value)


_LINE = Leaf(_is_line, "unknown-text")
_OWN: Mapping[str, Spec] = {
    "Model": Leaf(_like(MODEL)),
    "ModelVersion": _LINE,
    "FieldOfView": Leaf(lambda value: shapes.is_number(value) and 0 <= value <= 1),
    "CohortFingerprint": Leaf(_like(_FINGERPRINT)),
    "SplitPart": Leaf(PARTS.__contains__),
}
_MAKER: Mapping[str, Spec] = {
    "Name": Leaf(_like(MODEL)),
    "Version": _LINE,
    "Description": _LINE,
    "Parameters": Each(_like(PARAMETER), Leaf(_is_parameter, "unknown-text")),
}
_DESCRIPTION: Spec = {
    "Name": Leaf(_like(_NAME)),
    "BIDSVersion": Leaf(_like(shapes.VERSION)),
    "DatasetType": Leaf(("derivative",).__contains__),
    "GeneratedBy": [_MAKER],
    "SourceDatasets": [{"Version": Leaf(("the raw dataset that this lies in",).__contains__)}],
    "DatasetLinks": {"raw": Leaf(("../..",).__contains__)},
}
