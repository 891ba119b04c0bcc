"""Score many files on a Dask cluster, partition by partition, with the code that scores one file.

Needs the extra `cluster`. Only `python -m app predict --cluster` imports it.
"""


class ClusterError(Exception):
    """A run cannot start or continue; the message says what is required and what was found."""
