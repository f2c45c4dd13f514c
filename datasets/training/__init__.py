"""What a training loop needs around the samples: order, balance, statistics of the training part, Lightning."""
