"""The parts of bench/compare.py. Standard library only."""
