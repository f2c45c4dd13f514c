"""DICOM in, BIDS out. One room a stage, in the order in which the data flows; see docs/architecture.md."""
