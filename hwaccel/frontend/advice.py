"""Ways out, for operators that people often use and that cannot be converted."""

from __future__ import annotations

_ADVICE = {
    "use topk with k=1, which is max over a dim, or choose outside the model": (
        "sort argsort msort kthvalue median nanmedian mode cummax cummin"
    ),
    "export after torch.backends.mha.set_fastpath_enabled(False)": (
        "_native_multi_head_attention _transformer_encoder_layer_fwd"
    ),
    "use Embedding, and mean or sum over its rows": "embedding_bag _embedding_bag",
    "use bilinear or nearest upsampling": "upsample_bicubic2d grid_sampler",
    "use torch.stack or torch.cat along an axis behind the batch": "column_stack vstack dstack",
    "use MaxPool2d or AdaptiveMaxPool2d": "fractional_max_pool2d",
    "split the tensor and multiply the parts, or sum logarithms": "prod cumprod",
    "subtract the maximum and sum exponentials outside the model": "logsumexp logcumsumexp",
    "switch observers off and keep no state between frames": "copy fill zero",
    "write it out as products and sums, for example (x * y).sum(1, keepdim=True)": (
        "cosine_similarity pairwise_distance cdist pdist bilinear"
    ),
    "let + and * stretch the operands": "broadcast_tensors",
    "use conv1d on (N, C, L)": "conv_tbc",
    "compute the grid outside the model": "affine_grid_generator",
    "use a convolution, which slides its window itself": "im2col",
    "use ConvTranspose2d, which adds overlapping windows up": "col2im",
    "use Upsample or ConvTranspose2d, which need no indices": (
        "max_unpool2d max_unpool3d max_pool1d_with_indices max_pool3d_with_indices"
    ),
    "keep nothing random and nothing uninitialized in eval mode": (
        "rand randn randint rand_like randn_like bernoulli normal multinomial exponential uniform "
        "empty empty_like"
    ),
    "make the slices of a volume channels of 2d layers; for LocalResponseNorm, use BatchNorm": (
        "conv3d conv_transpose3d avg_pool3d max_pool3d adaptive_avg_pool3d adaptive_max_pool3d "
        "upsample_nearest3d upsample_trilinear3d"
    ),
    "leave out the loss, which belongs to training": (
        "mse_loss l1_loss smooth_l1_loss huber_loss cross_entropy_loss nll_loss nll_loss_nd kl_div "
        "binary_cross_entropy binary_cross_entropy_with_logits soft_margin_loss ctc_loss "
        "margin_ranking_loss hinge_embedding_loss cosine_embedding_loss triplet_margin_loss "
        "multi_margin_loss multilabel_margin_loss poisson_nll_loss"
    ),
}
_BY_NAME = {name: text for text, names in _ADVICE.items() for name in names.split()}


def advice(name: str) -> str:
    """Return why the operator ``name`` is refused, and the way out."""
    way_out = _BY_NAME.get(name.rstrip("_"), "see docs/how-to/supported-models.md for what is")
    return f"is not supported; {way_out}"


def ways_out() -> dict[str, tuple[str, ...]]:
    """Return the operators that have advice, by the way out."""
    return {text: tuple(names.split()) for text, names in _ADVICE.items()}
