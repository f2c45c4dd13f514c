"""Names of what leaves of an inspection and of a protocol: whoever proves a tree reads these alone of quality."""

from __future__ import annotations

INSPECTION_SCHEMA = "trialbids-inspection/1"
ASPECTS: tuple[str, ...] = ("label", "orientation", "completeness", "artefact")
"""What a reader says of an image."""

CONFIDENCE = 0.95
"""That of all bounds."""

PRESENT = "present"
"""The parameter of a protocol that counts sessions in which a slot is filled."""
