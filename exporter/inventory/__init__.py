"""Find DICOM anywhere, read each header once, keep it as a table."""
