"""Yosys, nextpnr and vendor scripts."""
