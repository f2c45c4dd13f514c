"""What a model says, back in the tree as a derivative on the grid of the original images."""
