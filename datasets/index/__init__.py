"""Which images a tree holds and what they are; no voxel is read."""
