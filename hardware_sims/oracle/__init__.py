"""An oracle of difficulty as anybody could run one: it announces, it attests, and it knows no contract."""

from hardware_sims.oracle.oracle import DifficultyOracle, Question

__all__ = ["DifficultyOracle", "Question"]
