"""Workers here and on a cluster, and a folder that keeps what each of them finds at once."""
