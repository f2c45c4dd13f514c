"""Quality control: checks on stacks, metrics on volumes, the verdict."""

from .check import Check, Evidence, Finding, issue_id, run_checks
from .geometry import check_stack
from .metrics import measure
from .verdict import qc_sidecar, verdict

__all__ = ["Check", "Evidence", "Finding", "check_stack", "issue_id", "measure", "qc_sidecar", "run_checks", "verdict"]
