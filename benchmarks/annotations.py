"""How long a large RT structure set takes from its file to masks: 20 structures on 512 x 512 x 300 voxels.

``python benchmarks/annotations.py [STRUCTURES]`` writes the set (an ellipse of 200 points on every slice for every
structure) to a temporary folder and prints the seconds of reading, of filling and of the two checks that look at the
voxels, as they pass on the clock and in processor time, and the volume's error against the analytical shape.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from pydicom import config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from trialbids.exporter.annotations.checks import part_sizes, sides_touched
from trialbids.exporter.annotations.grid import Grid
from trialbids.exporter.annotations.rtstruct import read_rtstruct

SIZE, SLICES, POINTS = 512, 300, 200
PIXEL_MM, SLICE_MM = 0.9, 2.0
AXES_MM = (80.0, 50.0)
GRID = Grid((SIZE, SIZE, SLICES), (-PIXEL_MM, 0, 0, 230, 0, -PIXEL_MM, 0, 230, 0, 0, SLICE_MM, 0, 0, 0, 0, 1))


def make_structures(path: Path, count: int) -> None:
    """Write the structure set; the structures lie beside each other by parts of a voxel."""
    config.disable_value_validation()  # of our own millions of numbers
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = RTStructureSetStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.PatientID = "RTSTRUCT", "1"
    dataset.StructureSetROISequence, dataset.ROIContourSequence = Sequence(), Sequence()
    images = [generate_uid() for _ in range(SLICES)]
    for number in range(1, count + 1):
        structure, drawn = Dataset(), Dataset()
        structure.ROINumber, structure.ROIName = number, f"structure {number}"
        drawn.ReferencedROINumber = number
        drawn.ContourSequence = Sequence([_contour(k, number * 0.137, images[k]) for k in range(SLICES)])
        dataset.StructureSetROISequence.append(structure)
        dataset.ROIContourSequence.append(drawn)
    dataset.save_as(path, enforce_file_format=True)


def _contour(slice_number: int, shift: float, image: str) -> Dataset:
    angles = np.arange(POINTS) * 2 * np.pi / POINTS
    points = np.column_stack(
        [
            AXES_MM[0] * np.cos(angles) + shift,
            AXES_MM[1] * np.sin(angles) - shift,
            np.full(POINTS, slice_number * SLICE_MM),
        ]
    )
    contour, reference = Dataset(), Dataset()
    reference.ReferencedSOPInstanceUID = image
    contour.ContourImageSequence = Sequence([reference])
    contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", POINTS
    contour.ContourData = [f"{value:.2f}" for value in points.ravel()]
    return contour


def main() -> None:
    """Make, measure, print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    polygon_mm2 = POINTS / 2 * np.sin(2 * np.pi / POINTS) * AXES_MM[0] * AXES_MM[1]
    expected = polygon_mm2 * SLICES * SLICE_MM
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "structures.dcm"
        make_structures(path, count)
        size = path.stat().st_size
        begun, worked = time.perf_counter(), time.process_time()
        structures = read_rtstruct(path).structures
        read = time.perf_counter() - begun
    errors, voxel = [], PIXEL_MM * PIXEL_MM * SLICE_MM
    filled = checked = 0.0
    for structure in structures:
        begun = time.perf_counter()
        voxels = structure.shape.on(GRID)
        errors.append(abs(np.count_nonzero(voxels) * voxel / expected - 1))
        done = time.perf_counter()
        sides_touched(voxels)
        part_sizes(voxels)
        filled, checked = filled + done - begun, checked + time.perf_counter() - done
    worked = time.process_time() - worked
    print(f"{count} structures on {SIZE} x {SIZE} x {SLICES} from a file of {size / 1e6:.0f} MB")
    print(f"reading {read:.1f} s, filling {filled:.1f} s, checking {checked:.1f} s")
    print(f"together {read + filled + checked:.1f} s, {worked:.1f} s of processor time")
    print(f"volume off by {max(errors):.2%} at most")


if __name__ == "__main__":
    main()
