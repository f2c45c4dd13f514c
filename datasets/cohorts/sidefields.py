"""The sidecar fields that a caller wants to have in the samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ..errors import CohortError
from .request import Request
from .units import Unit

if TYPE_CHECKING:
    from ..database import Database


def chosen_fields(db: Database, units: Iterable[Unit], request: Request) -> Mapping[str, Mapping[str, Any]]:
    """The fields of ``request.fields`` by the path of the image; of a dynamic series those of its first image.

    What a sidecar does not have is not in its dict. Raises :class:`CohortError` for a field that no image has.
    """
    firsts = [unit.sources[key].images[0] for unit in units for key in request.images if key in unit.sources]
    known: dict[str, None] = {}
    found: dict[str, Mapping[str, Any]] = {}
    for image in firsts:
        sidecar = db.sidecar(image)
        known |= dict.fromkeys(sidecar)
        found[image.path] = {name: sidecar[name] for name in request.fields if name in sidecar}
    for name in request.fields:
        if name not in known:
            guess = get_close_matches(name, known, n=1)
            raise CohortError(
                f"fields: no image of the cohort has {name!r} in its sidecar"
                + (f"; did you mean {guess[0]!r}?" if guess else f"; there are: {', '.join(sorted(known)) or 'none'}")
            )
    return found
