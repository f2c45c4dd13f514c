"""The border of the program: whatever goes wrong becomes one sentence on the error stream and an exit code."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

import typer

from .errors import LeakError, TrialbidsError

EXIT_SESSIONS_FAILED = 3
EXIT_INVALID = 4
EXIT_LEAK = LeakError.exit_code
EXIT_INTERRUPTED = 130

PLACE_ERRORS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP})
WHOLE = "what is in the tree is whole, the next run goes on from there"


def run(program: Callable[[], object]) -> None:
    """Run the program; an error is one sentence on the error stream, and the exit code says what kind it was."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        program()
    except SystemExit as end:  # typer turns Ctrl-C into this
        if end.code == EXIT_INTERRUPTED:
            typer.echo(f"trialbids: interrupted; {WHOLE}", err=True)
        raise
    except TrialbidsError as error:
        _end(str(error), error.exit_code, error)
    except KeyboardInterrupt as error:
        _end(f"interrupted; {WHOLE}", EXIT_INTERRUPTED, error)
    except OSError as error:
        if error.errno in PLACE_ERRORS:
            _end(f"{error.filename}: {error.strerror}; give a place that can be read or written", 2, error)
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or "a file could not be copied"
        _end(f"{error.filename or 'the system'}: {what}; {WHOLE}", 1, error)
    except Exception as error:  # noqa: BLE001 - a user sees one sentence, --debug shows the rest
        if isinstance(code := getattr(error, "exit_code", None), int):  # of a command of another room
            _end(str(error), code, error)
        name = type(error).__name__
        _end(f"an error of the program ({name}); run it again with --debug and report what it shows", 1, error)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _end(sentence: str, code: int, error: BaseException) -> NoReturn:
    if "--debug" in sys.argv:
        raise error
    typer.echo(f"trialbids: {sentence}", err=True)
    sys.exit(code)
