"""What the words mean: the closed vocabulary, the harmonised record, field lists and rules.

YAML holds the facts; the modules here load and check them. This package knows neither the exporter nor the datasets.
"""
