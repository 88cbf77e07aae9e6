"""Pack what nextpnr routed into the file that a device is configured with."""

from __future__ import annotations

from pathlib import Path

from hwaccel import tools
from hwaccel.errors import ConfigError, ToolError
from hwaccel.synth.nextpnr import PnrResult, require_flow

_LOG = "pack.log"


def pack(placed: PnrResult, *, timeout_s: float | None = None) -> Path:
    """Write the bitstream of a routed design beside it; return its path.

    Raises:
        ConfigError: the design was not routed with its ports on pins.
        ToolError: the packer is missing, failed, took too long, or wrote nothing.
    """
    flow = require_flow(placed.target)
    routed = placed.routed_file
    if routed is None:
        raise ConfigError(
            f"{placed.top}: a bitstream needs a routed design with its ports on pins (Pins.PACKAGE)"
        )
    packer = tools.require(flow.packer)
    tools.warm(packer)
    result = routed.with_name(f"{placed.top}.{flow.bitstream}")
    result.unlink(missing_ok=True)
    names = {"{routed}": routed.name, "{bitstream}": result.name}
    words = [names.get(word, word) for word in flow.pack_flags]
    try:
        tools.run(
            [*packer.argv, *placed.target.pack_flags, *words],
            cwd=routed.parent,
            timeout_s=timeout_s,
            env=packer.environ(),
            log=routed.parent / _LOG,
        )
    except ToolError as error:
        raise ToolError(f"{placed.top}: {error}") from None
    if not result.is_file() or not result.stat().st_size:
        raise ToolError(
            f"{placed.top}: {flow.packer} ended well but wrote no {result.name}; see "
            f"{routed.parent / _LOG}"
        )
    return result
