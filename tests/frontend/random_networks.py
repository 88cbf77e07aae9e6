"""Random small networks as source text, from every row of the operator matrix.

``network(seed)`` draws a module line by line. Every line runs on a batch as soon as it is drawn,
so PyTorch itself says what is legal and which shape comes out. The text is the reproducer: it
holds every number, and ``Network.module`` executes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from hwaccel.config import Config, LayerConfig

T = TypeVar("T")
Shape = tuple[int, ...]
_BATCH = 3
_MOST = 160
_LARGEST = 64.0

_HEAD = """\
import torch
from torch import nn
from torch.nn import functional as F


class Network(nn.Module):
    def __init__(self):
        super().__init__()
"""


@dataclass(frozen=True)
class Network:
    """A drawn network: its text, the shapes of its inputs, and choices for its conversion."""

    seed: int
    source: str
    shapes: tuple[Shape, ...]
    config: Config
    grid: bool
    # Spelled in core ATen, as ``run_decompositions`` does.
    decomposed: bool

    def module(self, *, double: bool = False) -> nn.Module:
        """Return the network in eval mode; its parameters follow from the seed."""
        source = self.source.replace(".double()", "").replace(".float()", "")
        space: dict[str, Any] = {}
        exec(compile(source if double else self.source, f"<network {self.seed}>", "exec"), space)
        torch.manual_seed(self.seed)
        model = initialized(space["Network"](), grid=self.grid).eval()
        return model.double() if double else model

    def traced(self) -> nn.Module | torch.export.ExportedProgram:
        """Return what is converted: the module, or its export in core ATen."""
        if not self.decomposed:
            return self.module()
        example = tuple(torch.from_numpy(x) for x in self.frames(_BATCH, 0))
        return torch.export.export(self.module(), example).run_decompositions()

    def frames(self, count: int, stream: int) -> list[np.ndarray]:
        """Return random frames, one array per input; the last ones are extreme."""
        rng = np.random.default_rng([self.seed, stream])
        xs = [rng.normal(0, 1.5, (count, *shape)) for shape in self.shapes]
        for x in xs:
            x[-1] = rng.choice([-4.0, 0.0, 4.0], x.shape[1:])
        return [(np.rint(x * 16) / 16 if self.grid else x).astype(np.float32) for x in xs]

    def reproducer(self) -> str:
        """Return everything that is needed to repeat a failure."""
        return (
            f"seed {self.seed}: pytest tests/frontend/test_random_networks.py "
            f"--first-seed {self.seed} --networks 1\n{self.config}\n"
            f"inputs {self.shapes}, parameters on a grid: {self.grid}, "
            f"decomposed: {self.decomposed}\n{self.source}"
        )


def _child_name(line: str) -> str:
    """Return the name that a line of ``__init__`` gives to a child or a constant."""
    found = re.search(r"self\.(m\d+) = |'(b\d+)'", line)
    assert found is not None
    return found[1] or found[2]


def initialized(model: nn.Module, *, grid: bool) -> nn.Module:
    """Give normalizations statistics, and with ``grid`` every parameter few bits."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.3, 2.0)
        if grid:
            for parameter in model.parameters():
                parameter.copy_((parameter * 8).round() / 8)
    return model


def network(seed: int) -> Network:
    """Draw network number ``seed``."""
    return _Draw(np.random.default_rng(seed)).network(seed)


@dataclass
class _Draw:
    rng: np.random.Generator
    modules: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    values: dict[str, torch.Tensor] = field(default_factory=dict)
    # The values a line names, and those these are made of.
    named: dict[str, set[str]] = field(default_factory=dict)
    behind: dict[str, set[str]] = field(default_factory=dict)
    root: nn.Module = field(default_factory=nn.Module)

    # --- chance ----------------------------------------------------------------------------------

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self.rng.integers(len(items)))]

    def upto(self, lo: int, hi: int) -> int:
        return int(self.rng.integers(lo, hi + 1))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def number(self) -> float:
        return self.pick([0.5, -1.0, 2.0, 0.25, 3.0, -0.3, 1.7, 0.06])

    # --- the network -----------------------------------------------------------------------------

    def network(self, seed: int) -> Network:
        torch.manual_seed(seed)
        shapes = [self.shape() for _ in range(self.pick([1, 1, 1, 2]))]
        inputs = [f"x{i}" for i in range(len(shapes))]
        for name, shape in zip(inputs, shapes, strict=True):
            self.values[name] = torch.randn(_BATCH, *shape)
            self.behind[name] = {name}
        wanted = self.upto(3, 9)
        while len(self.lines) < wanted:
            self.step()
        outputs = self.outputs(inputs)
        alive = set().union(*(self.behind[name] for name in outputs))
        used = [name for name in inputs if name in alive]
        if self.chance(0.1):  # some dead lines
            alive = {n for n in self.behind if self.behind[n] & set(inputs) <= set(used)}
        source = self.text(used, outputs, alive)
        kept = tuple(tuple(self.values[n].shape[1:]) for n in used)
        grid, decomposed = self.chance(0.4), self.chance(0.15)
        return Network(seed, source, kept, self.config(seed), grid, decomposed)

    def text(self, inputs: Sequence[str], outputs: Sequence[str], alive: set[str]) -> str:
        lines = [line for line in self.lines if line.split(" = ")[0] in alive]
        body = "".join(f"        {line}\n" for line in lines)
        children = [s for s in self.modules if re.search(rf"self\.{_child_name(s)}\b", body)]
        self.modules = children
        init = "".join(f"        {line}\n" for line in children)
        head = f"\n    def forward(self, {', '.join(inputs)}):\n"
        return f"{_HEAD}{init}{head}{body}        return {', '.join(outputs)}\n"

    def outputs(self, inputs: Sequence[str]) -> list[str]:
        read = set().union(*self.named.values())
        made = [
            name
            for name, y in self.values.items()
            if name not in inputs and 2 <= y.ndim <= 4 and not self.passed_through(name)
        ]
        if not made:
            self.add(f"torch.relu({self.pick(inputs)}) + 1", ())
            made = [list(self.values)[-1]]
        leaves = [name for name in made if name not in read]
        outputs = [(leaves or made)[-1], *(n for n in leaves[:-1] if self.chance(0.4))]
        if self.chance(0.15):
            outputs.append(self.pick(made))
        return list(dict.fromkeys(outputs))

    def passed_through(self, name: str) -> bool:
        """Tell whether a value is an input under another name, which cannot be an output."""
        y = self.values[name]
        return any(
            other.numel() == y.numel() and torch.equal(other.flatten(), y.flatten())
            for source, other in self.values.items()
            if source.startswith("x")
        )

    def shape(self) -> Shape:
        rank = self.pick([1, 2, 3, 3, 3])
        if rank == 1:
            return (self.upto(2, 10),)
        return (self.upto(1, 4), *(self.upto(2, 6) for _ in range(rank - 1)))

    def step(self) -> None:
        names = list(self.values)
        name = names[-1] if self.chance(0.7) else self.pick(names)
        x = self.values[name]
        kinds = ANY + RANK.get(x.ndim, [])
        weights = np.array([weight for _, weight in kinds], float)
        draw = kinds[int(self.rng.choice(len(kinds), p=weights / weights.sum()))][0]
        made = draw(self, name, tuple(x.shape[1:]))
        if made is not None:
            self.add(*made)

    def add(self, expression: str, setup: Sequence[str]) -> None:
        """Take a line if PyTorch computes something usable with it."""
        space = {"torch": torch, "nn": nn, "F": functional, "self": self.root}
        try:
            for line in setup:
                exec(line, space)
            self.root.eval()
            with torch.no_grad():
                y = eval(expression, space, dict(self.values))
        except (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError):
            return
        if not isinstance(y, torch.Tensor) or not self.usable(y):
            return
        name = f"v{len(self.lines)}"
        self.modules += setup
        self.lines.append(f"{name} = {expression}")
        self.values[name] = y.clone()
        self.named[name] = set(re.findall(r"\b[xv]\d+\b", expression))
        self.behind[name] = {name}.union(*(self.behind[n] for n in self.named[name]))

    def usable(self, y: torch.Tensor) -> bool:
        return (
            y.ndim >= 2
            and len(y) == _BATCH
            and 0 < y[0].numel() <= _MOST
            and bool(torch.isfinite(y).all())
            and float(y.abs().max()) <= _LARGEST
        )

    def module(self, text: str) -> tuple[str, list[str]]:
        """Return the name of a new child, or now and then of one that says the same."""
        for line in self.modules:
            if line.endswith(f" = {text}") and self.chance(0.5):
                return line.split(" = ")[0], []
        name = f"self.m{len(self.modules)}"
        return name, [f"{name} = {text}"]

    def buffer(self, shape: Sequence[int], positive: bool = False) -> tuple[str, list[str]]:
        """Return the name of a constant and the line that registers it."""
        numbers = [self.number() for _ in range(prod(shape))]
        values = [abs(n) for n in numbers] if positive else numbers
        name = f"b{len(self.modules)}"
        text = f"torch.tensor({values}).reshape({tuple(shape)})"
        return f"self.{name}", [f"self.register_buffer({name!r}, {text})"]

    def config(self, seed: int) -> Config:
        style = self.pick(["stream"] * 5 + ["auto", "pixel", "spatial"])
        layers = {}
        for line in self.modules:
            if " = nn.Linear" in line or " = nn.Conv" in line:
                path = line.split(" = ")[0].removeprefix("self.")
                layers[path] = LayerConfig(
                    weight_bits=self.upto(2, 10),
                    style=self.pick([None, None, "stream", "pixel", "spatial"]),
                )
        bits = self.pick([(2, 10), (9, 12)])
        return Config(
            name=f"random_{seed}",
            weight_bits=self.upto(*bits),
            activation_bits=self.upto(*bits),
            input=self.pick([None, None, "s8.4", "s6.2", "u5.2", "s3.0"]),
            output_bits=self.pick([None, None, self.upto(2, 12)]),
            calibration=self.pick(["mse", "minmax"]),
            rounding=self.pick(["half_even", "half_up", "floor"]),
            multipliers=self.pick([1, 6, 12, 24, 64]) if style == "stream" else None,
            target_interval=self.pick([None, 1, 30]) if style == "auto" else None,
            style=style,
            effort="fast",
            latency=self.pick([None, None, self.upto(0, 6)]) if style == "spatial" else None,
            layers=layers if self.chance(0.3) else {},
        )


# --- what is drawn: an expression, and the lines that make its modules and constants -------------

Made = tuple[str, Sequence[str]] | None
Drawer = Callable[[_Draw, str, Shape], Made]


def _spelled(*texts: str) -> Drawer:
    return lambda d, x, s: (d.pick(texts).replace("X", x), ())


def _child(*texts: str) -> Drawer:
    def draw(d: _Draw, x: str, s: Shape) -> Made:
        name, setup = d.module(d.pick(texts))
        return f"{name}({x})", setup

    return draw


_relu = _spelled(
    "F.relu(X)", "torch.relu(X)", "X.relu()", "X.clamp(min=0)", "torch.clamp_min(X, 0.0)",
    "torch.clamp(X, 0)", "F.relu(X.clone(), inplace=True)", "torch.relu_(X.clone())",
    "X.clone().clamp_(min=0)", "X.clone().clamp_min_(0)",
)  # fmt: skip
_clip = _spelled(
    "F.relu6(X)", "F.relu6(X.clone(), inplace=True)", "F.hardtanh(X, -0.7, 1.5)", "X.clamp(-1, 2)",
    "torch.maximum(X, torch.tensor(-0.75))", "torch.minimum(torch.full((1, 1), 0.625), X)",
    "X.clamp(max=0.8)", "X.clamp_max(1.3)", "X.clone().clamp_max_(1)", "X.clamp(0.1, 3)",
    "F.hardtanh(X.clone(), -1, 2, inplace=True)", "X.clamp_min(-0.33)",
    "torch.clamp(X, torch.tensor(-1.0), torch.tensor(2.0))",
)  # fmt: skip
_activation = _child(
    "nn.ReLU()", "nn.ReLU6()", "nn.Hardtanh(-1.5, 1.0)", "nn.Sigmoid()", "nn.Tanh()", "nn.ELU(0.5)",
    "nn.CELU()", "nn.SELU()", "nn.GELU()", "nn.GELU('tanh')", "nn.SiLU()", "nn.Mish()",
    "nn.Softplus()", "nn.LogSigmoid()", "nn.Hardsigmoid()", "nn.Hardswish()", "nn.LeakyReLU(0.1)",
    "nn.Threshold(0.5, -1.0)", "nn.Hardshrink()", "nn.Softshrink()", "nn.Softsign()",
    "nn.Tanhshrink()", "nn.Dropout(0.5)", "nn.Identity()", "nn.AlphaDropout(0.2)",
)  # fmt: skip
_function = _spelled(
    "X.abs()", "X.square()", "X ** 2", "(X / 2).pow(3)", "(X / 4).exp()", "(X / 4).exp2()",
    "(X / 8).expm1()", "X.cos()", "X.sin()", "X.erf()", "X.sign()", "torch.atan(X)",
    "X.relu().sqrt()", "(X.abs() + 0.5).rsqrt()", "(X.relu() + 1.0).log()", "X.relu().log1p()",
    "(X.relu() + 0.5).log2()", "(X.abs() + 1).log10()", "(X.relu() + 1).reciprocal()",
    "1.0 / (X.abs() + 1.0)", "torch.sigmoid(X).logit(0.05)", "X.clamp(-0.5, 0.5).tan()",
    "F.silu(X.clone(), inplace=True)", "X.clone().tanh_()", "X.clone().sigmoid_()",
    "F.leaky_relu(X.clone(), 0.3, inplace=True)", "F.elu(X.clone(), inplace=True)",
    "X.clone().abs_()", "X.clone().square_()",
    "F.selu(X.clone(), inplace=True)", "F.celu(X.clone(), inplace=True)", "(X / 4).exp_()",
    "F.hardsigmoid(X.clone(), inplace=True)", "F.hardswish(X.clone(), inplace=True)",
    "F.mish(X.clone(), inplace=True)", "X.relu().sqrt_()", "(X.relu() + 1).reciprocal_()",
    "(X.relu() + 1).rsqrt_()", "F.threshold(X.clone(), 0.5, -1.0, inplace=True)",
    "F.softsign(X)", "F.mish(X)",
)  # fmt: skip
_nothing = _spelled(
    "X.contiguous()", "X.clone()", "X.detach()", "X.float()", "X.double().float()",
    "X.contiguous(memory_format=torch.contiguous_format)",
    "F.dropout(X.clone(), 0.5, False, inplace=True)", "F.alpha_dropout(X, 0.5, False)",
    "F.feature_alpha_dropout(X, 0.5, False)",
    "F.dropout(X, 0.5, self.training)", "torch.cat([X], 1)",
)  # fmt: skip


def _scaled(d: _Draw, x: str, s: Shape) -> Made:
    c = d.number()
    spellings = [f"{x} * {c}", f"{x} / {c}", f"{x} + {c}", f"{x} - {c}", f"{c} - {x}", f"-{x}"]
    spellings += [f"{x}.clone().{n}_({c})" for n in ("mul", "add", "sub", "div")]
    return d.pick([*spellings, f"torch.rsub({x}, {c})", f"torch.add({c} * {x}, 1)"]), ()


def _constant(d: _Draw, x: str, s: Shape) -> Made:
    shape = tuple(n if d.chance(0.5) else 1 for n in s)
    sign = d.pick("+-*/")
    name, setup = d.buffer((1, *shape) if d.chance(0.7) else shape, positive=sign == "/")
    return (f"{x} {sign} {name}" if sign == "/" or d.chance(0.7) else f"{name} {sign} {x}"), setup


def _quantized(d: _Draw, x: str, s: Shape) -> Made:
    bits, scale = d.upto(2, 8), 2.0 ** -d.upto(-1, 5)
    low, high = d.pick([(0, 2**bits - 1), (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)])
    return f"torch.fake_quantize_per_tensor_affine({x}, {scale}, 0, {low}, {high})", ()


def _two(d: _Draw, x: str, s: Shape) -> Made:
    def fits(t: Shape) -> bool:
        return len(t) == len(s) and all(a in (1, b) or b == 1 for a, b in zip(s, t, strict=True))

    others = [n for n, v in d.values.items() if fits(tuple(v.shape[1:]))]
    more = [n for n in others if n != x]
    y = d.pick(more if more and d.chance(0.9) else others)
    spellings = [f"{x} + {y}", f"{x} - {y}", f"{x} * {y}", f"torch.add({x}, {y})"]
    spellings += [f"torch.{n}({x}, {y})" for n in ("maximum", "minimum", "max", "min", "sub")]
    spellings += [f"{x} / ({y}.relu() + 1)", f"{x} * torch.sigmoid({y})"]
    spellings += [f"{x}.clone().{n}_({y})" for n in ("add", "sub", "mul")]
    return d.pick(spellings), ()


def _joined(d: _Draw, x: str, s: Shape) -> Made:
    axis = d.upto(1, len(s))
    rest = (*s[: axis - 1], *s[axis:])
    others = [
        n
        for n, v in d.values.items()
        if v.ndim == len(s) + 1 and (*v.shape[1:axis], *v.shape[axis + 1 :]) == rest
    ]
    names = [x, *(d.pick(others) for _ in range(d.upto(1, 2)))]
    if d.chance(0.3):
        same = [n for n in names if d.values[n].shape == d.values[x].shape]
        return f"torch.stack([{', '.join(same)}], {d.upto(1, len(s) + 1)})", ()
    spelled = d.pick(["torch.cat", "torch.concat", "torch.concatenate"])
    if axis == 1 and d.chance(0.2):
        return f"torch.hstack([{', '.join(names)}])", ()
    return f"{spelled}([{', '.join(names)}], {d.pick([axis, axis - len(s) - 1])})", ()


def _moved(d: _Draw, x: str, s: Shape) -> Made:
    axis, other = d.upto(1, len(s)), d.upto(1, len(s))
    n = s[axis - 1]
    order = [0, *(1 + d.rng.permutation(len(s)))]
    cut, at = d.upto(0, n - 1), d.upto(0, n - 1)
    before = ", ".join([":"] * axis)
    doubled = ", ".join("2" if a == axis else "1" for a in range(1, len(s) + 1))
    index, setup = f"self.b{len(d.modules)}", []
    texts = [
        f"{x}.flip({axis})", f"{x}.roll({d.upto(-2, 3)}, {axis})",
        f"{x}.transpose({axis}, {other})",
        f"{x}.permute({', '.join(map(str, order))})", f"{x}.movedim({axis}, {other})",
        f"{x}[{before}, {cut}:]", f"{x}[{before}, ::2]", f"{x}[{before}, {at}:{at + 1}]",
        f"{x}.narrow({axis}, {cut}, {n - cut})", f"{x}.select({axis}, {at})",
        f"{x}.chunk(2, {axis})[0]", f"{x}.split({d.upto(1, n)}, {axis})[-1]",
        f"{x}.unbind({axis})[{at}]", f"{x}.repeat_interleave(2, {axis})",
        f"torch.tile({x}, (1, {doubled}))", f"{x}.repeat(1, {doubled})",
        f"{x}[{before}, [0, -1]]", f"{x}.swapaxes({axis}, {other})",
        f"{x}.swapdims({axis}, {other})", f"torch.fliplr({x})",
        f"{x}.split([{cut}, {n - cut}], {axis})[1]", f"{x}.movedim(({axis}, {other}), (1, 2))",
        f"{x}.rot90(1, ({axis}, {other}))",
        f"{x}.unfold({axis}, {d.upto(1, n)}, 1)", f"{x}.tensor_split(2, {axis})[0]",
        f"{x}.index_select({axis}, {index})",
    ]  # fmt: skip
    text = d.pick(texts)
    if index in text:
        places = d.rng.integers(0, n, d.upto(1, n)).tolist()
        setup = [f"self.register_buffer({index[5:]!r}, torch.tensor({places}))"]
    return text, setup


def _shaped(d: _Draw, x: str, s: Shape) -> Made:
    texts = [f"{x}.flatten(1)", f"torch.flatten({x}, 1)", f"{x}.reshape({x}.shape[0], -1)"]
    texts += [f"{x}.unsqueeze({d.upto(1, len(s) + 1)})", f"{x}.reshape(-1, *{s[::-1]})"]
    for c in (2, 3, 4):
        if s[0] % c == 0:
            texts += [f"{x}.unflatten(1, ({c}, {s[0] // c}))"]
            texts += [f"{x}.unflatten(1, ({c}, {s[0] // c})).transpose(1, 2).flatten(1, 2)"]
    if 1 in s:
        texts += [f"{x}.squeeze({s.index(1) + 1})", f"{x}.squeeze()"]
        big = [n if n > 1 else 3 for n in s]
        texts += [f"{x}.expand(-1, {', '.join(map(str, big))})"]
    return d.pick(texts), ()


def _reduced(d: _Draw, x: str, s: Shape) -> Made:
    axes = sorted({d.upto(1, len(s)) for _ in range(d.upto(1, 2))})
    name = d.pick(["mean", "sum", "amax", "mean"])
    return f"{x}.{name}({tuple(axes)}, keepdim={d.chance(0.5) or len(axes) == len(s)})", ()


def _linear(d: _Draw, x: str, s: Shape) -> Made:
    outputs, bias = d.upto(1, 6), d.chance(0.6)
    if d.chance(0.5):
        name, setup = d.module(f"nn.Linear({s[-1]}, {outputs}, bias={bias})")
        return f"{name}({x})", setup
    name, setup = d.buffer((outputs, s[-1]))
    texts = [f"F.linear({x}, {name})", f"{x} @ {name}.T", f"torch.matmul({x}, {name}.t()) + 0.5"]
    if len(s) == 1:
        texts += [f"torch.mm({x}, {name}.T)", f"torch.addmm({name}[:, 0], {x}, {name}.T)"]
    return d.pick(texts), setup


def _one(d: _Draw, *most: int) -> str:
    """Return a size argument: one number or one per axis."""
    sizes = tuple(d.upto(1, m) for m in most)
    return str(sizes if d.chance(0.3) else sizes[0])


def _conv(d: _Draw, x: str, s: Shape) -> Made:
    dims = len(s) - 1
    groups = d.pick([g for g in (1, 1, 1, 2, s[0]) if s[0] % g == 0])
    outputs = groups * d.upto(1, 3)
    kernel, dilation = _one(d, *[3] * dims), _one(d, *d.pick([[1], [1], [2]]) * dims)
    if d.chance(0.25):
        name, setup = d.module(
            f"nn.ConvTranspose{dims}d({s[0]}, {outputs}, {kernel}, stride={d.upto(1, 2)}, "
            f"padding={d.upto(0, 1)}, groups={groups}, dilation={dilation})"
        )
        return f"{name}({x})", setup
    padding = d.pick(["0", "0", "1", "1", "2", "'same'", "'valid'"])
    stride = "1" if padding == "'same'" else _one(d, *[2] * dims)
    mode = d.pick(["zeros"] * 5 + ["reflect", "replicate", "circular"])
    if d.chance(0.2):
        weight, setup = d.buffer((outputs, s[0] // groups, *[d.upto(1, 2)] * dims))
        return f"F.conv{dims}d({x}, {weight}, padding={padding}, groups={groups})", setup
    name, setup = d.module(
        f"nn.Conv{dims}d({s[0]}, {outputs}, {kernel}, stride={stride}, padding={padding}, "
        f"dilation={dilation}, groups={groups}, bias={d.chance(0.7)}, padding_mode={mode!r})"
    )
    return f"{name}({x})", setup


def _norm(d: _Draw, x: str, s: Shape) -> Made:
    dims = 1 if len(s) < 3 else 2
    name, setup = d.module(f"nn.BatchNorm{dims}d({s[0]}, affine={d.chance(0.7)})")
    return f"{name}({x})", setup


def _pooled(d: _Draw, x: str, s: Shape) -> Made:
    dims = len(s) - 1
    kernel, ceil = _one(d, *[3] * dims), d.chance(0.3)
    extra = f"stride={_one(d, *[2] * dims)}, padding={d.pick([0, 0, 1])}, ceil_mode={ceil}"
    texts = [
        f"nn.MaxPool{dims}d({kernel}, {extra}, dilation={d.pick([1, 1, 2])})",
        f"nn.AvgPool{dims}d({kernel}, {extra}, count_include_pad={d.chance(0.5)})",
        f"nn.AdaptiveAvgPool{dims}d({_one(d, *[3] * dims)})",
        f"nn.MaxPool{dims}d({kernel})",
    ]
    if dims == 2:
        texts.append(f"nn.AvgPool2d({kernel}, {extra}, divisor_override={d.upto(1, 5)})")
    name, setup = d.module(d.pick(texts))
    return f"{name}({x})", setup


def _padded(d: _Draw, x: str, s: Shape) -> Made:
    dims = len(s) - 1
    sizes = tuple(d.upto(-1, 2) for _ in range(2 * dims))
    zeros = tuple(d.upto(0, 2) for _ in range(2 * dims))
    most = tuple(min(1, n - 1) for n in s[:0:-1] for _ in range(2))
    texts = [
        f"F.pad({x}, {sizes})", f"F.pad({x}, {zeros})",
        f"F.pad({x}, {zeros[:2]}, value={d.number()})",
        f"F.pad({x}, {most}, mode='reflect')", f"F.pad({x}, {zeros}, mode='replicate')",
        f"F.pad({x}, {most}, mode='circular')", f"nn.ZeroPad{dims}d({zeros})({x})",
    ]  # fmt: skip
    return d.pick(texts), ()


def _resized(d: _Draw, x: str, s: Shape) -> Made:
    linear = "linear" if len(s) == 2 else "bilinear"
    size = tuple(d.upto(1, 6) for _ in s[1:])
    texts = [
        f"F.interpolate({x}, scale_factor=2)",
        f"F.interpolate({x}, size={size}, mode='nearest')",
        f"F.interpolate({x}, size={size}, mode='nearest-exact')",
        f"F.interpolate({x}, size={size}, mode={linear!r}, align_corners={d.chance(0.5)})",
        f"nn.Upsample(scale_factor=2, mode={linear!r})({x})",
    ]
    if len(s) == 3:
        texts += [f"F.pixel_shuffle({x}, 2)", f"F.pixel_unshuffle({x}, 2)"]
        texts += [f"F.channel_shuffle({x}, {d.upto(1, 2)})"]
    return d.pick(texts), ()


ANY: list[tuple[Drawer, float]] = [
    (_relu, 2), (_clip, 2), (_activation, 2), (_function, 2), (_nothing, 1), (_scaled, 2),
    (_constant, 2), (_quantized, 1.5), (_two, 4), (_joined, 3), (_moved, 3), (_shaped, 2),
    (_reduced, 2), (_linear, 3),
]  # fmt: skip
RANK: dict[int, list[tuple[Drawer, float]]] = {
    2: [(_linear, 5), (_norm, 1)],
    3: [(_conv, 6), (_norm, 1), (_pooled, 3), (_padded, 1.5), (_resized, 1.5)],
    4: [(_conv, 8), (_norm, 1.5), (_pooled, 4), (_padded, 2), (_resized, 2)],
}
