"""The errors a user meets: one sentence each that says what, where and what to do."""

from __future__ import annotations


class TrialbidsError(Exception):
    """Base of all errors that are shown as one sentence. ``exit_code`` is what the command line returns."""

    exit_code = 1


class UsageError(TrialbidsError):
    """Wrong arguments or configuration, or nothing to read (exit 2)."""

    exit_code = 2


class SessionError(TrialbidsError):
    """One session could not be finished; the others go on (exit 3)."""

    exit_code = 3


class ConversionError(TrialbidsError):
    """A stack did not come out as promised. ``reason`` is the short code written to ``quarantine.tsv``."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class WorkerDiedError(TrialbidsError):
    """A process ended without a word on work that cannot be left out (exit 1)."""


class LeakError(TrialbidsError):
    """Something private was about to leave (exit 5)."""

    exit_code = 5
