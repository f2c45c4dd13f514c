"""The reasons for which an image stays back because of a face: known where no image is read."""

from __future__ import annotations

IN_VIEW, NOT_EXCLUDED = "face-in-view", "face-not-excluded"
