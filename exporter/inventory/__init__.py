"""Find DICOM anywhere, read each header once, keep it as a table."""

from .instance import Instance
from .objects import materialise, pixel_digest, read_object
from .run import Inventory, scan
from .unreadable import Unreadable

__all__ = ["Instance", "Inventory", "Unreadable", "materialise", "pixel_digest", "read_object", "scan"]
