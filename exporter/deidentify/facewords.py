"""Which images may show a face, and the reasons for which they stay back: known where no image is read."""

from __future__ import annotations

from trialbids.mappings.bodyparts import body_parts
from trialbids.mappings.record import Record

IN_VIEW, NOT_EXCLUDED = "face-in-view", "face-not-excluded"


def face_reason(record: Record) -> str:
    """Why an image may show a face: ``face-in-view``, ``face-not-excluded`` where its body part is not known, or ""."""
    if record.bodypart == "unknown":
        return NOT_EXCLUDED
    part = body_parts().get(record.bodypart)
    return IN_VIEW if part is not None and part.face else ""
