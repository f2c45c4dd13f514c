"""A DICOM segmentation object (PS3.3 A.51) of a mask of the tree, proven by reading it back."""

from __future__ import annotations

from importlib.metadata import version
from io import BytesIO

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from trialbids.mappings.labels import Label

from ...errors import TrialbidsError, UsageError
from ...inventory.instance import Instance
from ...stacks import Stack
from ..coded import AnnotationError, quiet
from ..grid import MaskRefused
from ..seg import read_seg
from .mask import TreeMask
from .originals import originals
from .slices import pixels_of, slices_of

SERIES_NUMBER = 9100
"""Beyond what scanners count to."""

LARGEST_NAME = 64
"""Characters of a long string (LO) of DICOM."""

ANATOMICAL = Code("123037004", "SCT", "Anatomical Structure")
ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
TISSUE = Code("85756007", "SCT", "Tissue")


def segmentation_of(mask: TreeMask, stack: Stack) -> bytes:
    """The bytes of a binary segmentation on the original series of the mask's image, with its original identifiers.

    Each label is a segment; frames without a voxel are left out. The same mask gives the same UIDs. It was read back
    with our own reader, and is equal to the mask voxel for voxel. Raises ``UsageError`` where it cannot be placed on
    the series, or the originals are not there.
    """
    try:
        instances = slices_of(stack, mask.grid)
        pixels = pixels_of(mask.voxels, mask.grid, instances)
        sources = originals(instances)
        with quiet():
            made = _made(mask, instances, pixels, sources)
    except UsageError as error:
        raise UsageError(f"{mask.path}: {error}") from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:  # what highdicom says of an original
        raise UsageError(f"{mask.path}: its series cannot bear a segmentation: {error}") from error
    buffer = BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    data = buffer.getvalue()
    prove(data, mask)
    return data


def prove(data: bytes, mask: TreeMask) -> None:
    """Raise where the object, read by our own reader onto the image's grid, is not the mask to the voxel."""
    numbers = _numbers(mask)
    try:
        read = read_seg(dcmread(BytesIO(data)))
        for value, number in numbers.items():
            if not np.array_equal(read.shape_of(number).on(mask.grid), mask.voxels == value):
                raise TrialbidsError(f"{mask.path}: the segmentation read back differs from the mask; none is written")
    except (AnnotationError, MaskRefused) as error:
        raise TrialbidsError(f"{mask.path}: the segmentation cannot be read back ({error}); none is written") from error


def _numbers(mask: TreeMask) -> dict[int, int]:
    """The number of the segment of every value that occurs, counted from 1."""
    there = [value for value in sorted(mask.labels) if (mask.voxels == value).any()]
    return {value: number for number, value in enumerate(there, start=1)}


def _made(
    mask: TreeMask, instances: list[Instance], pixels: list[NDArray[np.generic]], sources: list[Dataset]
) -> hd.seg.Segmentation:
    numbers = _numbers(mask)
    names = [mask.labels[value].name for value in numbers]
    entropy = [mask.voxels.tobytes().hex(), mask.path.name, mask.version, *(i.SOPInstanceUID for i in instances)]
    uids = [generate_uid(prefix="2.25.", entropy_srcs=[word, *entropy]) for word in ("series", "object")]
    segments = [_segment(mask, mask.labels[value], number, uids[1]) for value, number in numbers.items()]
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=_frames(instances, pixels, sources, numbers),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        series_instance_uid=uids[0],
        series_number=SERIES_NUMBER,
        sop_instance_uid=uids[1],
        instance_number=1,
        manufacturer="trialbids",
        manufacturer_model_name=(mask.model or "drawn by people")[:LARGEST_NAME],
        software_versions=version("trialbids"),
        device_serial_number="0",
        series_description=" ".join(filter(None, (mask.model, *names)))[:LARGEST_NAME],
        omit_empty_frames=True,
    )


def _frames(
    instances: list[Instance], pixels: list[NDArray[np.generic]], sources: list[Dataset], numbers: dict[int, int]
) -> NDArray[np.uint8]:
    """The mask ``[frames, rows, columns]`` by segment numbers, in the order of the sources or of the frames of one.

    Frames of a multi-frame object that belong to another stack or volume are empty.
    """
    numbered = [np.select([p == v for v in numbers], list(numbers.values()), 0).astype(np.uint8) for p in pixels]
    if not instances[0].frame:
        return np.stack(numbered)
    if len(sources) > 1:
        raise UsageError("its series has several multi-frame objects, and a segmentation is of one")
    out = np.zeros((int(sources[0].NumberOfFrames), *numbered[0].shape), np.uint8)
    for instance, frame in zip(instances, numbered, strict=True):
        out[instance.frame - 1] = frame
    return out


def _segment(mask: TreeMask, label: Label, number: int, uid: str) -> hd.seg.SegmentDescription:
    kind = Code(label.code, label.scheme, label.meaning)
    category = TISSUE if kind == TISSUE else ABNORMAL if label.several else ANATOMICAL
    algorithm = None
    if mask.method != "manual":
        algorithm = hd.AlgorithmIdentificationSequence(
            name=(mask.model or "unknown")[:LARGEST_NAME],
            version=(mask.version or "unknown")[:LARGEST_NAME],
            family=codes.DCM.ArtificialIntelligence,
        )
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label.name,
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues(mask.method.upper()),
        algorithm_identification=algorithm,
        tracking_uid=generate_uid(prefix="2.25.", entropy_srcs=[uid, str(number)]),
        tracking_id=label.name,
    )
