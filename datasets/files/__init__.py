"""What stands in the files of a BIDS tree, one reader a format; nothing of it knows the tree."""
