"""Between a kernel and the process that grades: bytes pass, and no more of them than a limit.

A kernel's sockets are the submission's to write to, and what ZeroMQ takes in it keeps in memory, message by message.
So the process that grades is not connected to them but to this, which counts. Before it runs any cell, a kernel hands
over one connection to each of its sockets; it knows no path of this machine.
"""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["CHANNELS", "Relay"]

CHANNELS = ("shell", "iopub", "stdin", "control")  # the order in which a kernel hands over its connections
_READ_TO_THE_END = ("shell", "iopub")  # of these, the process that grades leaves nothing from cell to cell
_OTHERS_MOST = 1 << 20  # bytes on each other channel
_AT_ONCE = 1 << 16  # bytes
_PATIENCE = 60.0  # seconds for the process that grades to connect


class Relay:
    """Passes bytes between sockets at `paths`, one for each of `CHANNELS`, and a kernel, in threads of its own.

    The sockets are there once the kernel has handed over its connections.

    Parameters
    ----------
    paths : mapping of str to str
    most : int
        Bytes from the kernel until the next call of `begin_cell`. With more, all connections are closed.

    Attributes
    ----------
    handover : socket
        For the kernel, which sends its connections through it (`socket.send_fds`); to be closed here once it has it.
    flooded : bool
        Whether the kernel has sent more than that, or what is no message.
    """

    def __init__(self, paths: Mapping[str, str], most: int) -> None:
        self.flooded = False
        self._most, self._passed, self._others = most, 0, dict.fromkeys(CHANNELS, 0)
        self._handed_over, self.handover = socket.socketpair()
        self._paths = paths
        self._open, self._closed, self._lock = [self._handed_over], False, threading.Lock()
        self._start(self._take_over)

    def begin_cell(self) -> None:
        """Count from nought again."""
        self._passed = 0

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self._closed = True
        self.handover.close()
        for end in self._open:
            _shut(end)

    def _start(self, work: object, *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, name="relay", daemon=True).start()  # type: ignore[arg-type]

    def _keep(self, end: socket.socket) -> None:
        with self._lock:
            self._open.append(end)
            if self._closed:
                _shut(end)

    def _take_over(self) -> None:
        with suppress(OSError), self._handed_over:
            _, came, _, _ = socket.recv_fds(self._handed_over, 1, len(CHANNELS))
            for channel, number in zip(CHANNELS, came, strict=False):
                kernel = socket.socket(fileno=number)
                self._keep(kernel)
                self._start(self._connect, channel, kernel)

    def _connect(self, channel: str, kernel: socket.socket) -> None:
        with kernel, suppress(OSError), socket.socket(socket.AF_UNIX) as listening:
            self._keep(listening)
            new = Path(f"{self._paths[channel]}.new")
            listening.bind(str(new))
            listening.listen(1)
            listening.settimeout(_PATIENCE)
            new.rename(self._paths[channel])  # where there is a file, there is somebody who listens
            client, _ = listening.accept()
            with client:
                self._keep(client)
                ended = threading.Event()
                back = threading.Thread(target=self._listen, args=(client, kernel, ended), name="relay", daemon=True)
                back.start()
                if self._copy(kernel, client, channel):
                    ended.set()
                else:
                    self._give_up()
                _shut(kernel)
                _shut(client)
                back.join()

    def _listen(self, client: socket.socket, kernel: socket.socket, ended: threading.Event) -> None:
        """Pass on to the kernel. Where the process that grades hangs up first, it has been sent what is no message."""
        if self._copy(client, kernel) and not ended.is_set():
            self._give_up()
        _shut(kernel)
        _shut(client)

    def _copy(self, source: socket.socket, target: socket.socket, counted: str | None = None) -> bool:
        """Pass on bytes until one of the two has ended; returns whether it was the source."""
        while True:
            try:
                data = source.recv(_AT_ONCE)
            except OSError:
                return True
            if not data:
                return True
            if counted is not None and self._is_too_much(counted, len(data)):
                self._give_up()
            try:
                target.sendall(data)
            except OSError:
                return False

    def _give_up(self) -> None:
        if not self._closed:
            self.flooded = True
            self.close()

    def _is_too_much(self, channel: str, size: int) -> bool:
        with self._lock:
            if channel in _READ_TO_THE_END:
                self._passed += size
                return self._passed > self._most
            self._others[channel] += size
            return self._others[channel] > _OTHERS_MOST


def _shut(end: socket.socket) -> None:
    with suppress(OSError):  # closed or never connected
        end.shutdown(socket.SHUT_RDWR)
