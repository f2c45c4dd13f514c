"""The image as bytes: a NIfTI-1 single file with nothing but geometry in its header, gzipped reproducibly."""

from __future__ import annotations

import hashlib

import numpy as np
from isal import isal_zlib
from nibabel.nifti1 import Nifti1Header
from numpy.typing import NDArray

from .volume import Volume

TEXT_FIELDS = ("data_type", "db_name", "descrip", "aux_file", "intent_name")
VOX_OFFSET = 352
LEVEL = 2
GZIP = 31  # wbits of a gzip member: its header has no time and no name


def encode(volume: Volume) -> bytes:
    """The volume as ``.nii.gz``: every text field blank, no extension, gzip without time or name.

    The same volume gives the same bytes.
    """
    squeeze = isal_zlib.compressobj(level=LEVEL, wbits=GZIP)
    head = clean_header(volume, volume.voxels).binaryblock + bytes(VOX_OFFSET - 348)
    return squeeze.compress(head) + squeeze.compress(voxel_bytes(volume.voxels)) + squeeze.flush()


def voxels_sha256(volume: Volume) -> str:
    """SHA-256 (hex) of the uncompressed bytes of the file from ``vox_offset`` on."""
    return hashlib.sha256(voxel_bytes(volume.voxels)).hexdigest()


def clean_header(volume: Volume, voxels: NDArray[np.generic]) -> Nifti1Header:
    """The volume's little-endian header for these voxels, its text fields blank."""
    header = volume.header.as_byteswapped("<")
    zooms = header.get_zooms()
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    header.set_zooms((*zooms, *(0.0,) * voxels.ndim)[: voxels.ndim])
    header.set_sform(volume.affine, code=int(header["sform_code"]) or 1)
    for field in TEXT_FIELDS:
        header[field] = b""
    header["magic"] = b"n+1"
    header["vox_offset"] = VOX_OFFSET
    header["scl_slope"], header["scl_inter"] = volume.slope, volume.inter
    header["extents"] = header["session_error"] = header["glmax"] = header["glmin"] = 0
    return header


def voxel_bytes(voxels: NDArray[np.generic]) -> memoryview:
    """The voxels as they lie in the file: Fortran order, little endian; copied only where they lie otherwise."""
    if voxels.dtype.names is None:
        voxels = voxels.astype(voxels.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(voxels.T).view(np.uint8).reshape(-1).data
