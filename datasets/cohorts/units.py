"""One sample in the making."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..index.image import Image
from .acquisition import Source


@dataclass(slots=True)
class Unit:
    """What is known of one sample so far.

    ``sources`` and ``absent`` hold, by key, what will be read or why there is nothing; ``answers`` how many
    acquisitions answered, and ``doubles`` their paths where the choice is open. ``fixed`` is the acquisition that a
    sample with ``unit="image"`` is made of, ``mask`` the one that a sample with ``unit="lesion"`` is about.
    ``lost`` names the first condition it failed, and why.
    """

    sample_id: str
    participant_id: str
    session_id: str
    site: str
    fixed: Sequence[Image] = ()
    mask: Image | None = None
    sources: dict[str, Source] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    doubles: dict[str, str] = field(default_factory=dict)
    lost: tuple[str, str] | None = None

    @property
    def title(self) -> str:
        """Participant, session and, for a single image or lesion, its name."""
        own = self.fixed[0] if self.fixed else self.mask
        words = (self.participant_id, self.session_id, own.stem if own else "")
        return " ".join(word for word in words if word)
