"""Quality control: checks on stacks, metrics on volumes, the verdict."""
