"""Instances to stacks: what becomes one image file, and which stacks are one scan."""

from .build import stack_instances
from .stack import SetAside, Stack, Stacking

__all__ = ["SetAside", "Stack", "Stacking", "stack_instances"]
