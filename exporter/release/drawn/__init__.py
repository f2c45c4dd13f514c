"""What was drawn on a session's images, as files of the derivative dataset: masks, fractions, label maps, boxes."""
