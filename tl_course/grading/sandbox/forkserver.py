"""A warm process that kernels and judges are forked from: what an assignment imports is imported once.

It runs where submissions run, usually in a sandbox and there as process 1, and knows nothing of marks. Requests come
through a socket, a line of JSON each, and each answer repeats its request's nonce:

    {"imports": ["torch"], "given": "/given", "home": "/work", "tests": "/tests", "private": "/private",
     "cache": "/cache", "fill": false, "user": 100017, "disk": 1000000, "core": 3, "alone": true}  -> {"ready": true}
    {"start": {"key": "…", …}, "limits": {…}, "environment": {…}, "protected": […]}  -> {"pid": 17}: with it comes a
        socket, through which the kernel hands over connections to its own sockets, in the order of relay.CHANNELS
    {"start_tests": true, "own": [name, …], "limits": {…}, "environment": {…}}      -> {"pid": 18}: with it comes a
        socket, for the judge
    {"poll": 17}                                                 -> {"status": null}, a signal or an exit code
    {"signal": 2, "pid": 17}                                     -> {}
    {"end": true}                                                -> {}: all that was started is gone, its files too

In a sandbox each kernel and each judge has its own namespaces of processes, mounts, System V objects and queues. The
kernel's home is a file system of its own, which the judge sees too; the judge's home the kernel sees read-only.

A fork is safe while no other thread runs in the process that forks. So BLAS has a single thread here, and nothing is
computed before a fork. Only the standard library is imported at the top: the rest is up to the first request.
"""

import ctypes
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tl_course.grading.sandbox import namespaces
from tl_course.grading.sandbox.seccomp import filter_system_calls

__all__ = ["give", "main"]

_KERNEL = (
    "ipykernel.kernelapp",
    "tl_course.grading.sandbox.bounded",
    "tl_course.grading.guarded.guard",
    "tl_course.grading.apart.judge",
    "tl_course.grading.sandbox.relay",
    "pdb",
    "pydoc",
    "http.server",
    "tornado.locks",
    "IPython.extensions",
)
_LARGE = 1 << 20  # bytes
_PATIENCE = 30.0  # seconds
_WATCH = 0.25  # seconds from one look at a submission's memory to the next


def main() -> None:
    """Serve the socket whose number is the argument, until its other end closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    os.dup2(2, 1)  # whatever prints from now on prints into the log
    sys.path[:] = [place for place in sys.path if place not in ("", str(Path.cwd()))]
    server: _Server | None = None
    while (received := _receive(control, server)) is not None:
        request, came = received
        try:
            if server is None:
                server = _Server(request)
                answer: dict[str, Any] = {"ready": True}
            else:
                answer = server.answer(request, came)
        except Exception:
            answer = {"error": traceback.format_exc(limit=-2)}
        for descriptor in came:
            os.close(descriptor)
        control.sendall(json.dumps(answer | {"nonce": request["nonce"]}).encode() + b"\n")


def _receive(control: socket.socket, server: "_Server | None") -> tuple[dict[str, Any], list[int]] | None:
    """A request, with the file descriptors that came with it, or None after the last; until then `server` watches."""
    data, came = b"", list[int]()
    while not data.endswith(b"\n"):  # the next request comes when this one has its answer
        while not select.select([control], [], [], _WATCH)[0]:
            if server is not None:
                server.watch()
        part, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 4)
        if not part:
            return None
        data += part
        came += descriptors
    return json.loads(data), came


class _Server:
    def __init__(self, request: dict[str, Any]) -> None:
        self.home, self.tests, self.given = (Path(request[name]) for name in ("home", "tests", "given"))
        self.private = Path(request["private"])  # sockets of a kernel, cache of a judge: nobody else's in a sandbox
        self.user, self.disk, self.fill = request["user"], request["disk"], request["fill"]
        # Tests of a solution may fill the cache as the solution does; those of a submission are another user.
        self.judge = self.user if self.user is None or self.fill else self.user + 1
        self.shared = Path(request["cache"]) if request["cache"] else None
        os.environ["TL_COURSE_CACHE"] = str(self.cache_of(self.home))
        _shut()
        sys.modules["debugpy"] = None  # type: ignore[assignment]  # nobody debugs here, and importing it takes longest
        for name in [*_KERNEL, *request["imports"]]:
            with suppress(Exception):  # a submission that needs it will say so itself
                importlib.import_module(name)
        if "matplotlib.pyplot" in sys.modules:
            from IPython.core.pylabtools import activate_matplotlib

            activate_matplotlib(os.environ["MPLBACKEND"])
        # Before a submission's own files can be imported by anybody:
        from tl_course.grading.guarded.guard import GuardedKernel
        from tl_course.grading.guarded.snapshot import Snapshot

        GuardedKernel.snapshot = Snapshot()
        self.alone, self.core = bool(request["alone"]), request["core"]
        if self.alone:
            namespaces.own_mounts()
        self.channel: socket.socket | None = None  # the judge's end of the kernel's channel
        self.mounted: list[Path] = []
        self.kernel, self.memory = 0, 0  # its process id, and the bytes that it may take with all that it starts
        self.started: set[int] = set()
        self.ended: dict[int, int] = {}

    def cache_of(self, home: Path) -> Path:
        if self.shared and self.fill:
            return self.shared / self.part_of(home)
        return self.private / "cache" if home == self.tests else home / ".cache" / "tl-course"

    def part_of(self, home: Path) -> str:
        """The part of the shared cache for a home: what tests draw, answers do not get to see."""
        return "tests" if home == self.tests else "answers"

    def answer(self, request: dict[str, Any], came: list[int]) -> dict[str, Any]:
        if "start" in request:
            self.kernel, self.memory = self.start(request, *came), request["limits"]["memory"]
            return {"pid": self.kernel}
        if "start_tests" in request:
            return {"pid": self.start_tests(request, *came)}
        if "poll" in request:
            return {"status": self.poll(request["poll"])}
        if "signal" in request:
            with suppress(ProcessLookupError):
                os.kill(request["pid"], request["signal"])
            return {}
        self.end()
        return {}

    def start(self, request: dict[str, Any], handover: int) -> int:
        """Fork a kernel; a judge that is started afterwards gets the other end of its channel."""
        self.end()
        for folder, user in ((self.home, self.user), (self.tests, self.judge)):
            if self.alone:
                namespaces.tmpfs(folder, self.disk, user=user)
                self.mounted.append(folder)
        self.furnish(self.home, self.user)
        self.channel, theirs = socket.socketpair()
        with theirs, socket.socket(fileno=os.dup(handover)) as grader:
            return self.fork(
                lambda: self.become_a_kernel(request, theirs, grader), request, self.home, self.user, theirs, grader
            )

    def start_tests(self, request: dict[str, Any], control: int) -> int:
        """Fork a judge for the kernel that was started last, and tell it what comes through `control`."""
        if self.channel is None:
            raise ValueError("There is no kernel to judge, or it has its judge already.")
        self.furnish(self.tests, self.judge, request.get("own"))
        with self.channel as answers, socket.socket(fileno=os.dup(control)) as asked:
            self.channel = None
            return self.fork(
                lambda: self.become_a_judge(asked, answers), request, self.tests, self.judge, asked, answers
            )

    def furnish(self, home: Path, user: int | None, names: list[str] | None = None) -> None:
        """Put the given files into a home: all, or those of these names."""
        if names is None:
            shutil.copytree(self.given, home, dirs_exist_ok=True, symlinks=True)
        for name in names or ():
            with suppress(FileNotFoundError):
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.given / name, home / name)
        give(home, user)

    def furnish_cache(self, home: Path, user: int | None) -> None:
        """Put into the cache of a home what the solution has left for it; in the solution's own run, what there is."""
        if self.shared is None:
            return
        if self.fill and home == self.tests:
            shutil.copytree(
                self.shared / "answers", self.cache_of(home), copy_function=_copy_if_missing, dirs_exist_ok=True
            )
        elif not self.fill and (left := self.shared / self.part_of(home)).is_dir():
            shutil.copytree(left, self.cache_of(home), copy_function=_copy_or_link, dirs_exist_ok=True)
        self.cache_of(home).mkdir(parents=True, exist_ok=True)
        give(self.cache_of(home), user)

    def fork(
        self,
        then: Callable[[], None],
        request: dict[str, Any],
        home: Path,
        user: int | None,
        *kept: socket.socket,
    ) -> int:
        """Fork a process that keeps these sockets and nothing else of this one, is held to limits, and does `then`."""
        sys.stdout.flush(), sys.stderr.flush()
        pid = namespaces.fork_in_new_pid_namespace() if self.alone else os.fork()
        if pid == 0:
            try:
                self.settle(request, home, user, {one.fileno() for one in kept})
                then()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        self.started.add(pid)
        return pid

    def settle(self, request: dict[str, Any], home: Path, user: int | None, kept: set[int]) -> None:
        os.setsid()  # a group of its own, to be ended as one
        if self.alone:
            other = self.tests if home == self.home else self.home
            hidden = [self.given]
            if home == self.home and not self.fill and self.shared and (self.shared / "tests").is_dir():
                hidden.append(self.shared / "tests")
            namespaces.apart(self.disk, read_only=(other,), hidden=hidden)
            namespaces.tmpfs(self.private, _LARGE if home == self.home else self.disk, user=user)
        self.furnish_cache(home, user)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        for descriptor in [int(path.name) for path in Path("/dev/fd").iterdir()]:
            if descriptor > 2 and descriptor not in kept:
                with suppress(OSError):  # that of the listing itself
                    os.close(descriptor)
        _limit(request["limits"])
        if self.core is not None:
            os.sched_setaffinity(0, {self.core})
        if self.alone:
            namespaces.give_up_privileges(user)
            filter_system_calls()
        os.chdir(home)
        os.environ.update(request["environment"], HOME=str(home), TMPDIR=str(home))
        os.environ["TL_COURSE_CACHE"] = str(self.cache_of(home))
        os.environ["IPYTHONDIR"] = str(home.parent / ".ipython")  # not what a submission may have brought
        tempfile.tempdir = None

    def become_a_kernel(self, request: dict[str, Any], channel: socket.socket, grader: socket.socket) -> None:
        sys.path.insert(0, "")
        from ipykernel.kernelapp import IPKernelApp

        from tl_course.grading.guarded.guard import GuardedKernel
        from tl_course.grading.sandbox.bounded import BoundedSession

        GuardedKernel.protected, GuardedKernel.channel = request.get("protected", []), channel
        GuardedKernel.handed_out, GuardedKernel.guarded = request.get("handed_out", []), request.get("guarded", True)
        GuardedKernel.relied_on = request.get("relied_on", {})
        file = self.private / "connection.json"
        file.write_text(json.dumps(request["start"] | {"transport": "ipc", "ip": str(self.private / "k")}))
        # Its debugger would break doctest, where that is imported already.
        IPKernelApp.init_pdb = lambda _: None  # type: ignore[method-assign]
        app = IPKernelApp.instance(kernel_class=GuardedKernel)
        app.session = BoundedSession(parent=app, most=request["limits"]["output"], images=request["limits"]["images"])
        app.initialize(["-f", str(file), "--HistoryManager.hist_file=:memory:", "--HistoryManager.enabled=False"])
        with grader:
            self.hand_over(app, grader)
        if "matplotlib.pyplot" in sys.modules:
            self.show_figures(app.shell)
        app.start()

    @staticmethod
    def show_figures(shell: Any) -> None:
        """Tell a shell how figures are shown, which Matplotlib, imported before there was one, could not."""
        shell.enable_matplotlib("inline")

    def hand_over(self, app: Any, grader: socket.socket) -> None:
        """Connect to the kernel's own sockets, and send the connections to whoever reads `grader`."""
        from tl_course.grading.sandbox.relay import CHANNELS

        ends = [socket.socket(socket.AF_UNIX) for _ in CHANNELS]
        for channel, end in zip(CHANNELS, ends, strict=True):
            path = self.private / f"k-{getattr(app, f'{channel}_port')}"
            until = time.monotonic() + _PATIENCE
            while end.connect_ex(str(path)) != 0:  # a thread of its own makes that of the heartbeat
                if time.monotonic() > until:
                    raise TimeoutError(f"The kernel made no socket for {channel}.")
                time.sleep(0.001)
        socket.send_fds(grader, [b"."], [end.fileno() for end in ends])
        for end in ends:
            end.close()

    def become_a_judge(self, control: socket.socket, answers: socket.socket) -> None:
        judge: Any = importlib.import_module("tl_course.grading.apart.judge")
        judge.serve(control, answers, self.home)

    def poll(self, pid: int) -> int | None:
        """None while the kernel runs; then its exit code, or minus the signal that ended it."""
        if pid not in self.ended:
            with suppress(ChildProcessError):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self.ended[pid] = os.waitstatus_to_exitcode(status)
        return self.ended.get(pid)

    def watch(self) -> None:
        """End the kernel where a submission's processes together take more memory than each of them may."""
        if self.alone and self.started - self.ended.keys() and _memory_of_others(self.memory) > self.memory:
            with suppress(ProcessLookupError):
                os.kill(self.kernel, signal.SIGKILL)

    def end(self) -> None:
        """Nothing of a submission outlives it: no process, no file."""
        with suppress(ProcessLookupError, PermissionError):
            if self.alone:  # in a sandbox: then "all processes" are those of the submission
                os.kill(-1, signal.SIGKILL)
        for pid in self.started - self.ended.keys():
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, 0)
                self.ended[pid] = os.waitstatus_to_exitcode(status)
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        while self.mounted:
            namespaces.unmount(self.mounted.pop())
        if not self.alone:
            for path in [*self.home.iterdir(), *self.tests.iterdir(), *self.private.iterdir()]:
                if path.is_dir() and not path.is_symlink():
                    _remove(path)
                else:
                    path.unlink(missing_ok=True)


def _shut() -> None:
    """Linux: no other process of the same user may look into this one or change it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(4, 0)  # PR_SET_DUMPABLE


def _memory_of_others(much: int) -> int:
    """Bytes that all other processes take; what several share after a fork is counted once, if it matters."""
    others = [path for path in Path("/proc").iterdir() if path.name.isdigit() and int(path.name) != os.getpid()]
    roughly = sum(_sizes(path / "status", "RssAnon:", "RssShmem:", "VmPTE:") for path in others)
    if roughly <= much:
        return roughly
    return sum(
        _sizes(path / "smaps_rollup", "Pss_Anon:", "Pss_Shmem:") + _sizes(path / "status", "VmPTE:") for path in others
    )


def _sizes(file: Path, *names: str) -> int:
    with suppress(OSError):  # it has ended meanwhile
        lines = file.read_text().splitlines()
        return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(names))
    return 0


def _remove(folder: Path) -> None:
    """Remove a folder, also one that its owner may not look into any more."""
    folder.chmod(0o700)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            _remove(path)
        else:
            path.unlink()
    folder.rmdir()


def _copy_or_link(source: str, target: str) -> None:
    """What is large and never changes is linked: a network. What is added to, or must lie in its folder, is copied."""
    if Path(source).stat().st_size > _LARGE and not source.endswith(".sqlite"):
        Path(target).symlink_to(source)
    else:
        shutil.copyfile(source, target)


def _copy_if_missing(source: str, target: str) -> None:
    if not Path(target).exists():
        shutil.copyfile(source, target)


def give(folder: Path, user: int | None) -> None:
    """Make a folder and all in it a user's own, where one is given."""
    if user is not None:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, user, user, follow_symlinks=False)


def _limit(limits: dict[str, int]) -> None:
    """Hold this process and what it starts to `limits`: bytes of memory and of a file, numbers of both."""
    import resource

    for name, what in (
        ("memory", resource.RLIMIT_AS),
        ("file_size", resource.RLIMIT_FSIZE),
        ("processes", resource.RLIMIT_NPROC),
        ("core", resource.RLIMIT_CORE),
    ):
        if name in limits:
            _, hard = resource.getrlimit(what)  # a lower one, as of `ulimit -v`, stays
            most = limits[name] if hard == resource.RLIM_INFINITY else min(limits[name], hard)
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()
