"""The tools of the machine that some tests need: chromium, podman, bubblewrap, curl."""

import os
import shutil

import pytest


def installed_by_the_tests() -> bool:
    """Whether `tests/servers/install.sh` installs what is missing: on Debian or Ubuntu, as root."""
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def tool(*names: str) -> str:
    """The path of the first of these programs that is there.

    Without any the test is skipped, unless it should have been installed: then the test fails, so that no run is
    green because a download went wrong.
    """
    for name in names:
        if path := shutil.which(name):
            return path
    missing = f"{names[0]} is not installed"
    if installed_by_the_tests():
        pytest.fail(f"{missing}, although tests/servers/install.sh ran: look at what it printed", pytrace=False)
    pytest.skip(missing)
