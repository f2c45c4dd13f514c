"""Whose samples are predicted: the cohort and its part, which the sidecars name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from trialbids.mappings.predictions import PARTS

from ..errors import PredictionError, QueryError

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort


@dataclass(frozen=True, slots=True)
class Source:
    """The cohort of the samples; ``files`` are those behind the image of every sample, by its id.

    ``fingerprint`` is "" where no cohort is known, ``part`` where nobody has said it.
    """

    fingerprint: str = ""
    part: str = ""
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, cohort: Cohort | None, image: str, part: str) -> Self:
        """The part that the cohort is, else the one that is said. Raises :class:`QueryError` where they differ."""
        if part and part not in PARTS:
            raise QueryError(f"PredictionWriter: part={part!r} is not known; legal: {' '.join(PARTS)}")
        if cohort is None:
            return cls(part=part)
        own = cohort.part.rpartition("/")[2]
        if own and part and part != own:
            raise QueryError(
                f"PredictionWriter: part={part!r}, and the cohort is {cohort.part!r}; leave part= out, or give the "
                "part of the split that is predicted"
            )
        return cls(cohort.fingerprint, own or part, _files_of(cohort, image))

    def check_holds(self, sample: Mapping[str, Any], file: Path, who: str) -> None:
        """Raise :class:`PredictionError` where the sample, or the file of its image, is none of the cohort."""
        if not self.fingerprint:
            return
        name = str(sample.get("sample_id"))
        if name not in self.files:
            part = f" ({self.part})" if self.part else ""
            raise PredictionError(
                f"{who}: the sample {name} is not in the cohort that the writer was given{part}; give it the cohort of "
                "these samples."
            )
        if str(file) not in {str(Path(each).absolute()) for each in self.files[name]}:
            raise PredictionError(
                f"{who}: {file} is none of the images of {name} in the cohort that the writer was given; give it the "
                "cohort of these samples."
            )

    def words(self) -> dict[str, str]:
        """What a sidecar says of it."""
        said = {"CohortFingerprint": self.fingerprint, "SplitPart": self.part}
        return {key: text for key, text in said.items() if text}


def _files_of(cohort: Cohort, image: str) -> dict[str, tuple[str, ...]]:
    """The files behind the image of every sample; a stacked image is made of all."""
    keys = (image,) if image in cohort.image_keys else cohort.image_keys
    files: dict[str, tuple[str, ...]] = {}
    for sample in cohort:
        listed = [sample[key] if isinstance(sample[key], list) else [sample[key]] for key in keys]
        files[sample["sample_id"]] = tuple(str(file) for those in listed for file in those if file)
    return files
