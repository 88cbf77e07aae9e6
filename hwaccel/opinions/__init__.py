"""Second opinions: the same quantized model, by tools that others wrote."""
