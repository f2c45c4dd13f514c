"""The formats of other frameworks by the names that people call them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import ExportError

if TYPE_CHECKING:
    from .written import Written

Write = Callable[..., "Written"]


@dataclass(frozen=True, slots=True)
class Format:
    """Where a format is written: a function of a module of this room, and what beyond the splits it can be told:
    ``copy`` images instead of linking them, write one ``fold`` of several, be ``told`` of licence and creators.
    ``resamples`` says whether it can bring the images of a sample to one grid, as a cohort with ``grid=Resample(…)``
    does."""

    module: str
    function: str = "write"
    options: tuple[str, ...] = ("fold",)
    resamples: bool = True

    @property
    def write(self) -> Write:
        """The function, imported when it is asked for: ``write(cohort, splits, out, **options) -> Written``."""
        return getattr(import_module(f".{self.module}", __package__), self.function)


FORMATS: dict[str, Format] = {
    "monai": Format("datalist", options=("fold", "copy")),
    "auto3dseg": Format("datalist", "write_auto3dseg", options=("fold", "copy")),
    "nnunet": Format("nnunet", options=("fold", "copy")),
    "torchio": Format("torchio"),
    "huggingface": Format("huggingface", options=("copy",), resamples=False),
    "webdataset": Format("webdataset", resamples=False),
    "croissant": Format("croissant", options=("copy", "told"), resamples=False),
    "tsv": Format("tsv"),
}


def format_of(name: str) -> Format:
    """The format of that name. Raises :class:`ExportError` with all names where there is none."""
    if name not in FORMATS:
        raise ExportError(f"--format {name}: is not known; legal: {', '.join(FORMATS)}")
    return FORMATS[name]
