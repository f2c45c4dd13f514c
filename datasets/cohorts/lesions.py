"""Samples that are lesions: one mask each, of one reader on one image."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import CohortError, listing
from ..files.names import natural
from ..index.image import Image
from .acquisition import drawing
from .units import Unit

SINGLE = ("mask", "probseg")
"""The forms of an annotation in which every lesion has a file of its own."""


def lesion_masks(found: Iterable[Image], asked: str) -> list[Image]:
    """The masks among the annotations found, in the order of participant, session and name.

    Raises :class:`CohortError` where all that matches holds many lesions in one file.
    """
    found = tuple(found)
    masks = [image for image in found if image.suffix in SINGLE]
    if found and not masks:
        raise CohortError(
            f"unit='lesion' needs one mask a lesion, and what matches {asked} holds them together:\n"
            f"{listing([image.path for image in found])}"
        )
    return sorted(masks, key=lambda mask: (natural(mask.participant_id), natural(mask.session_id), natural(mask.path)))


def lesion_units(masks: Iterable[Image], site: Callable[[str], str]) -> list[Unit]:
    """One unit a mask; its ``sample_id`` is the name of the mask."""
    return [Unit(m.stem, m.participant_id, m.session_id, site(m.participant_id), mask=m) for m in masks]


def choose_drawings(units: Iterable[Unit], key: str, duplicates: str) -> dict[str, str]:
    """Settle whose lesions count where a session has several drawings: of two readers, or on two images.

    With ``duplicates="raise"`` the units get their ``doubles``; otherwise the answer says, by ``sample_id``, why a
    lesion does not count.
    """
    visits: dict[tuple[str, str], dict[tuple[str, ...], list[Unit]]] = {}
    for unit in units:
        if unit.mask is not None:
            of_visit = visits.setdefault((unit.participant_id, unit.session_id), {})
            of_visit.setdefault(drawing(unit.mask)[1:], []).append(unit)
    left_out: dict[str, str] = {}
    for drawings in visits.values():
        groups = list(drawings.values())
        if len(groups) < 2:
            continue
        chosen = groups[-1 if duplicates == "last" else 0]
        ids = {unit.sample_id for unit in chosen}
        names = ", ".join(_path(group[0]) for group in groups)
        for unit in (unit for group in groups for unit in group):
            if duplicates == "raise":
                unit.doubles[key] = names
            elif unit.sample_id not in ids:
                left_out[unit.sample_id] = f"{_path(unit)} is of another drawing than {_path(chosen[0])}"
    return left_out


def _path(unit: Unit) -> str:
    return unit.mask.path if unit.mask else unit.title
