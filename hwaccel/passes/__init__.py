"""Graph to graph, golden output unchanged in every bit."""
