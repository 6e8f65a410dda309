"""How strictly lessons are judged, and how they are cut off from the network."""

import pytest
from lesson_runs import without_network


@pytest.fixture
def enforced(request: pytest.FixtureRequest) -> bool:
    """Whether lessons are held to their budgets, as in continuous integration; else only what was learnt is judged."""
    return bool(request.config.getoption("--enforce-budgets"))


@pytest.fixture
def cut_off() -> list[str]:
    """Words to put before a command so that it sees no network interface."""
    if words := without_network():
        return words
    pytest.skip("this machine has neither unshare nor bubblewrap that may cut the network")
