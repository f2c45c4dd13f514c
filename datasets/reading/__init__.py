"""From a sample of plain values to tensors, and to a batch."""
