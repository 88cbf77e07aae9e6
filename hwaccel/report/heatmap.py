"""Tensors as pictures: one pixel per element, as PNG inside the page."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
_PAPER = (128, 136, 148)
_BACK = 255
# Elements of a vector that stand in one row.
_ROW = 32


@dataclass(frozen=True, slots=True)
class Image:
    """A picture with its caption; ``width`` and ``height`` are those at which it is shown."""

    title: str
    source: str
    width: int
    height: int


def heat_maps(
    shape: Sequence[int], expected: Sequence[int], found: Sequence[int]
) -> tuple[Image, ...]:
    """Return what was expected and what was found, from dark to light, and where they differ.

    Channels stand side by side. Nothing is returned for an empty picture.
    """
    if not expected:
        return ()
    want, have = (np.array(x, dtype=object).reshape(shape) for x in (expected, found))
    low, high = min(want.min(), have.min()), max(want.max(), have.max())
    size = max(1, high - low)
    differs = want != have
    furthest = max(1, max(abs(a - b) for a, b in zip(found, expected, strict=True)))
    spread = np.array([abs(a - b) / furthest for a, b in zip(found, expected, strict=True)])
    light = [_grey(((x - low) * 255 // size).astype(np.uint8)) for x in (want, have)]
    red = _red(differs.astype(bool), spread.astype(float).reshape(shape))
    titles = (
        f"expected, {low} (dark) to {high} (light)",
        "found, on the same scale",
        f"{int(differs.sum())} of {want.size} differ, by at most {furthest}",
    )
    return tuple(_image(t, _tiled(x)) for t, x in zip(titles, (*light, red), strict=True))


def _grey(x: Bytes) -> Bytes:
    return np.repeat(x[..., None], 3, axis=-1)


def _red(wrong: NDArray[np.bool_], spread: NDArray[np.float64]) -> Bytes:
    """Return light pixels where all is well, from orange to dark red where not."""
    found = np.full((*wrong.shape, 3), 235, dtype=np.uint8)
    found[wrong, 0] = (230 - 90 * spread[wrong]).astype(np.uint8)
    found[wrong, 1] = (120 - 120 * spread[wrong]).astype(np.uint8)
    found[wrong, 2] = 20
    return found


def _tiled(x: Bytes) -> Bytes:
    """Put the channels of a picture ``(C, H, W, 3)`` side by side, a pixel of paper between."""
    if x.ndim == 2:  # a vector
        count = x.shape[0]
        width = min(count, _ROW)
        rows = -(-count // width)
        padded = np.empty((rows * width, 3), dtype=np.uint8)
        padded[:] = _PAPER
        padded[:count] = x
        return padded.reshape(rows, width, 3)
    if x.ndim != 4:
        x = x.reshape(x.shape[0], 1, -1, 3)
    channels, height, width, _ = x.shape
    across = max(1, min(channels, round(np.sqrt(channels * height / width))))
    down = -(-channels // across)
    sheet = np.empty((down * (height + 1) - 1, across * (width + 1) - 1, 3), dtype=np.uint8)
    sheet[:] = _PAPER
    for channel in range(channels):
        top, left = channel // across * (height + 1), channel % across * (width + 1)
        sheet[top : top + height, left : left + width] = x[channel]
    return sheet


def _image(title: str, pixels: Bytes) -> Image:
    height, width, _ = pixels.shape
    scale = max(1, min(16, 300 // max(width, height)))
    data = base64.b64encode(_png(pixels)).decode()
    return Image(title, f"data:image/png;base64,{data}", width * scale, height * scale)


def _png(pixels: Bytes) -> bytes:
    """Return an RGB picture (PNG, second edition, W3C 2003): header, one packed stream, end."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
