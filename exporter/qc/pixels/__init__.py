"""Checks and metrics of voxels, in the pass that converts: a volume is in memory once."""
