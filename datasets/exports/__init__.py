"""The same cohort and the same splits in the forms of other frameworks."""
