"""Messages over a socket, between an answer's process and the one that tests it: numbered, bounded, whole."""

import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from tl_course.grading.apart.channel import MOST_BYTES

__all__ = ["Frames", "GoneError"]

_HEADER = struct.Struct("<QQ")  # the length of what follows, and the number of the message
_PIECE = 1 << 20  # bytes that are taken at a time


class GoneError(BaseException):
    """The other side has ended, or has been given up. Not an Exception, so that tests do not catch it."""


class Frames:
    """One end of a stream socket.

    Parameters
    ----------
    end : socket.socket
    may_wait : function, optional
        Called with nothing while there is something to wait for; raises what ends the waiting. Nothing else does: so
        what is half received stays as it is.
    also : socket.socket, optional
        Ends the waiting too, as soon as there is something to read there.

    Attributes
    ----------
    waiting : bool
        Whether a message is on its way: who handles a signal should not raise then.
    """

    def __init__(
        self, end: socket.socket, may_wait: Callable[[], None] | None = None, also: socket.socket | None = None
    ) -> None:
        self._end, self._may_wait, self._also = end, may_wait, also
        self._received = bytearray()
        self.waiting = False
        end.setblocking(False)

    def send(self, number: int, data: bytes) -> None:
        """Send a message.

        Raises
        ------
        GoneError
            Nobody reads any more.
        """
        left = memoryview(_HEADER.pack(len(data), number) + data)
        self.waiting = True
        try:
            while left:
                self._wait(writing=True)
                with suppress(BlockingIOError):
                    left = left[self._end.send(left[:_PIECE]) :]
        except OSError as problem:
            raise GoneError(str(problem)) from None
        finally:
            self.waiting = False

    def receive(self) -> tuple[int, bytes]:
        """The number of the next message, and what it says.

        Raises
        ------
        GoneError
            There will be none, or it is too long to be one.
        """
        self.waiting = True
        try:
            self._fill(_HEADER.size)
            length, number = _HEADER.unpack_from(self._received)
            if length > MOST_BYTES:
                raise GoneError("More was sent than can be taken.")
            self._fill(_HEADER.size + length)
            data = bytes(self._received[_HEADER.size : _HEADER.size + length])
            del self._received[: _HEADER.size + length]
        except OSError as problem:
            raise GoneError(str(problem)) from None
        finally:
            self.waiting = False
        return number, data

    def _fill(self, size: int) -> None:
        while len(self._received) < size:
            self._wait()
            with suppress(BlockingIOError):
                piece = self._end.recv(_PIECE)
                if not piece:
                    raise GoneError("The other side has ended.")
                self._received += piece

    def _wait(self, *, writing: bool = False) -> None:
        others = [self._also] if self._also else []
        while True:
            if self._may_wait:
                self._may_wait()
            mine = [self._end]
            ready = select.select(others if writing else mine + others, mine if writing else [], [], 0.2)
            if self._also in ready[0]:
                raise GoneError("The other side has been given up.")
            if ready[0] or ready[1]:
                return
