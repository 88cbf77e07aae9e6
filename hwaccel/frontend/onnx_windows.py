"""TBD."""

from __future__ import annotations

from hwaccel.frontend.onnx_builder import Convert

OPS: dict[str, Convert] = {}
