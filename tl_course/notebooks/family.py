"""The processes that a notebook starts, however deep: what they use, and their end."""

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

__all__ = ["Family"]


class Family:
    """All processes below `head` that were seen by a `look`, also where their parent or they themselves are gone.

    Attributes
    ----------
    peak_bytes : int
        Most resident memory that those alive at one look held together.
    """

    def __init__(self, head: "psutil.Process") -> None:
        self._head = head
        self._cpu_seconds: dict[psutil.Process, float] = {}
        self.peak_bytes = 0

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of all of them, as of the last look that found each alive."""
        return sum(self._cpu_seconds.values())

    def look(self) -> None:
        """Find out who is there, and how much they have used."""
        import psutil

        with suppress(psutil.Error):
            for process in self._head.children(recursive=True):
                self._cpu_seconds.setdefault(process, 0.0)
        held = 0
        for process in self._cpu_seconds:
            with suppress(psutil.Error):
                if process.is_running():  # another process may have its number by now
                    times = process.cpu_times()
                    self._cpu_seconds[process] = times.user + times.system
                    held += process.memory_info().rss
        self.peak_bytes = max(self.peak_bytes, held)

    def kill(self) -> None:
        """End all that are left."""
        import psutil

        for process in self._cpu_seconds:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(list(self._cpu_seconds), timeout=5)
