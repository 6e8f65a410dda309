"""Linux namespaces, mounts and capabilities, through the C library: Python 3.11 has no calls of its own.

Everything here acts on the calling process. Capabilities are a thread's own, so it must have a single thread.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["apart", "fork_in_new_pid_namespace", "give_up_privileges", "own_mounts", "tmpfs", "unmount"]

_NEWNS, _NEWIPC, _NEWPID, _NEWNET = 0x00020000, 0x08000000, 0x20000000, 0x40000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 1 << 14, 1 << 18
_DETACH = 2
_CAPBSET_DROP, _NO_NEW_PRIVS, _AMBIENT, _AMBIENT_CLEAR = 24, 38, 47, 4
_SET_FLAGS, _UP = 0x8914, 1  # SIOCSIFFLAGS, IFF_UP
_FILES = 100_000  # in a tmpfs: each takes the kernel's memory, however small it is

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: Any) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _prctl(option: int, value: int) -> None:
    _call("prctl", option, *map(ctypes.c_ulong, (value, 0, 0, 0)))


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    _call("mount", source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), options.encode())


def tmpfs(folder: Path, size: int, *, mode: int = 0o755, user: int | None = None) -> None:
    """Mount an empty file system of `size` bytes over `folder`, of this process's user or of `user`."""
    owner = "" if user is None else f",uid={user},gid={user}"
    options = f"size={size},nr_inodes={_FILES},mode={mode:o}{owner}"
    _mount("tmpfs", str(folder), "tmpfs", _NOSUID | _NODEV, options)


def unmount(folder: Path) -> None:
    """Take away what is mounted at `folder`; it is gone once nobody uses it any more."""
    _call("umount2", str(folder).encode(), _DETACH)


def fork_in_new_pid_namespace() -> int:
    """Like `os.fork`, with the child as the first process of a PID namespace of its own.

    A process between the two makes the namespace and ends; the child becomes this process's, where this is process 1 of
    its own namespace.
    """
    reads, writes = os.pipe()
    between = os.fork()
    if between:
        os.close(writes)
        with os.fdopen(reads, "rb") as told:
            child = told.read()
        os.waitpid(between, 0)
        if not child:
            raise OSError("No process could be started in a PID namespace of its own.")
        return int(child)
    child_pid = -1
    try:
        _call("unshare", _NEWPID)
        child_pid = os.fork()
        if child_pid > 0:
            os.write(writes, str(child_pid).encode())
    finally:
        if child_pid != 0:
            os._exit(0)
    os.close(reads)
    os.close(writes)
    return 0


def own_mounts() -> None:
    """A mount namespace of its own, in which it may mount; nothing of it is seen outside."""
    _call("unshare", _NEWNS)
    _mount("none", "/", None, _REC | _PRIVATE)


def apart(shared_memory: int, *, read_only: Sequence[Path] = (), hidden: Sequence[Path] = ()) -> None:
    """Mounts, System V objects, message queues and a network of its own; /proc shows its own PID namespace.

    `shared_memory` is the size of /dev/shm, in bytes. The network is a loopback device that nobody else shares.
    """
    own_mounts()
    _call("unshare", _NEWIPC | _NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    tmpfs(Path("/dev/shm"), shared_memory, mode=0o1777)
    for folder in read_only:
        _mount("none", str(folder), None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)
    for folder in hidden:
        _mount("tmpfs", str(folder), "tmpfs", _RDONLY | _NOSUID | _NODEV, "size=4096")


def give_up_privileges(user: int | None) -> None:
    """No capabilities, now or after an `exec`; become `user`, if one is given."""
    for capability in range(64):
        with suppress(OSError):
            _prctl(_CAPBSET_DROP, capability)
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    _prctl(_AMBIENT, _AMBIENT_CLEAR)
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _call("capset", header, nothing)
    _prctl(_NO_NEW_PRIVS, 1)


def _try() -> None:
    """Do once what a grading needs, for a message before it where this machine does not let it."""
    own_mounts()
    if fork_in_new_pid_namespace() == 0:
        try:
            apart(1 << 20)
            give_up_privileges(None)
        except OSError as problem:
            print(problem, file=sys.stderr)
            os._exit(1)
        os._exit(0)
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))


if __name__ == "__main__":
    _try()
