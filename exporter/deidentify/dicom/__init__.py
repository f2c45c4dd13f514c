"""De-identified DICOM beside the NIfTI: objects made anew from what may pass."""

from .context import Diffusion, ObjectContext
from .deidentifier import Deidentifier, deidentify_object
from .stack import LeftOut, Written, write_objects

__all__ = ["Deidentifier", "Diffusion", "LeftOut", "ObjectContext", "Written", "deidentify_object", "write_objects"]
