"""The DICOM objects of a stack as they are today, where the inventory saw them."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from pydicom import Dataset, dcmread

from ...errors import ConversionError, UsageError
from ...inventory.instance import Instance
from ...inventory.objects import read_object
from ..coded import BROKEN, quiet

MAY_BE_EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
    *("AccessionNumber", "ReferringPhysicianName"),
)
"""What every object of a patient's study has, if with no value (type 2 of PS3.3 C.7.1.1 and C.7.2.1); not all do."""


def originals(instances: Sequence[Instance]) -> list[Dataset]:
    """The headers of the objects that hold these instances, each once, in their order; without their pixels.

    Raises ``UsageError`` where one is no longer there, or another lies in its place.
    """
    found: dict[tuple[str, str], Dataset] = {}
    for instance in instances:
        place = (instance.path, instance.member)
        if place not in found:
            found[place] = _original(instance)
    return list(found.values())


def _original(instance: Instance) -> Dataset:
    try:
        with quiet():
            dataset = dcmread(BytesIO(read_object(instance)), stop_before_pixels=True, force=True)
            uid = str(dataset.get("SOPInstanceUID", ""))
            for keyword in MAY_BE_EMPTY:
                if keyword not in dataset:
                    setattr(dataset, keyword, "")
    except (ConversionError, *BROKEN) as error:
        raise UsageError(f"{_place(instance)}: the original is no longer there, or cannot be read") from error
    if uid != instance.SOPInstanceUID:
        raise UsageError(f"{_place(instance)}: holds another object than when it was scanned; run trialbids scan")
    return dataset


def _place(instance: Instance) -> str:
    return f"{instance.path}: {instance.member}" if instance.member else instance.path
