"""The whole decision as one table that a person can read: who, which session, kept or not and why, under which name."""
