"""Histories made by hand, to plant violations in: a checker that misses one is no checker."""

from laws.testing.script import Script
from laws.testing.stories import Story, valid

__all__ = ["Script", "Story", "valid"]
