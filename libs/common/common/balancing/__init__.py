"""Which of several endpoints is asked next: pure functions of what is known of them, chosen by name for each upstream."""

from common.balancing.candidate import Ask, Candidate, Strategy
from common.balancing.strategies import STRATEGIES

__all__ = ["STRATEGIES", "Ask", "Candidate", "Strategy"]
