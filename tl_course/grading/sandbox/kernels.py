"""Kernels in a sandbox, as jupyter_client knows kernels: a provisioner that asks the sandbox for a fork."""

import asyncio
import signal
from contextlib import suppress
from math import inf
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any
from uuid import uuid4

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from tl_course.grading.sandbox.relay import CHANNELS
from tl_course.grading.sandbox.sandbox import Sandbox, SandboxGoneError

__all__ = ["SandboxedProvisioner", "kernel_manager"]


def kernel_manager(sandbox: Sandbox, kernel_name: str = "python3") -> AsyncKernelManager:
    """A manager whose kernel, once started, runs in `sandbox`; it is reached through sockets that are files."""
    number = uuid4().hex[:8]
    manager = AsyncKernelManager(
        kernel_name=kernel_name,
        transport="ipc",
        ip=str(sandbox.sockets / number),
        connection_file=str(sandbox.sockets / f"{number}.json"),
    )
    manager.client_factory = _Client
    # ZeroMQ makes room for a message as long as its sender says that it will be.
    manager.context.setsockopt(zmq.MAXMSGSIZE, sandbox.limits.sent)
    manager.context.setsockopt(zmq.SNDTIMEO, 10_000)  # milliseconds: to a kernel that has broken its connection
    manager.kernel_id = number
    manager.provisioner = SandboxedProvisioner(
        kernel_id=number, kernel_spec=manager.kernel_spec, parent=manager, sandbox=sandbox
    )
    return manager


class _Client(AsyncKernelClient):
    """Reaches a kernel as soon as it is there.

    jupyter_client's own knocks before there are sockets, and again a tenth of a second later; then it waits until a
    fifth of a second has been quiet. For a small submission that is most of the time.
    """

    async def start_channels(self, **channels: bool) -> None:  # type: ignore[override]
        """Open them once the kernel has made its sockets, or has ended."""
        sockets = [Path(f"{self.ip}-{getattr(self, f'{name}_port')}") for name in CHANNELS]
        while not all(socket.exists() for socket in sockets) and await self.is_alive():
            await asyncio.sleep(0.005)
        super().start_channels(**(channels | {"hb": False}))  # its thread waits for ever where a kernel breaks it

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until an answer has come, and on the other channel that the kernel is idle after it."""
        until = monotonic() + (timeout or inf)
        while monotonic() < until:
            asked = self.kernel_info()
            with suppress(Empty):
                self._handle_kernel_info_reply(await self.get_shell_msg(timeout=1))
                while True:  # where nothing comes, the channel was not open yet when it was said
                    message = await self.get_iopub_msg(timeout=0.1)
                    about = message["parent_header"].get("msg_id"), message["content"].get("execution_state")
                    if about == (asked, "idle"):
                        return
            if not await self.is_alive():
                break
        raise RuntimeError("The kernel did not answer.")


class SandboxedProvisioner(LocalProvisioner):
    """Starts, watches and ends a kernel by way of a sandbox."""

    # ruff: noqa: D102 - what each of these does, the class it comes from tells

    def __init__(self, *, sandbox: Sandbox, **traits: Any) -> None:
        super().__init__(**traits)
        self._sandbox = sandbox
        self._status: int | None = 0

    @property
    def has_process(self) -> bool:
        return self.pid is not None

    async def poll(self) -> int | None:
        if self.pid is not None and self._status is None:
            try:
                if self._sandbox.is_flooded():
                    self._sandbox.ask(signal=signal.SIGKILL, pid=self.pid)
                self._status = self._sandbox.ask(poll=self.pid)["status"]
            except SandboxGoneError:
                self._status = -signal.SIGKILL
        return self._status

    async def wait(self) -> int | None:
        while await self.poll() is None:
            await asyncio.sleep(0.01)
        self.pid = None
        return self._status

    async def send_signal(self, signum: int) -> None:
        if await self.poll() is None:
            self._sandbox.ask(signal=signum, pid=self.pid)

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGKILL)
        for _ in range(20):  # at once, mostly; who asked looks again only after a tenth of a second
            if await self.poll() is not None:
                break
            await asyncio.sleep(0.005)

    async def terminate(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGTERM)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        assert self.parent is not None
        self.pid, self._status = self._sandbox.start(self.parent.connection_file), None
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        self._sandbox.end()
