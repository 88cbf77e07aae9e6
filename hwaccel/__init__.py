"""PyTorch models to fixed-point hardware, exact in every bit."""

__version__ = "0.1.0"
