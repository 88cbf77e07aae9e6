"""Ways out, for operators that people often use and that cannot be converted."""

from __future__ import annotations

_ADVICE = {
    "leave it out: the largest score stays the largest; apply it outside": (
        "softmax log_softmax _softmax _log_softmax"
    ),
    "use topk with k=1, which is max over a dim, or choose outside the model": (
        "sort argsort msort kthvalue median nanmedian mode cummax cummin"
    ),
    "use convolutions and linear layers": (
        "lstm gru rnn_tanh rnn_relu scaled_dot_product_attention embedding bmm einsum conv3d "
        "_native_multi_head_attention"
    ),
    "use bilinear or nearest upsampling": "upsample_bicubic2d grid_sampler",
    "use torch.stack or torch.cat along an axis behind the batch": "column_stack vstack dstack",
    "use MaxPool2d or AdaptiveMaxPool2d": "fractional_max_pool2d",
    "use images (N, C, H, W) and layers for these": (
        "max_pool3d max_pool3d_with_indices avg_pool3d adaptive_avg_pool3d adaptive_max_pool3d"
    ),
    "split the tensor and multiply the parts, or sum logarithms": "prod cumprod",
    "subtract the maximum and sum exponentials outside the model": "logsumexp logcumsumexp",
    "switch observers off and keep no state between frames": "copy_ fill_ zero_",
}
_BY_NAME = {name: text for text, names in _ADVICE.items() for name in names.split()}


def advice(name: str) -> str:
    """Return why the operator ``name`` is refused, and the way out."""
    way_out = _BY_NAME.get(name, "see docs/how-to/supported-models.md for what is")
    return f"is not supported; {way_out}"
