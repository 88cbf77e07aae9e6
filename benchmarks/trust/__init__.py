"""Figures that a verification engineer can check: one command each, one line each."""
