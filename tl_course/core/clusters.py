"""A Dask cluster, reached by its address or started here: for what runs on several machines."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tl_course.errors import TLCourseError

__all__ = ["LOCAL", "connected"]

LOCAL = "local"
"""The address of a cluster that is started for the run: worker processes on this machine."""


@contextmanager
def connected(address: str, *, workers: int, error: type[TLCourseError]) -> Iterator[Any]:
    """A client of the cluster at `address`: of a scheduler, the path of its file, or `LOCAL` for `workers` of its own.

    Raises
    ------
    TLCourseError
        Of the kind of `error`: Dask is not installed, or there is no such scheduler.
    """
    try:
        import dask
        import distributed
    except ImportError:
        raise error("Dask is not installed here: pip install 'tl-course[cluster]'") from None
    dask_client: Any = distributed.Client  # they have types, but not for every argument
    local_cluster: Any = distributed.LocalCluster
    logging.getLogger("distributed.client").setLevel(logging.ERROR)  # of a worker that is lost, its work is done again
    careful = {"distributed.scheduler.allowed-failures": 0}  # what was lost is sent again by this client, and counted
    with dask.config.set(careful):
        if address == LOCAL:
            with (
                local_cluster(
                    n_workers=workers, threads_per_worker=1, memory_limit=0, dashboard_address=":0", silence_logs=50
                ) as cluster,
                dask_client(cluster) as client,
            ):
                yield client
            return
        try:
            where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
            client = dask_client(**where, timeout=20)
        except (OSError, TimeoutError, ValueError) as problem:
            raise error(
                f"There is no Dask scheduler at {address} ({problem}). Start one with `dask scheduler`, or give "
                f"--cluster {LOCAL} for this machine alone."
            ) from None
        with client:
            with suppress(Exception):  # otherwise a task that killed its worker is tried on three more
                client.run_on_scheduler(_fail_early)
            yield client


def _fail_early(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = min(dask_scheduler.allowed_failures, 1)
