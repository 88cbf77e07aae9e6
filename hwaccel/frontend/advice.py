"""Ways out, for operators that people often use and that cannot be converted."""

from __future__ import annotations

_ADVICE = {
    "leave it out: the largest score stays the largest; apply it outside": ("argmax topk"),
    "use a LeakyReLU with a fixed slope": "prelu rrelu",
    "use BatchNorm, which becomes constants": "layer_norm group_norm instance_norm rms_norm",
    "use convolutions and linear layers": ("lstm gru rnn_tanh rnn_relu conv3d"),
    "export after torch.backends.mha.set_fastpath_enabled(False)": (
        "_native_multi_head_attention _transformer_encoder_layer_fwd"
    ),
    "use Embedding, and mean or sum over its rows": "embedding_bag _embedding_bag",
    "use bilinear or nearest upsampling": "upsample_bicubic2d grid_sampler",
    "use torch.stack or torch.cat along an axis behind the batch": "column_stack vstack dstack",
    "use AvgPool2d, or MaxPool2d with a fixed kernel": (
        "adaptive_max_pool1d adaptive_max_pool2d max lp_pool2d fractional_max_pool2d"
    ),
    "compare and select outside the model": "where gt lt ge le eq",
    "switch observers off and keep no state between frames": "copy_ fill_ zero_",
}
_BY_NAME = {name: text for text, names in _ADVICE.items() for name in names.split()}


def advice(name: str) -> str:
    """Return why the operator ``name`` is refused, and the way out."""
    way_out = _BY_NAME.get(name, "see docs/how-to/supported-models.md for what is")
    return f"is not supported; {way_out}"
