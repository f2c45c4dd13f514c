"""What a cohort and the parts of its splits share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..files.places import Place
from .content import Content
from .policies import Resample
from .report import Report
from .targets import Target


@dataclass(frozen=True, kw_only=True)
class Common:
    """What a cohort and all its parts share.

    ``sha256`` and ``studies`` hold, by path, the hash of the voxels and the keyed study UID where they are known;
    ``refused`` why a clinical column has no one value for a sample; ``description`` the request in words.
    """

    root: Place
    image_keys: tuple[str, ...]
    label_keys: tuple[str, ...] = ()
    targets: Mapping[str, Target] = field(default_factory=dict)
    resample: Resample | None = None
    report: Report = field(default_factory=lambda: Report((), ()))
    description: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)
    studies: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def content(self) -> Content:
        """The content of the files, each looked at once."""
        return Content(self.root, self.sha256)
