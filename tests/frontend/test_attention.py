"""Attention: every form of it near PyTorch's, by bounds that the widths give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from tests.frontend.tools import Lambda, answers, check_exact, convert, frames, golden, ops

# Values are below 1 in size, so that a result is off by the errors of weights and values alone.
CONFIG = Config(input="s10.9", weight_bits=10, activation_bits=10, calibration="minmax")
sdpa = functional.scaled_dot_product_attention
CAUSAL = torch.ones(4, 4).tril()
BIAS = torch.arange(16.0).reshape(4, 4) / 8 - 1


def by_hand(m, q, k, v):
    scores = (q @ k.transpose(-2, -1) / 2).masked_fill(CAUSAL == 0, float("-inf"))
    return scores.softmax(-1) @ v


def by_where(m, q, k, v):
    scores = torch.where(CAUSAL > 0, torch.einsum("zhld,zhsd->zhls", q, k), -1e9)
    return torch.einsum("zhls,zhsd->zhld", scores.softmax(-1), v)


FORMS = {
    "plain": lambda m, q, k, v: sdpa(q, k, v),
    "one-head": lambda m, q, k, v: sdpa(q[:, 0], k[:, 1], v[:, 0]),
    "causal": lambda m, q, k, v: sdpa(q, k, v, is_causal=True),
    "scale": lambda m, q, k, v: sdpa(q, k, v, scale=1.5),
    "negative-scale": lambda m, q, k, v: sdpa(q, k, v, scale=-1.0),
    "mask": lambda m, q, k, v: sdpa(q, k, v, attn_mask=CAUSAL > 0),
    "bias": lambda m, q, k, v: sdpa(q, k, v, attn_mask=BIAS),
    "bias-and-mask": lambda m, q, k, v: sdpa(
        q, k, v, attn_mask=BIAS.masked_fill(CAUSAL == 0, float("-inf"))
    ),
    "mask-per-head": lambda m, q, k, v: sdpa(
        q, k, v, attn_mask=torch.stack([CAUSAL, CAUSAL.flip(0, 1)])[None] > 0
    ),
    "stretched-keys": lambda m, q, k, v: sdpa(q, k[:, :1], v[:, :1]),
    "grouped": lambda m, q, k, v: sdpa(q, k[:, :1], v[:, 1:], enable_gqa=True),
    "fewer-queries": lambda m, q, k, v: sdpa(q[:, :, 1:], k, v),
    "masked-by-hand": by_hand,
    "by-where": by_where,
}


def near(graph, model, xs, bound):
    for found, expected in zip(golden(graph, xs), answers(model, xs), strict=True):
        assert np.abs(found - expected).max() <= bound


@pytest.mark.parametrize("name", FORMS)
def test_attention_of_three_values(name):
    xs = [(frames(2, 4, 4, seed=n) / 8).astype(np.float32) for n in range(3)]
    model = Lambda(FORMS[name])
    graph = convert(model, xs, CONFIG)
    # Scores are rounded to 12 bits below 8, weights as their own bound says; four values meet.
    near(graph, model, xs, 4 * (4 * 2.0**-10) + 2 * 2.0**-9)
    assert ops(graph).count("chansum") == 2


def test_masked_elements_do_not_count_at_all():
    xs = [frames(1, 4, 4, seed=n) / 8 for n in range(3)]
    model = Lambda(FORMS["causal"])
    graph = convert(model, xs, CONFIG)
    changed = [x.copy() for x in xs]
    for x in changed[1:]:
        x[:, :, 3] = 0.9
    same, other = golden(graph, xs)[0], golden(graph, changed)[0]
    assert np.array_equal(same[:, :, :3], other[:, :, :3])
    assert not np.array_equal(same[:, :, 3], other[:, :, 3])


REFUSED = {
    "active-dropout": (
        lambda m, x: sdpa(x, x, x, dropout_p=0.5),
        "scaled_dot_product_attention: drops out although the model is in eval mode; pass "
        "dropout_p=0 when it is",
    ),
    "mask-of-the-input": (
        lambda m, x: sdpa(x, x, x, attn_mask=x[:, :, :3]),
        "scaled_dot_product_attention: attn_mask depends on the model's input; use a constant mask",
    ),
    "nothing-left": (
        lambda m, x: sdpa(x, x, x, attn_mask=torch.zeros(3, 3) > 0),
        "scaled_dot_product_attention: all elements of a group are masked; leave one in each",
    ),
    "mask-per-frame": (
        lambda m, x: sdpa(x, x, x, attn_mask=torch.ones(7, 3, 3) > 0),
        "scaled_dot_product_attention: attn_mask of shape (7, 3, 3) differs from frame to frame; "
        "give it no batch axis",
    ),
    "minus-infinity-elsewhere": (
        lambda m, x: x.masked_fill(torch.eye(3, 4) > 0, float("-inf")).relu(),
        "elements of minus infinity are read by something else than a softmax; mask only what a "
        "softmax reads at once",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name):
    function, message = REFUSED[name]
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(function), [frames(3, 4)])
    assert str(caught.value) == f"the model's forward: {message}"


def test_a_number_in_masked_places():
    model = Lambda(lambda m, x: x.masked_fill(torch.eye(3, 4) > 0, -2.5))
    xs = [frames(3, 4)]
    near(convert(model, xs), model, xs, 0.0)


# --- modules --------------------------------------------------------------------------------------


class Attend(nn.Module):
    """Multi-head attention of one value, or of several."""

    def __init__(self, weights: bool = False, first: bool = True, mask=None, **options) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=first, **options)
        self.weights, self.first, self.mask = weights, first, mask
        with torch.no_grad():
            for parameter in self.attention.parameters():
                parameter.uniform_(-0.5, 0.5)

    def forward(self, x, *others):
        query, key, value = (x, x, x) if not others else (x, others[0], others[-1])
        if not self.first:
            query, key, value = (t.transpose(0, 1) for t in (query, key, value))
        y, weights = self.attention(
            query, key, value, need_weights=self.weights, attn_mask=self.mask
        )
        y = y if self.first else y.transpose(0, 1)
        return (y, weights) if self.weights else y


MODULES = {
    "self": (Attend(), [(5, 8)]),
    "weights": (Attend(weights=True), [(5, 8)]),
    "cross": (Attend(), [(5, 8), (3, 8)]),
    "cross-three": (Attend(weights=True), [(5, 8), (3, 8), (3, 8)]),
    "other-widths": (Attend(kdim=6, vdim=4), [(5, 8), (3, 6), (3, 4)]),
    "batch-in-the-middle": (Attend(first=False), [(5, 8)]),
    "batch-in-the-middle-weights": (Attend(first=False, weights=True), [(5, 8), (3, 8)]),
    "without-bias": (Attend(bias=False), [(5, 8)]),
    "as-long-as-the-batch": (Attend(), [(7, 8)]),
    "masked": (Attend(mask=torch.ones(4, 4).triu(1) > 0), [(4, 8)]),
    "masked-weights": (Attend(True, mask=torch.ones(4, 4).triu(1) > 0), [(4, 8)]),
}


@pytest.mark.parametrize("name", MODULES)
def test_multihead_attention(name):
    model, shapes = MODULES[name]
    xs = [(frames(*shape, seed=n) / 8).astype(np.float32) for n, shape in enumerate(shapes)]
    near(convert(model, xs, CONFIG), model, xs, 0.05)


def test_the_fused_path_is_switched_off_for_the_export_alone():
    xs = [(frames(5, 8) / 8).astype(np.float32)]
    assert torch.backends.mha.get_fastpath_enabled()
    model = Attend().requires_grad_(False)
    with torch.no_grad():
        graph = convert(model, xs, CONFIG)
    assert torch.backends.mha.get_fastpath_enabled()
    near(graph, model, xs, 0.05)


def test_exported_attention_is_read_like_the_module(tmp_path):
    from hwaccel.frontend import load_model, quantize, trace

    xs = [(frames(5, 8) / 8).astype(np.float32)]
    torch.export.save(
        torch.export.export(Attend(weights=True).eval(), (torch.tensor(xs[0]),)), tmp_path / "m.pt2"
    )
    graph = quantize(trace(load_model(str(tmp_path / "m.pt2"))), xs, CONFIG)
    assert graph.nodes == convert(Attend(weights=True), xs, CONFIG).nodes


def test_layers_with_the_batch_in_the_middle():
    class Sequence(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.one, self.two = nn.Linear(4, 6), nn.Linear(6, 3)
            self.register_buffer("place", torch.randn(5, 1, 6) / 2)

        def forward(self, x):
            y = self.one(x.transpose(0, 1)).relu() + self.place
            return self.two(y + y * 0.5).mean(0)

    xs = [frames(5, 4) / 8]
    near(convert(Sequence(), xs, CONFIG), Sequence(), xs, 0.05)


SCATTERED = {
    "output": (
        lambda m, x: x.transpose(0, 1),
        "output transpose has the batch on axis 1, expected in front; bring it there, for example "
        "with x.transpose(0, 1) or x[-1]",
    ),
    "mixed": (
        lambda m, x: (x.transpose(0, 1) @ x.transpose(0, 1).mT).transpose(0, 1),
        "the model's forward: matmul: operands have their batches at different axes; give every "
        "operand the batch as its first axis, for example with batch_first=True",
    ),
    "softmax-of-the-batch": (
        lambda m, x: x.transpose(0, 1).softmax(1),
        "the model's forward: softmax: dim is (1,), the batch; use another axis",
    ),
    "two-places": (
        lambda m, x: x.transpose(0, 1)[:1] + x[:, :1],
        "the model's forward: add: operands have their batches at different axes; give every "
        "operand the batch as its first axis, for example with batch_first=True",
    ),
    "in-place": (
        lambda m, x: x.transpose(0, 1).relu_().transpose(0, 1),
        "the model's forward: relu_: operand 'self' has the batch on axis 1, expected in front; "
        "bring it there, for example with x.transpose(0, 1) or x[-1]",
    ),
}


@pytest.mark.parametrize("name", SCATTERED)
def test_the_batch_elsewhere_is_refused_where_frames_meet(name):
    function, message = SCATTERED[name]
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(function), [frames(3, 4)])
    assert str(caught.value) == message


def test_views_without_the_batch_in_front_and_changes_in_place():
    def copied(m, x):
        y = x * 2
        turned = y.transpose(0, 1).clone()
        y.relu_()
        return turned.transpose(0, 1) + y

    def viewed(m, x):
        y = x * 2
        turned = y.transpose(0, 1).detach()
        y.relu_()
        return turned.transpose(0, 1) + y

    for function in (copied, viewed):
        check_exact(Lambda(function), frames(3, 4))

    def merged(m, x):
        y = x * 2
        rows = y.reshape(-1, 4)
        y.relu_()
        return rows.reshape(-1, 3, 4) + y

    with pytest.raises(FrontendError) as caught:
        convert(Lambda(merged), [frames(3, 4)])
    assert str(caught.value) == (
        "the model's forward: relu_: changes a tensor in place, a view of which without the batch "
        "in front is read later; copy it"
    )


class Nothing(nn.Identity):
    """Stands where a layer looks at the fields of its normalizations."""

    eps, weight, bias = 1e-5, torch.ones(8), torch.zeros(8)


@pytest.fixture
def steps():
    """Keep PyTorch's fused encoder away: it normalizes whatever stands in that place."""
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(True)


def encoder(norm_first: bool, first: bool, *, plain: bool) -> nn.Module:
    """Return two layers of a transformer encoder; ``plain`` ones have no normalization."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=first, norm_first=norm_first)
    made = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    for one in made.layers if plain else ():
        one.norm1 = one.norm2 = Nothing()
    return made if first else Lambda(lambda m, x: m.e(x.transpose(0, 1)).transpose(0, 1), e=made)


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.usefixtures("steps")
def test_transformer_encoder(norm_first, first, plain):
    model = encoder(norm_first, first, plain=plain)
    xs = [(frames(4, 8) / 8).astype(np.float32)]
    near(convert(model, xs, CONFIG), model, xs, 0.1)


@pytest.mark.usefixtures("steps")
def test_transformer_encoder_with_a_mask():
    made = encoder(True, True, plain=True)
    mask = nn.Transformer.generate_square_subsequent_mask(4)
    model = Lambda(lambda m, x: m.e(x, mask=m.mask, is_causal=True), e=made, mask=mask)
    xs = [(frames(4, 8) / 8).astype(np.float32)]
    near(convert(model, xs, CONFIG), model, xs, 0.1)
