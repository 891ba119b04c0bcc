"""Connect to a Dask cluster, and turn what Dask raises into ClusterError."""

import logging
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager

from dask.system import CPU_COUNT
from distributed import Client, KilledWorker, LocalCluster

from app.cluster import ClusterError

LOCAL = "local"
CONNECT_SECONDS = 5
WORKER_SECONDS = 60  # a cluster may still be starting its workers


@contextmanager
def connect(address: str) -> Iterator[Client]:
    """A client of the scheduler at this address, or of a temporary local cluster for `local`.

    Raises ClusterError if no scheduler or no worker answers.
    """
    with _without_dask_logs(), ExitStack() as stack:
        scheduler = stack.enter_context(_local_cluster()) if address == LOCAL else address
        try:
            client = stack.enter_context(Client(scheduler, timeout=CONNECT_SECONDS))
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"{address} must be the address of a Dask scheduler, such as tcp://HOST:8786, got "
                "no answer"
            ) from error
        try:
            client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            raise ClusterError(
                f"The scheduler at {address} must have a worker, got none. "
                f"Start one with: python -m dask worker {address}"
            ) from error
        yield client


@contextmanager
def dask_errors() -> Iterator[None]:
    """Turn the failures that Dask reports into ClusterError."""
    try:
        yield
    except KilledWorker as error:
        raise ClusterError(
            "The same partition killed several workers. Give the workers more memory, or lower "
            "--block-mib."
        ) from error
    except (CancelledError, OSError) as error:  # a worker's own OSError arrives as ClusterError
        raise ClusterError(
            "The connection to the scheduler was lost. Run the same command again: completed "
            "partitions are kept."
        ) from error
    except (ImportError, RuntimeError) as error:  # raised where a task cannot be unpickled
        raise ClusterError(
            "The scheduler and the workers must have the same version of this project with the "
            f"extra `cluster`, got: {str(error).partition('. ')[0]}"
        ) from error


@contextmanager
def _without_dask_logs() -> Iterator[None]:
    """Silence all loggers: every failure becomes one sentence."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _local_cluster() -> LocalCluster:
    return LocalCluster(
        n_workers=CPU_COUNT,
        threads_per_worker=1,  # the GIL lets only one thread run Python code
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # Dask opens a port even without a dashboard: a free one
        silence_logs=logging.CRITICAL,
    )
