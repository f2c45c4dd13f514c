"""What a model says comes back into the tree: on the image's own grid, as a derivative dataset of its own."""
