"""Where submissions run: a warm process in a sandbox without network, solutions, gradebook or other students."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from tl_course.errors import GradingError
from tl_course.grading.sandbox.container import has_image
from tl_course.grading.sandbox.forkserver import give
from tl_course.grading.sandbox.own_core import OwnCore
from tl_course.grading.sandbox.relay import CHANNELS, Relay

__all__ = ["ISOLATIONS", "Limits", "Sandbox", "SandboxGoneError", "pick_isolation", "why_no_bwrap"]

ISOLATIONS = ("auto", "bwrap", "container", "none")

# Where root grades, submissions run as a user that nobody is: not as the warm process, and another one in each sandbox,
# for processes are counted by user. The next number is the user of what judges them.
_FIRST_USER = 100_000_000
_FLOOD = 32  # times the limit of output: bytes of a cell's messages, at which its kernel is not listened to any more
_IMAGES = 6  # times the limit of images, the same
_LEAST = 2 << 30  # bytes of address space for a kernel with what it imports
_BESIDE = 16  # processes and threads of the sandbox's own, where they are counted with those of a submission
_PATIENCE = 180.0  # seconds in which the warm process has to answer; the longest are its imports
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/fonts", "/etc/localtime")


class SandboxGoneError(GradingError):
    """The warm process has ended, or was ended by what ran in it."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes
    ----------
    cell_seconds, notebook_seconds : float
        For each cell, and for all of them together.
    memory : int
        Bytes of address space of each process, and of memory of all of them together.
    disk : int
        Bytes of all its files.
    processes : int
        Processes and threads at a time.
    output : int
        Bytes that a cell may print or show, but for images.
    images : int
        Bytes of images that a cell may show, as text: a photo of 4 megapixels may take five million, without loss.
    """

    cell_seconds: float = 60
    notebook_seconds: float = 300
    memory: int = 8 << 30
    disk: int = 512 << 20
    processes: int = 256
    output: int = 1 << 20
    images: int = 16 << 20

    @property
    def sent(self) -> int:
        """Bytes of all that a kernel may send in a cell: with more, it is not listened to any more."""
        return _FLOOD * self.output + _IMAGES * self.images


def pick_isolation(wanted: str = "auto") -> str:
    """The isolation to use: the strongest that this machine has, or the one that is wanted.

    "bwrap" is bubblewrap (https://github.com/containers/bubblewrap), "container" the same in a Linux container of
    docker or podman, for other systems.

    Raises
    ------
    GradingError
        What is wanted is not to be had on this machine.
    """
    if wanted not in ISOLATIONS:
        raise GradingError(f"There is no isolation {wanted!r}: choose {', '.join(ISOLATIONS)}.")
    if wanted in ("none", "container"):
        return wanted
    why = why_no_bwrap()
    if not why:
        return "bwrap"
    if wanted == "bwrap":
        raise GradingError(f"{why} On macOS and Windows: --isolation container.")
    return "container" if has_image() else "none"


def why_no_bwrap() -> str:
    """Why bubblewrap cannot be used on this machine, and what to do; empty where it can."""
    if not shutil.which("bwrap"):
        return "bubblewrap is not installed (Debian and Ubuntu: apt install bubblewrap)."
    words = [*_bwrap([Path("/nowhere")], 1 << 20), sys.executable, "-I", str(Path(__file__).with_name("namespaces.py"))]
    trial = subprocess.run(words, capture_output=True, check=False, text=True)
    if trial.returncode == 0:
        return ""
    return (
        f"bubblewrap does not work here: {trial.stderr.strip() or trial.returncode}. In a container, and on systems "
        "whose AppArmor says so, it must be allowed to make namespaces first."
    )


class Sandbox:
    """A warm process in a sandbox, which kernels, and judges of what they answer, are forked from.

    Parameters
    ----------
    isolation : {"bwrap", "none"}
    imports : sequence of str
        Modules that are imported before the first kernel starts, once for all of them.
    limits : Limits
    cache : Path, optional
        A cache of the package with what submissions need of it. They read it, and each writes into a copy of its own.
    fill : bool
        Let what runs here write into `cache` instead: for code that is trusted with it.

    Attributes
    ----------
    environment : dict of str to str
        Set for kernels that are started from now on.
    protected : list of str
        Cells that come from the instructor: for tests, what they name is again what they made it, in those kernels.
    handed_out : list of str
        Names that the cells which students got bind: only there does a test find what shadows a builtin.
    guarded : bool
        Whether tests run in those kernels.
    sockets : Path
        Where a kernel's connection file belongs, and where it is reached. Short, as a socket's address must be.
    own : list of str or None
        The instructor's files in `given`: all that lies where tests run, at first. None: all of them are.
    given : Path
        What lies here is copied to the kernel's working directory, afresh for each kernel.
    """

    def __init__(
        self,
        isolation: str,
        *,
        imports: Sequence[str] = (),
        limits: Limits | None = None,
        cache: Path | None = None,
        fill: bool = False,
    ) -> None:
        self.isolation, self.imports, self.limits = isolation, list(imports), limits or Limits()
        self.environment: dict[str, str] = {}
        self.protected: list[str] = []
        self.handed_out: list[str] = []
        self.relied_on: dict[str, list[str]] = {}
        self.guarded = True
        self.own: list[str] | None = None
        self._cache, self._fill = cache, fill
        self._core = OwnCore() if isolation == "bwrap" and not fill else None  # the solution is run beside nobody
        self._root = Path(tempfile.mkdtemp(prefix="tl-"))
        self._user = _own_user() if isolation == "bwrap" and os.geteuid() == 0 else None
        self.sockets, self.given = self._root / "s", self._root / "given"
        self._home, self._tests, self._private = (self._root / name for name in ("student", "tests", "private"))
        for folder in (self.sockets, self.given, self._home, self._tests, self._private):
            folder.mkdir()
        if self._user is not None:
            self._root.chmod(0o755)
            if cache is not None and fill:
                give(cache, self._user)
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._relay: Relay | None = None
        self._flooded = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End all that runs in it and remove its files."""
        self._stop()
        if self._core is not None:
            self._core.close()
        if self._cache is not None and self._fill and self._user is not None:
            give(self._cache, os.geteuid())
        shutil.rmtree(self._root, ignore_errors=True)

    def start(self, connection_file: str) -> int:
        """Start a kernel; returns its process id, as the warm process knows it."""
        if self._process is None:
            self._warm_up()
        self._close_relay()
        self._flooded = False
        about = json.loads(Path(connection_file).read_text("utf-8"))
        paths = {name: f"{about['ip']}-{about[f'{name}_port']}" for name in CHANNELS}
        self._relay = relay = Relay(paths, self.limits.sent)
        with relay.handover:
            answer = self.ask(
                start=about,
                descriptors=[relay.handover.fileno()],
                protected=self.protected,
                handed_out=self.handed_out,
                relied_on=self.relied_on,
                guarded=self.guarded,
                **self._of_a_process(),
            )
        return int(answer["pid"])

    def begin_cell(self) -> None:
        """From now on a cell runs: what it may send is counted from nought."""
        if self._relay is not None:
            self._relay.begin_cell()

    def is_flooded(self) -> bool:
        """Whether the last kernel has sent so much in one cell that it was not listened to any more."""
        return self._relay.flooded if self._relay is not None else self._flooded

    def start_tests(self) -> socket.socket:
        """Start a judge for the kernel that was started last: one that never runs a line of the submission's.

        It serves `tl_course.grading.apart.judge.serve`, with one end of a new socket, of which this is the other; with
        the other end of ``GuardedKernel.channel``; and with the kernel's home folder. It ends when the kernel does.

        Raises
        ------
        GradingError
            There is no kernel, or it has its judge already.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self.ask(start_tests=True, own=self.own, descriptors=[theirs.fileno()], **self._of_a_process())
            except BaseException:
                ours.close()
                raise
        return ours

    def _of_a_process(self) -> dict[str, Any]:
        limits = {"memory": self.limits.memory, "file_size": self.limits.disk, "core": 0}
        limits |= {"output": self.limits.output, "images": self.limits.images}
        if self._user is not None:
            limits["processes"] = self.limits.processes
        elif self.isolation == "bwrap" and _counts_processes_by_namespace():
            limits["processes"] = self.limits.processes + _BESIDE
        return {"limits": limits, "environment": self.environment}

    def _close_relay(self) -> None:
        if self._relay is not None:
            self._relay.close()
            self._flooded, self._relay = self._relay.flooded, None

    def _stop(self) -> None:
        self._close_relay()
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def end(self) -> None:
        """End whatever the last kernel started, and remove its files."""
        try:
            if self._process is not None:
                self.ask(end=True)
        except GradingError:  # what cannot be cleared up goes with the sandbox; the next kernel gets a new one
            self._stop()
        finally:
            self._close_relay()
            for path in self.sockets.iterdir():
                path.unlink()

    def ask(self, *, descriptors: Sequence[int] = (), **request: Any) -> dict[str, Any]:
        """Put a request to the warm process, with file descriptors for it, and wait for its answer.

        Raises
        ------
        SandboxGoneError
            There is no answer. The next kernel starts in a new sandbox.
        """
        control, nonce = self._control, secrets.token_hex(8)
        if control is None:
            raise SandboxGoneError("The sandbox has ended.")
        answer: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            line = json.dumps(request | {"nonce": nonce}).encode() + b"\n"
            socket.send_fds(control, [line[:1]], descriptors)
            control.sendall(line[1:])
            heard = b""
            while not heard.endswith(b"\n") and (part := control.recv(1 << 16)):
                heard += part
            answer = json.loads(heard)
        if answer.get("nonce") != nonce:
            self._stop()
            raise SandboxGoneError("The process that kernels are started from has been ended.")
        if "error" in answer:
            raise GradingError(f"The sandbox could not do what it was asked: {answer['error']}")
        return answer

    def _warm_up(self) -> None:
        import resource  # which Windows has not

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        if most != resource.RLIM_INFINITY and most < _LEAST:
            raise GradingError(
                f"`ulimit -v` leaves {most >> 20:,} MB of memory to each process, and a submission needs at least "
                f"{_LEAST >> 20:,} MB: raise it, then grade again."
            )
        ours, theirs = socket.socketpair()
        ours.settimeout(_PATIENCE)
        server = [sys.executable, "-m", "tl_course.grading.sandbox.forkserver", str(theirs.fileno())]
        home, tests, given, cache = self._home, self._tests, self.given, self._cache
        private = self._private
        if self.isolation == "bwrap":
            home, tests, given = Path("/home/student"), Path("/home/tests"), Path("/home/given")
            private = Path("/home/private")
            readable, writable = {self.given: given}, dict[Path, Path]()
            if self._cache is not None:
                cache = Path("/home/cache")  # not where it lies, which is beside the solutions
                (writable if self._fill else readable)[self._cache] = cache
            walls = _bwrap((home, tests, private), self.limits.disk, readable=readable, writable=writable)
            server = [*walls, *server]
        self._log = (self._root / "log").open("ab")
        with theirs:
            self._process = subprocess.Popen(
                server, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._log, env=_environment(home),
                pass_fds=(theirs.fileno(),),
            )  # fmt: skip
        self._control = ours
        self.ask(
            imports=self.imports,
            given=str(given),
            home=str(home),
            tests=str(tests),
            private=str(private),
            cache=cache and str(cache),
            fill=self._fill,
            user=self._user,
            disk=self.limits.disk,
            core=self._core and self._core.number,
            alone=self.isolation == "bwrap",
        )


def _own_user() -> int | None:
    """A user for this process's submissions; None where there are too few, as in a container without root."""
    try:
        maps = [list(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except OSError:
        maps = []
    there = max((first + count for first, _, count in maps), default=0)
    if there > _FIRST_USER + (1 << 23):  # twice the highest number of a process
        return _FIRST_USER + 2 * os.getpid()
    return 1000 + 2 * (os.getpid() % ((there - 1000) // 2)) if there > 2000 else None


def _counts_processes_by_namespace() -> bool:
    """Since Linux 5.14 a user's processes outside of the sandbox do not count for a limit inside."""
    version = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return version is not None and (int(version[1]), int(version[2])) >= (5, 14)


def _bwrap(
    homes: Sequence[Path],
    disk: int,
    *,
    readable: Mapping[Path, Path] | None = None,
    writable: Mapping[Path, Path] | None = None,
) -> list[str]:
    """The words before a command for bubblewrap: no network, no processes but its own, a white list of files.

    `readable` and `writable` name where in the sandbox a folder of this machine is seen.
    """
    shown = [Path(place) for place in _SYSTEM if Path(place).exists()]
    words = ["bwrap", "--die-with-parent", "--new-session", "--as-pid-1", "--unshare-net", "--unshare-pid"]
    words += ["--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--proc", "/proc", "--dev", "/dev"]
    # Of the first process alone: for namespaces, to see how much memory others take, and to give all of that up.
    needed = ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SETPCAP"]
    if os.geteuid() != 0:
        words += ["--unshare-user"]
    else:  # of more than one user, as which submissions run
        needed += ["SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE", "FOWNER"]
    words += ["--cap-drop", "ALL"]
    for capability in needed:
        words += ["--cap-add", f"CAP_{capability}"]
    words += ["--tmpfs", "/tmp"]
    bound = {path: path for path in [*shown, *_of_python()]}
    bound |= dict(readable or {}) | dict(writable or {})
    for folder in sorted({parent for path in bound.values() for parent in path.parents} - {Path("/"), Path("/tmp")}):
        words += ["--perms", "0755", "--dir", str(folder)]  # bubblewrap makes them for root alone
    for path, seen in bound.items():
        if path in shown and path.is_symlink():  # as /bin, into /usr
            words += ["--symlink", str(path.readlink()), str(seen)]
        else:
            words += ["--bind" if path in (writable or {}) else "--ro-bind", str(path), str(seen)]
    for home in homes:
        words += ["--size", str(disk), "--tmpfs", str(home)]
    words += ["--chdir", str(homes[0])]
    words += ["--perms", "1777", "--size", str(disk), "--tmpfs", "/dev/shm"]  # through which DataLoader's workers talk
    return [*words, "--remount-ro", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/", "--"]


def _of_python() -> list[Path]:
    """Folders that this Python and this package lie in, under the names by which they are asked for and their own."""
    places = {Path(sys.prefix), Path(sys.exec_prefix), Path(sys.base_prefix), Path(__file__).parents[2]}
    python = Path(sys.executable)
    while python.is_symlink():  # of a .venv, to the Python that it was made with, maybe over more links
        python = Path(os.path.normpath(python.parent / python.readlink()))
        places.add(python.parents[1])
    places |= {place.resolve() for place in places}
    return sorted(place for place in places if place != Path("/") and not place.is_relative_to("/usr"))


def _environment(home: Path) -> dict[str, str]:
    """What the sandbox knows of the environment: nothing that is secret, and one thread, for a sandbox has one core."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV") if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own = {
        "USER": "student",
        "LOGNAME": "student",
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # figures are in the notebook that a grader reads
    }
    quiet = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    return kept | threads | own | quiet
