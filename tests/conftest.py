"""What all tests share: a program that is missing is a reason to skip, and in CI a failure."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.editors.terminal import program

settings.register_profile(
    "busy machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy machine")


def pytest_configure() -> None:
    """Heed Ctrl-C, also where a shell's ``&`` switched it off; so do the programs under test."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip ``@pytest.mark.editor("nvim", …)`` where one of the programs is not installed.

    ``@pytest.mark.program`` does the same for what the machine's own packages have.
    """
    remedies = {
        "editor": "run tests/editors/setup_editors.sh and setup_vscode.sh",
        "program": "install the package of that name",
    }
    for mark in (mark for mark in item.iter_markers() if mark.name in remedies):
        missing = [name for name in mark.args if program(name) is None]
        if not missing:
            continue
        reason = f"no {' and no '.join(missing)}: {remedies[mark.name]}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
