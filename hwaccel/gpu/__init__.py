"""The golden model on a GPU, and the emitted CUDA."""
