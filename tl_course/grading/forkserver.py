"""A warm process that kernels are forked from: what an assignment imports is imported once, not once a submission.

It runs where submissions run, usually in a sandbox, and knows nothing of marks. Its parent writes requests to its
standard input, a line of JSON each, and reads the answers from its standard output:

    {"imports": ["torch"], "given": "/given", "home": "/work", "cache": "/cache", "fill": false, "user": 100017,
     "alone": true}                                              -> {"ready": true}
    {"start": "/sockets/kernel.json", "limits": {…}, "environment": {…}, "protected": […]}  -> {"pid": 17}
    {"poll": 17}                                                 -> {"status": null}, a signal or an exit code
    {"signal": 2, "pid": 17}                                     -> {}
    {"end": true}                                                -> {}: all that a kernel started is gone, its files too

A fork is safe while no other thread runs in the process that forks. So BLAS has a single thread here, and nothing is
computed before a fork. Only the standard library is imported at the top: the rest is up to the first request.
"""

import ctypes
import importlib
import json
import os
import shutil
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["main"]

_KERNEL = (
    "ipykernel.kernelapp",
    "tl_course.grading.guard",
    "pdb",
    "pydoc",
    "http.server",
    "tornado.locks",
    "IPython.extensions",
)
_LARGE = 1 << 20  # bytes


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever prints from now on prints into the log
    server: _Server | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if server is None:
                server = _Server(request)
                answer: dict[str, Any] = {"ready": True}
            else:
                answer = server.answer(request)
        except Exception:
            answer = {"error": traceback.format_exc(limit=-2)}
        print(json.dumps(answer), file=answers)


class _Server:
    def __init__(self, request: dict[str, Any]) -> None:
        self.home, self.user = Path(request["home"]), request.get("user")
        self.given = Path(request["given"])
        shared = Path(request["cache"]) if request["cache"] else None
        self.cache = shared if shared and request["fill"] else self.home / ".cache" / "tl-course"
        self.shared = None if request["fill"] else shared
        os.environ["TL_COURSE_CACHE"] = str(self.cache)
        _shut()
        sys.modules["debugpy"] = None  # type: ignore[assignment]  # nobody debugs here, and importing it takes longest
        for name in [*_KERNEL, *request["imports"]]:
            with suppress(Exception):  # a submission that needs it will say so itself
                importlib.import_module(name)
        # Before a submission's own files can be imported by anybody:
        from tl_course.grading.guard import GuardedKernel, Snapshot

        GuardedKernel.snapshot = Snapshot()
        self.alone = bool(request.get("alone"))
        self.started: set[int] = set()
        self.ended: dict[int, int] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if "start" in request:
            return {"pid": self.start(request)}
        if "poll" in request:
            return {"status": self.poll(request["poll"])}
        if "signal" in request:
            with suppress(ProcessLookupError):
                os.kill(request["pid"], request["signal"])
            return {}
        self.end()
        return {}

    def start(self, request: dict[str, Any]) -> int:
        self.end()
        shutil.copytree(self.given, self.home, dirs_exist_ok=True, symlinks=True)
        if self.shared is not None:
            shutil.copytree(self.shared, self.cache, copy_function=_copy_or_link, dirs_exist_ok=True)
        if self.user is not None:
            for path in [self.home, *self.home.rglob("*")]:
                os.chown(path, self.user, self.user, follow_symlinks=False)
        sys.stdout.flush(), sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become_a_kernel(request)
        self.started.add(pid)
        return pid

    def poll(self, pid: int) -> int | None:
        """None while the kernel runs; then its exit code, or minus the signal that ended it."""
        if pid not in self.ended:
            with suppress(ChildProcessError):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self.ended[pid] = os.waitstatus_to_exitcode(status)
        return self.ended.get(pid)

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
        left = [*self.home.iterdir(), *(Path("/dev/shm").iterdir() if self.alone else ())]
        for path in left:
            if path.is_dir() and not path.is_symlink():
                _remove(path)
            else:
                path.unlink(missing_ok=True)

    def _become_a_kernel(self, request: dict[str, Any]) -> NoReturn:
        try:
            os.setsid()  # a group of its own, to be ended as one
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            os.closerange(3, 256)
            _limit(request["limits"])
            if self.user is not None:
                os.setgroups([])
                os.setresgid(self.user, self.user, self.user)
                os.setresuid(self.user, self.user, self.user)
            os.chdir(self.home)
            os.environ.update(request.get("environment", {}))
            os.environ["IPYTHONDIR"] = str(self.home.parent / ".ipython")  # not what a submission may have brought
            sys.path[:] = ["", *(one for one in sys.path if one != str(Path.cwd()))]
            from ipykernel.kernelapp import IPKernelApp

            from tl_course.grading.guard import GuardedKernel

            GuardedKernel.protected = request.get("protected", [])
            app = IPKernelApp.instance(kernel_class=GuardedKernel)
            app.initialize(
                ["-f", request["start"], "--HistoryManager.hist_file=:memory:", "--HistoryManager.enabled=False"]
            )
            app.start()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)


def _shut() -> None:
    """Linux: no other process of the same user may look into this one or change it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(4, 0)  # PR_SET_DUMPABLE


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
            resource.setrlimit(what, (limits[name], limits[name]))


if __name__ == "__main__":
    main()
