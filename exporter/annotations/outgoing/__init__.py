"""The way back: a mask of the tree as a DICOM segmentation on the original series, for who holds the work folder."""
