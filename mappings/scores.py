"""What a reader may say about something drawn in whole numbers: a closed list of names, each with its highest value."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LIDC: Mapping[str, int] = MappingProxyType({
    "subtlety": 5, "internalStructure": 4, "calcification": 6, "sphericity": 5, "margin": 5, "lobulation": 5,
    "spiculation": 5, "texture": 5, "malignancy": 5,
})  # fmt: skip
"""The characteristics of a nodule in LIDC-IDRI, each from 1 (Armato et al. 2011, doi:10.1118/1.3528204)."""

ISUP = "ISUP"
"""The grade group of a prostate cancer, 1 to 5 (International Society of Urological Pathology 2014)."""

SCORES: Mapping[str, int] = MappingProxyType({**LIDC, ISUP: 5})
"""All names that may stand in ``Characteristics`` of a mask's JSON."""
