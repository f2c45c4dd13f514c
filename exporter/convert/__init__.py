"""A stack's DICOM to one checked NIfTI in memory."""

from .adc import adc_scale
from .nifti import encode, voxels_sha256
from .run import convert
from .scratch import scratch_folder
from .volume import Volume

__all__ = ["Volume", "adc_scale", "convert", "encode", "scratch_folder", "voxels_sha256"]
