"""Whether a trial was scanned as agreed: conformance, rare variants, scanners, and protocols learned from data."""
