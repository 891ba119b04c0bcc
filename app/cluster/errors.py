"""What can be wrong with a run on a cluster."""


class ClusterError(Exception):
    """A run cannot begin or go on; says what was required and what came instead."""
