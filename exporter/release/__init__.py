"""From the plan to the tree: convert stack by stack, stage by session, commit by one rename, merge the tables."""
