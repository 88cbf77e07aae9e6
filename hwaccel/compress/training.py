"""Train and evaluate; on the GPUs that are there, else on the CPU."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from hwaccel.compress.data import Samples
from hwaccel.errors import ConfigError

Progress = Callable[[str], None]
# From the model's outputs, the inputs and the labels of a batch to the loss.
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
_EVALUATION_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train: Adam with one cycle of the rate (Smith and Topin, 2017, arXiv 1708.07120).

    ``shift`` moves every image of a batch by up to so many pixels.
    """

    epochs: int = 10
    rate: float = 2e-3
    batch: int = 128
    weight_decay: float = 1e-4
    shift: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch < 1 or not self.rate > 0:
            raise ConfigError(
                f"training: epochs {self.epochs}, batch {self.batch}, rate {self.rate:g}; expected "
                "no epoch or more, a batch of at least 1 and a rate above 0"
            )


@dataclass(frozen=True, slots=True)
class Score:
    """Mean loss and hits on some samples."""

    loss: float
    correct: int
    count: int

    @property
    def accuracy(self) -> float:
        """Correct answers in percent."""
        return 100 * self.correct / self.count

    def __str__(self) -> str:
        return f"{self.accuracy:.2f} % of {self.count}, loss {self.loss:.4f}"


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Cross entropy and hit of every sample, ``(N,)`` in float64."""

    losses: torch.Tensor
    hits: torch.Tensor

    @property
    def score(self) -> Score:
        """What ``evaluate`` returns, but for the order of sums."""
        return Score(float(self.losses.mean()), int(self.hits.sum()), len(self.hits))


def cross_entropy(outputs: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy of logits ``(N, classes)``."""
    return functional.cross_entropy(outputs, y)


def device() -> torch.device:
    """Return the first GPU, or the CPU where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def gpus() -> int:
    """Return how many GPUs there are."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


@contextmanager
def _placed(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the model on all GPUs that are there; afterwards it is on the CPU again."""
    target = device()
    model.to(target)
    try:
        yield nn.DataParallel(model) if gpus() > 1 else model
    finally:
        model.to("cpu")


def train(
    model: nn.Module,
    samples: Samples,
    recipe: Recipe,
    *,
    loss: Loss = cross_entropy,
    targets: torch.Tensor | None = None,
    progress: Progress | None = None,
    label: str = "training",
) -> nn.Module:
    """Train ``model`` in place and return it, in eval mode and on the CPU.

    ``targets``, a row per sample, are what the loss gets in the place of the labels.
    The same seed on the same machine gives the same weights.

    Raises:
        ConfigError: the outputs are no logits of the classes, or the loss becomes NaN or infinite.
    """
    steps = recipe.epochs * -(-len(samples) // recipe.batch)
    trained = [p for p in model.parameters() if p.requires_grad]
    if steps == 0 or not trained:
        return model.eval()
    with torch.random.fork_rng(), _placed(model) as placed:
        torch.manual_seed(recipe.seed)
        # Several tensors at once, no loop over them in Python, on every device.
        optimizer = torch.optim.Adam(
            trained, recipe.rate, weight_decay=recipe.weight_decay, foreach=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.rate, total_steps=steps, pct_start=0.2
        )
        for epoch in range(recipe.epochs):
            model.train()
            total = torch.zeros(())
            for x, y, wanted in _batches(samples, recipe, targets):
                optimizer.zero_grad()
                step = loss(_logits(placed, x, y), x, wanted)
                step.backward()
                optimizer.step()
                schedule.step()
                total += step.detach().cpu() * len(y)
            mean = float(total) / len(samples)
            if mean != mean or mean == float("inf"):
                raise ConfigError(
                    f"{label}: the loss is {mean} after epoch {epoch + 1}; use a smaller rate than "
                    f"{recipe.rate:g}"
                )
            if progress is not None:
                progress(f"{label}: epoch {epoch + 1} of {recipe.epochs}, loss {mean:.4f}")
    return model.eval()


def _batches(
    samples: Samples, recipe: Recipe, targets: torch.Tensor | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    target = device()
    for chosen in torch.randperm(len(samples)).split(recipe.batch):
        x, y = samples.x[chosen].to(target), samples.y[chosen].to(target)
        wanted = y if targets is None else targets[chosen].to(target)
        yield _shifted(x, recipe.shift) if recipe.shift else x, y, wanted


def _shifted(x: torch.Tensor, most: int) -> torch.Tensor:
    """Move every image ``(N, C, H, W)`` by up to ``most`` pixels each way; zeros come in."""
    height, width = x.shape[-2:]
    padded = functional.pad(x, (most,) * 4)
    offset = torch.randint(0, 2 * most + 1, (2, len(x)), device=x.device)
    rows = offset[0][:, None] + torch.arange(height, device=x.device)
    columns = offset[1][:, None] + torch.arange(width, device=x.device)
    frame = torch.arange(len(x), device=x.device)
    moved: torch.Tensor = padded[
        frame[:, None, None], :, rows[:, :, None], columns[:, None, :]
    ].permute(0, 3, 1, 2)
    return moved


def _logits(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    outputs = plain(model(x))
    if outputs.ndim != 2 or len(outputs) != len(y) or outputs.shape[1] <= int(y.max()):
        raise ConfigError(
            f"{type(model).__name__}: gives shape {tuple(outputs.shape)} for {len(y)} inputs and "
            f"labels up to {int(y.max())}; expected one logit per class"
        )
    return outputs


def plain(outputs: object) -> torch.Tensor:
    """Return the tensor in what a model gives; quantized layers wrap theirs."""
    found = getattr(outputs, "value", outputs)
    if not isinstance(found, torch.Tensor):
        raise ConfigError(f"the model gives a {type(outputs).__name__}, expected one tensor")
    return found


def evaluate(model: nn.Module, samples: Samples, *, loss: Loss = cross_entropy) -> Score:
    """Return mean loss and hits of ``model`` in eval mode."""
    was = model.training
    model.eval()
    total, correct = 0.0, 0
    target = device()
    with torch.no_grad(), _placed(model) as placed:
        for start in range(0, len(samples), _EVALUATION_BATCH):
            part = slice(start, start + _EVALUATION_BATCH)
            x, y = samples.x[part].to(target), samples.y[part].to(target)
            outputs = _logits(placed, x, y)
            total += float(loss(outputs, x, y)) * len(y)
            correct += int((outputs.argmax(1) == y).sum())
    model.train(was)
    return Score(total / len(samples), correct, len(samples))


def answers(model: nn.Module, samples: Samples) -> Answers:
    """Return what ``model`` says of every sample, in eval mode, for models to be compared by."""
    outputs = outputs_of(model, samples.x).double()
    losses = functional.cross_entropy(outputs, samples.y, reduction="none")
    return Answers(losses, (outputs.argmax(1) == samples.y).double())


def outputs_of(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return the outputs of ``model`` in eval mode for ``x``, on the CPU."""
    model.eval()
    with torch.no_grad(), _placed(model) as placed:
        parts = [plain(placed(part.to(device()))).cpu() for part in x.split(_EVALUATION_BATCH)]
    return torch.cat(parts)


def copied(model: nn.Module) -> nn.Module:
    """Return a copy of ``model`` that shares nothing with it."""
    return copy.deepcopy(model)
