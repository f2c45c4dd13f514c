"""Which stacks are kept: keep, quarantine or exclude, each with its reason."""
