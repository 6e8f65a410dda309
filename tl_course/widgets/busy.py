"""Clicks that arrive while a cell runs: most kernels hold them back until it has ended.

JupyterLab sends what widgets say through a subshell (Jupyter Enhancement Proposal 91), which a kernel can hear at once,
in a thread of its own. But ipykernel 7.4 takes it to where the widget last spoke from, which is the busy cell; and
Colab, VS Code and ipykernel 6 know no subshells. There it waits in the queue behind the cell, into which a loop that
trains can look now and then.
"""

import asyncio
import sys
from contextlib import suppress
from typing import Any

__all__ = ["hear_widgets"]


def hear_widgets() -> None:
    """Let widgets hear what waits for them in the kernel's queue; everything else keeps its place there.

    To be called in the main thread, while a cell runs. Without a kernel nothing happens, nor with one whose inner parts
    are not those that are known here (ipykernel 6 and 7): then clicks are heard when the cell has ended.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if (kernel := getattr(shell, "kernel", None)) is not None:
        with suppress(AttributeError, RuntimeError):
            _hear(kernel)


def _hear(kernel: Any) -> None:
    import zmq

    thread = getattr(kernel, "shell_channel_thread", None)  # of ipykernel 7, which hands messages on to the main thread
    if thread is not None:
        socket = thread.manager.get_shell_channel_to_subshell_pair(None).to_socket
    else:
        socket = kernel.shell_stream.socket
    loop = asyncio.get_running_loop()
    while True:
        try:
            frames = socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return
        idents, rest = kernel.session.feed_identities(frames, copy=False)
        if kernel.session.unpack(rest[1].bytes)["msg_type"] == "comm_msg":  # the header; a message is read only once
            message = kernel.session.deserialize(rest, content=True, copy=False)
            kernel.shell_handlers["comm_msg"](kernel.shell_stream, idents, message)
        elif thread is not None:
            _waiting.add(task := loop.create_task(kernel.shell_main(None, frames)))
            task.add_done_callback(_waiting.discard)
        else:
            kernel.schedule_dispatch(kernel.dispatch_shell, frames)


_waiting: set[Any] = set()  # asyncio keeps only a weak reference to a task
