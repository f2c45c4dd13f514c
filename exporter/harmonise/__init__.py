"""Stack to harmonised record, with evidence and confidence."""

from .decide import Evidence
from .record import Harmonised, harmonise

__all__ = ["Evidence", "Harmonised", "harmonise"]
