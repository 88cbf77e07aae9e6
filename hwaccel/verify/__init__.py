"""Run what was emitted and compare it with the golden model."""
