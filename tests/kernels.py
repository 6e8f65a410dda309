"""A kernel for tests of what a cell shows while it runs."""

from typing import Any

from jupyter_client.manager import KernelManager

Message = dict[str, Any]


class Kernel:
    """A kernel, and what it sends while it runs a cell."""

    def __init__(self) -> None:
        self._manager = KernelManager()
        self._manager.start_kernel()
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def run(self, code: str, *, interrupt: bool = False) -> list[Message]:
        """The outputs of a cell, in order; none of them is another cell's."""
        asked, outputs = self._client.execute(code), []
        while True:
            message = self._client.get_iopub_msg(timeout=60)
            if message["msg_type"] in ("status", "execute_input"):
                if message["content"].get("execution_state") == "idle" and message["parent_header"]["msg_id"] == asked:
                    return outputs
                continue
            assert message["parent_header"]["msg_id"] == asked
            outputs.append(message)
            if interrupt:
                self._manager.interrupt_kernel()
                interrupt = False

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
