"""Attention: every form of it near PyTorch's, by bounds that the widths give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from tests.frontend.tools import Lambda, answers, convert, frames, golden, ops

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
