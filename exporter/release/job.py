"""One unit of work: one stack of a session, and what became of it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..deidentify.pseudonyms import Pseudonyms
from ..deidentify.sidecar import Dropped
from ..errors import ConversionError
from ..plan.build import Planned
from ..qc.check import Finding
from .image import Image


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that a worker needs to make one image. ``start`` is the session's first moment of acquisition.

    ``unpacked`` says where members of archives (path, member) lie as files already.
    """

    planned: Planned
    staging: Path
    work: Path
    start: float | None
    pseudonyms: Pseudonyms = field(repr=False)
    unpacked: Mapping[tuple[str, str], Path] = field(default_factory=dict)

    @property
    def session(self) -> tuple[str, str]:
        """Labels of subject and session."""
        return self.planned.visit.subject, self.planned.visit.session


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one stack: released as ``image``, or held back with a reason.

    ``crash`` is the (private) traceback of an error that is a fault of the program; the session then fails.
    """

    stack_id: str
    verdict: str
    findings: tuple[Finding, ...] = ()
    image: Image | None = None
    reason: str = ""
    message: str = ""
    dropped: tuple[Dropped, ...] = ()
    crash: str = ""


def run_job(job: Job) -> Outcome:
    """Convert, check and stage one stack. Never raises: one stack's fault must not stop the other sessions."""
    from .make import make_image  # nibabel and OpenCV: only workers need them

    stack_id = job.planned.row.stack_id
    try:
        return make_image(job)
    except ConversionError as error:
        return Outcome(stack_id, "fail", reason=error.reason, message=str(error))
    except OSError:
        raise
    except Exception:  # noqa: BLE001 - the border of a unit of work: any fault is listed with its session, none is swallowed
        return Outcome(
            stack_id, "fail", reason="internal-error", message="an error of the program", crash=traceback.format_exc()
        )
