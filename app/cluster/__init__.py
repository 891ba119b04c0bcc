"""Files scored by a Dask cluster, part by part, with the code that scores one file alone.

Needs the extra `cluster`; only `python -m app predict --cluster` imports it.
"""
