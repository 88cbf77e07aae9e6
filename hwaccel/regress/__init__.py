"""Many runs of many designs, on this machine or on a cluster, whose results survive everything."""
