"""The trial's configuration: what ``trial.yaml`` may say, and how it is read."""

from .model import Annotations, Clinical, Lookup, SessionRule, SiteRule, SubjectRule, Trial, trial_for
from .read import load_trial

__all__ = [
    "Annotations",
    "Clinical",
    "Lookup",
    "SessionRule",
    "SiteRule",
    "SubjectRule",
    "Trial",
    "load_trial",
    "trial_for",
]
