"""How wide, how fast, how deep: folding, buffers and exact timing."""
