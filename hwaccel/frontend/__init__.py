"""PyTorch models in, fixed-point graphs out."""
