"""What to do where something is missing, twice there, or of doubtful quality."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from ..errors import QueryError

UNITS = ("image", "session", "participant", "lesion")
MISSING = ("raise", "drop", "mask")
DUPLICATES = ("raise", "first", "last", "best-qc")
GRIDS = ("any", "same")
INTERPOLATIONS = ("linear", "nearest", "cubic")
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
        if isinstance(any_of, bool) or not isinstance(any_of, int) or any_of < 1:
            raise QueryError(f"Require: any_of={any_of!r} must be a whole number from 1 on")
        if strange := [key for key in keys if not isinstance(key, str)]:
            raise QueryError(f"Require: the key of an image is expected, such as 't2'; found {strange[0]!r}")
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


@dataclass(frozen=True, slots=True)
class Resample:
    """``grid=Resample(to="t2")``: every image of a sample is brought to the voxel grid of one of them when it is read.

    ``to`` is the key of that image, which every sample must have. Images are interpolated by ``interpolation``
    (``linear``, ``nearest`` or ``cubic``), masks and label maps always by the nearest voxel, fractions linearly.
    """

    to: str
    interpolation: str = "linear"

    def __post_init__(self) -> None:
        if not isinstance(self.to, str):
            raise QueryError(f"Resample: the key of an image is expected, such as 't2'; found {self.to!r}")
        if self.interpolation not in INTERPOLATIONS:
            legal = ", ".join(map(repr, INTERPOLATIONS))
            near = near_spelling(self.interpolation, INTERPOLATIONS)
            raise QueryError(f"Resample: interpolation={self.interpolation!r} is not known{near}; legal: {legal}")


Missing = str | Require
Grid = str | Resample


def check_choice(name: str, value: object, legal: tuple[object, ...], more: str = "") -> None:
    """Raise :class:`QueryError` unless ``value`` is one of the legal ones; ``more`` is said after them."""
    if not isinstance(value, str | None) or value not in legal:
        words = " ".join(filter(None, (", ".join(map(repr, legal)), more)))
        raise QueryError(f"cohort: {name}={value!r} is not known{near_spelling(value, legal)}; legal: {words}")


def near_spelling(value: object, known: Iterable[object]) -> str:
    """`` (did you mean 'first'?)``, or nothing where no known word is spelt much like it."""
    words = {word.lower(): word for word in known if isinstance(word, str)}
    guess = get_close_matches(value.lower(), words, n=1) if isinstance(value, str) else []
    return f" (did you mean {words[guess[0]]!r}?)" if guess else ""
