"""Fixtures for the tests of all packages that touch ROS."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Killed nodes leave up to 67 MB of shared memory each; Fast DDS's own tool frees it."""
    is_worker = hasattr(session.config, "workerinput")
    if not is_worker and (program := shutil.which("fastdds")):
        subprocess.run([program, "shm", "clean"], capture_output=True, check=False)


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A ROS domain of the test's own, set for its process and returned for its children."""
    from ros_graph import isolated_domain

    with isolated_domain() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield environment


@pytest.fixture
def probe(ros_domain: dict[str, str]) -> Iterator["GraphProbe"]:  # noqa: F821 - only with ROS
    """A node of the test in its own domain."""
    from ros_graph import GraphProbe

    probe = GraphProbe(int(ros_domain["ROS_DOMAIN_ID"]))
    yield probe
    probe.close()
