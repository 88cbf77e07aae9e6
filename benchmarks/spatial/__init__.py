"""Spatial constant-matrix hardware: hwaccel beside da4ml and alkaid, on one machine in one run."""
