"""A search over the configurations of one model for those that nothing beats."""
