"""One sample in the making."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..index.image import Image
from .acquisition import Source


@dataclass(slots=True)
class Unit:
    """What is known of one sample so far.

    ``sources`` and ``absent`` hold, by key, what will be read or why there is nothing; ``doubles`` the paths where
    more than one acquisition answers. ``fixed`` is the acquisition that a sample with ``unit="image"`` is made of.
    ``lost`` names the first condition it failed, and why.
    """

    sample_id: str
    participant_id: str
    session_id: str
    site: str
    fixed: Sequence[Image] = ()
    sources: dict[str, Source] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    doubles: dict[str, str] = field(default_factory=dict)
    lost: tuple[str, str] | None = None

    @property
    def title(self) -> str:
        """Participant, session and, for a single image, its name."""
        words = (self.participant_id, self.session_id, self.fixed[0].stem if self.fixed else "")
        return " ".join(word for word in words if word)
