"""Make the benches importable outside of a simulator."""

from __future__ import annotations

import sys

from hwaccel import resources

sys.path.insert(0, str(resources.sim()))
