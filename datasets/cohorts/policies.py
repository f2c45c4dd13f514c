"""What to do where something is missing, twice there, or of doubtful quality."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import QueryError

UNITS = ("image", "session", "participant")
MISSING = ("raise", "drop", "mask")
DUPLICATES = ("raise", "first", "last", "best-qc")
GRIDS = ("any", "same")
VERDICTS: dict[str | None, tuple[str, ...] | None] = {
    "pass": ("pass", "waived"),
    "warn": ("pass", "waived", "warn"),
    None: None,
}


@dataclass(frozen=True, slots=True, init=False)
class Require:
    """``missing=Require("t2", any_of=2)``: T2 must be there, and at least two images in all; the rest is masked."""

    keys: tuple[str, ...]
    any_of: int

    def __init__(self, *keys: str, any_of: int = 1) -> None:
        if any_of < 1:
            raise QueryError(f"Require: any_of={any_of!r} must be at least 1")
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "any_of", any_of)


@dataclass(frozen=True, slots=True)
class QC:
    """``qc=QC("warn", where="snr > 8 and not found('P05')")``: by verdict, and by metrics and checks of each image.

    ``verdict`` is ``pass`` (or waived), ``warn`` (pass, waived or warn), or None: any or none. ``where`` is asked of
    every image by itself: any metric of quality by its name, ``qc_verdict``, ``found('G04')``, and ``has(…)`` of that
    one image. A metric that an image has not is not known; ``motion == None or motion < 0.1`` lets such an image pass.
    """

    verdict: str | None = "pass"
    where: str | None = None


Missing = str | Require


def check_choice(name: str, value: object, legal: tuple[object, ...]) -> None:
    """Raise :class:`QueryError` unless ``value`` is one of the legal ones."""
    if value not in legal:
        raise QueryError(f"cohort: {name}={value!r} is not known; legal: {', '.join(map(repr, legal))}")
