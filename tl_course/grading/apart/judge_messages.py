"""Messages of JSON between whoever grades and the process that runs tests; each begins with its length."""

import json
import socket
import struct
from typing import Any

__all__ = ["receive", "send"]

_LENGTH = struct.Struct("<Q")
_MOST = 64 << 20  # bytes
_PIECE = 1 << 20


def send(end: socket.socket, message: Any) -> None:
    """Send a message."""
    data = json.dumps(message).encode()
    end.sendall(_LENGTH.pack(len(data)) + data)


def receive(end: socket.socket) -> Any:
    """The next message; None where there will be none."""
    header = _exactly(end, _LENGTH.size)
    length = _LENGTH.unpack(header)[0] if header else 0
    data = _exactly(end, length) if length <= _MOST else b""
    return json.loads(data) if data else None


def _exactly(end: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = end.recv(min(_PIECE, size - len(data)))
        if not piece:
            return b""
        data += piece
    return bytes(data)
