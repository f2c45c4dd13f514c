"""Checks of headers: tables in, findings out; no pixel is read."""
