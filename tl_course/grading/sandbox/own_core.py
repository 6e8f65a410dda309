"""Processor cores, one for each sandbox: however many processes a submission starts, others keep theirs."""

import os
import socket
from contextlib import suppress

__all__ = ["OwnCore"]


class OwnCore:
    """A core that no other sandbox of this machine has, as long as there is one; else one that several share.

    What is taken is a name in Linux's abstract name space of sockets: it is free again when its process has ended,
    however that ended, and submissions, in networks of their own, cannot take one.

    Attributes
    ----------
    number : int or None
        The core; None on systems where processes cannot be kept to one.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._taken = socket.socket(socket.AF_UNIX)
        if not hasattr(os, "sched_getaffinity"):
            return
        cores = sorted(os.sched_getaffinity(0))
        for core in cores:
            with suppress(OSError):  # another sandbox has it
                self._taken.bind(f"\0tl-course grading on core {core}")
                self.number = core
                return
        self.number = cores[os.getpid() % len(cores)]

    def close(self) -> None:
        """Leave the core to others."""
        self._taken.close()
