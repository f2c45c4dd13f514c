"""One unit of work: one stack of a session, and what became of it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..deidentify.inspect import Leak
from ..deidentify.leftout import LeftOut
from ..deidentify.options import Options
from ..deidentify.pseudonyms import Pseudonyms
from ..deidentify.search import Searcher
from ..deidentify.shapes import Rules
from ..deidentify.sidecar import Dropped
from ..deidentify.times import Clock
from ..errors import ConversionError
from ..plan.build import Planned
from ..qc.check import Finding
from ..qc.pixels.failures import is_fault
from ..qc.verdict import FAIL, NOT_JUDGED, Waived
from ..select.decide import Decision
from .image import Image
from .question import Question

if TYPE_CHECKING:
    from ..qc.pixels.sketch import Sketch  # OpenCV: only workers need it

NOTHING_KNOWN = Searcher({}, {}, ())
NOT_ASKED = Question()


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that a worker needs to make one image. ``clock`` is the session's; ``question`` holds the criteria
    that are asked of the image, ``searcher`` and ``rules`` say what may not stand in its files. ``findings`` is what
    the checks of headers said of the stack, ``inspected`` what people judged wrong in its image, ``waived`` what a
    person has waived, ``tolerances`` what the site wants instead of the checks' own.

    The searcher is given to a job when its turn comes: those of all subjects at once would fill the memory.
    ``unpacked`` says where members of archives (path, member) lie as files already.
    """

    planned: Planned
    staging: Path
    work: Path
    clock: Clock
    pseudonyms: Pseudonyms = field(repr=False)
    options: Options
    rules: Rules = field(repr=False)
    question: Question = NOT_ASKED
    findings: tuple[Finding, ...] = ()
    inspected: tuple[Finding, ...] = ()
    waived: Waived = field(default_factory=dict)
    tolerances: Mapping[str, float] = field(default_factory=dict)
    searcher: Searcher = field(default=NOTHING_KNOWN, repr=False)
    unpacked: Mapping[tuple[str, str], Path] = field(default_factory=dict)

    @property
    def session(self) -> tuple[str, str]:
        """Labels of subject and session."""
        return self.planned.visit.subject, self.planned.visit.session


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one stack: released as ``image``, or held back with a reason.

    ``findings`` and ``metrics`` are those of its voxels, ``sketch`` is what the checks of its session look at and
    ``digests`` name its slices. ``left_out`` are objects of a released image that could not be written as DICOM.
    ``text_look`` is "clear" where nothing in the pixels looked drawn, "read" where a text detector had to look.
    ``leaks`` is what may not leave and stands in its files all the same: then its session stops. ``crash`` is the
    (private) traceback of an error that is a fault of the program; the session then fails. ``against`` are the
    decisions of criteria that do not let the image pass, in their order: it is then not released.
    """

    stack_id: str
    verdict: str
    findings: tuple[Finding, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    sketch: Sketch | None = None
    digests: tuple[str, ...] = ()
    image: Image | None = None
    reason: str = ""
    message: str = ""
    dropped: tuple[Dropped, ...] = ()
    leaks: tuple[Leak, ...] = ()
    text_look: str = ""
    left_out: tuple[LeftOut, ...] = ()
    crash: str = ""
    against: tuple[Decision, ...] = ()


def run_job(job: Job) -> Outcome:
    """Convert, check and stage one stack. Never raises: one stack's fault must not stop the other sessions."""
    from .make import make_image  # nibabel and OpenCV: only workers need them

    stack_id = job.planned.row.stack_id
    try:
        return make_image(job)
    except ConversionError as error:
        verdict = FAIL if is_fault(error.reason) else NOT_JUDGED
        return Outcome(stack_id, verdict, reason=error.reason, message=str(error))
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - the border of a unit of work: any fault is listed with its session, none is swallowed
        return Outcome(
            stack_id, "fail", reason="internal-error", message="an error of the program", crash=_where(error)
        )


def lost_job(job: Job) -> Outcome:
    """What becomes of a stack whose conversion ended its process twice: native code that crashed on damaged pixels, or
    memory that ran out. It fails, and all others go on."""
    message = "converting it ended the process: its pixels are damaged, or memory ran out; run it with fewer workers"
    return Outcome(job.planned.row.stack_id, FAIL, reason="undecodable", message=message)


def _where(error: BaseException) -> str:
    """Where a fault of the program arose, and of which kind it is; never its message, which may quote a value."""
    return "".join([*traceback.format_tb(error.__traceback__), f"{type(error).__name__}\n"])
