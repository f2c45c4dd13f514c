"""Parts of a cohort by participant: made alike, kept as participants come, and guarded against leaks."""
