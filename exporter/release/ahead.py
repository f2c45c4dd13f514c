"""What an export needs after its scan, got ready while workers read headers."""

from __future__ import annotations


def get_ready() -> None:
    """Import what comes after the scan, and read what it reads of the program itself; all of it is remembered.

    On a small trial this takes as long as the scan, which workers do at the same time.
    """
    from pydicom import datadict  # noqa: F401 - for the checks of headers

    from trialbids.mappings.rules import built_in_rules

    from . import export  # noqa: F401
    from .searches import own_words

    built_in_rules()
    own_words()
