"""The trial's configuration: what ``trial.yaml`` may say, and how it is read."""

from .annotations import Annotations
from .clinical import Clinical, Column, VisitWindow
from .model import Lookup, SessionRule, SiteRule, SubjectRule, Trial, trial_for
from .read import load_trial

__all__ = [
    "Annotations",
    "Clinical",
    "Column",
    "Lookup",
    "SessionRule",
    "SiteRule",
    "SubjectRule",
    "Trial",
    "VisitWindow",
    "load_trial",
    "trial_for",
]
