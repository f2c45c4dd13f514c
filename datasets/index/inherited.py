"""The metadata of one image, read anew from the tree."""

from __future__ import annotations

from typing import Any

from ..files.names import parse_name
from ..files.sidecars import Metadata, Sidecar, shared_sidecars
from ..files.trees import Tree


def own_sidecar(tree: Tree, path: str) -> dict[str, Any]:
    """The JSON beside an image, {} where there is none or it cannot be read."""
    own = path.partition(".nii")[0] + ".json"
    name = parse_name(path.rpartition("/")[2])
    if name is None:
        return {}
    return Metadata(tree.read, _unheard).of(name, (), own)


def inherited(tree: Tree, path: str, prefix: str = "") -> dict[str, Any]:
    """What an image inherits from the folders between ``prefix``, the root of its dataset, and its own, and its own
    sidecar; the nearest file wins."""
    folder, _, filename = path.rpartition("/")
    name = parse_name(filename)
    if name is None:
        return {}
    below = folder[len(prefix) :].strip("/").split("/")
    folders = ["/".join(filter(None, (prefix, *below[:depth]))) for depth in range(len(below) + 1)]
    levels = [_shared(tree, each) for each in folders]
    return {**Metadata(tree.read, _unheard).of(name, levels, None), **own_sidecar(tree, path)}


def _shared(tree: Tree, folder: str) -> list[Sidecar]:
    try:
        here = tree.listing(folder)
    except OSError:
        return []
    return shared_sidecars(folder, here.files, {name.partition(".")[0] for name in here.images})


def _unheard(path: str, reason: str) -> None:
    """The index lists what cannot be read."""
