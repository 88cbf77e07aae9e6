"""Models that the command line is asked to convert."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))


def cnn() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    )


def not_a_number() -> nn.Module:
    model = mlp()
    with torch.no_grad():
        model[2].weight[1, 4] = torch.nan
    return model


def only_wires() -> nn.Module:
    """Nothing is left of it when the input has no sign."""
    return nn.ReLU()


def broken() -> nn.Module:
    raise RuntimeError("the weights are elsewhere\nand nobody knows where")


def a_number() -> int:
    return 3


class Two(nn.Module):
    """Two inputs."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a + b


class Fork(nn.Module):
    """Two inputs of different shapes, and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other = nn.Linear(3, 4), nn.Linear(8, 4)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> dict[str, torch.Tensor]:
        a, b = self.one(a), self.other(b.flatten(1))
        return {"sum": a + b, "largest": torch.maximum(a, b)}


class Inputs(nn.Module):
    """A layer whose name is that of an attribute of exported programs."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inputs(x)


class Named(nn.Module):
    """Layers of any names, one behind the other."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.order = list(names)
        torch.manual_seed(1)
        for name in names:
            self.add_module(name, nn.Linear(3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name in self.order:
            x = torch.relu(self._modules[name](x))
        return x


# torch allows any name without a dot that is not empty.
HOSTILE = (
    "module",
    "endmodule",
    "endmodule;",
    "$(touch executed)",
    "`touch executed`",
    "; touch executed #",
    '"; initial $finish; //',
    "/* ",
    " */",
    "//",
    "new\nline",
    "carriage\rreturn",
    "back\\",
    "größe",
    "名前",
    "\u202ereversed",
    "\x1b[31mred",
    "/etc/passwd",
    "`define",
    "`include",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{# none #}",
    "[/nope]",
    "[red]x",
    "verilator",
    "verilator lint_off",
    "synopsys translate_off",
    "%s%n",
    "-o",
    " ",
    "int",
    "class",
    "main",
    "hls",
    "ap_int",
    "clk",
    "rst",
    "unused",
    "frame_error",
    "s_axis",
    "s_axis_tvalid",
    "m_axis_tdata",
    "hwa_fifo",
    "u_a",
    "a",
    "A",
    "a_2",
    "a__2",
    "a_tvalid",
    "a_grant",
    "3",
    "con",
    "x" * 300,
    "x" * 301,
)


class Hostile(Named):
    """Its input has a hostile name, too."""

    def __init__(self) -> None:
        super().__init__(HOSTILE)

    def forward(self, verilator: torch.Tensor) -> torch.Tensor:
        return super().forward(verilator)


def markup() -> nn.Module:
    return Named(["[/nope]", "[red]x", "\x1b[31mred"])
