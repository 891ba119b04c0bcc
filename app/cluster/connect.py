"""A client of a cluster that is there, or of one on this machine that is there meanwhile."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from dask.system import CPU_COUNT
from distributed import Client, LocalCluster

from app.cluster.errors import ClusterError

LOCAL = "local"
CONNECT_SECONDS = 5
WORKER_SECONDS = 60  # a cluster may be starting some


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client of the scheduler at an address, or `local`: a worker for each processor here.

    Raises ClusterError where there is no scheduler, or no worker comes.
    """
    with _silence(), ExitStack() as stack:
        where = stack.enter_context(_local()) if address == LOCAL else address
        try:
            client = stack.enter_context(Client(where, timeout=CONNECT_SECONDS))
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"{address} must be the address of a Dask scheduler, as tcp://HOST:8786, however "
                "none answers there"
            ) from error
        try:
            client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            raise ClusterError(f"{address} must have a worker, however it has none") from error
        yield client


@contextmanager
def _silence() -> Iterator[None]:
    """No lines of Dask's log meanwhile: what fails is told in a sentence."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _local() -> LocalCluster:
    return LocalCluster(
        n_workers=CPU_COUNT,
        threads_per_worker=1,  # the work is Python's own
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # a free port: it listens even where there is no dashboard
        silence_logs=logging.CRITICAL,
    )
