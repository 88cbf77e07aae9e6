"""What readers of some pages bring along: models, data and files that are their own.

Each is Python that runs in front of the page, in the reader's folder and with the reader's names.
"""

from __future__ import annotations

_NETS = """\
from torch import nn


def net() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 10)
    )


def student() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 10))
"""

_BUILD = """
from tests.cli.tools import MODELS, done

done("convert", f"{MODELS}:cnn", "--example", "1x1x6x6", "-o", "build")
"""

BROUGHT: dict[str, str] = {
    "docs/how-to/gpu.md": _BUILD,
    "docs/how-to/read-the-report.md": _BUILD,
    "docs/how-to/asic.md": f"{_BUILD}\n"
    + """
import shutil

from hwaccel import tools

shutil.copy(tools.require("osu018").path / "osu018_stdcells.lib", "cells.lib")
shutil.copy(tools.require("osu018").path / "osu018_stdcells.v", "cells.v")
""",
    "README.md": f"NETS = {_NETS!r}\n"
    + """
from pathlib import Path

import numpy as np
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
example, data = torch.randn(2, 4), torch.randn(20, 4)
x = data.numpy()
cnn = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)).eval()
images = torch.randn(8, 1, 4, 4)
torch.export.save(torch.export.export(model, (example,)), "model.pt2")
np.save("data.npy", x)
Path("nets.py").write_text(NETS)
Path("suite.toml").write_text('frames = 3\\n[models.m]\\nsource = "model.pt2"\\n')
""",
    "docs/how-to/supported-models.md": """
import torch
from torch import nn
from torch.nn import functional

image, units = torch.rand(2, 1, 4, 4), 3
wires = torch.randint(16, (units * 6,))
entries = torch.randint(2, (units * 64,)).float()
model, example = nn.Linear(4, 2), torch.randn(2, 4)
calibration_data = torch.randn(20, 4).numpy()
""",
    "docs/how-to/use-in-a-system.md": """
import torch
from torch import nn

import hwaccel

hwaccel.convert(nn.Linear(4, 2), torch.randn(8, 4)).write("build")
""",
    "docs/reference/config.md": "import hwaccel",
}
