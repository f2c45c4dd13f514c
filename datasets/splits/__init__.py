"""Which participants train, validate and test, and the proof that none of them is on two sides."""
