"""Text burned into pixels: a cheap look at every slice, a text detector on what looks drawn."""

from .find import Text, find_text

__all__ = ["Text", "find_text"]
