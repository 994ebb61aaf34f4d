"""Fixtures for the tests of all packages that touch ROS, and the patience of all tests."""

from collections.abc import Iterator

import hypothesis
import pytest
from patience import patience

# How long an example takes is the machine's affair. What checks every change does not depend on
# luck, so it sees the same examples each time; `make properties` looks for others.
hypothesis.settings.register_profile(
    "any machine",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "search",
    hypothesis.settings.get_profile("any machine"),
    derandomize=False,
    max_examples=2000,
)
hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Stretch the time-out of a test, unless one was given by hand (0 in a debugger)."""
    if config.option.timeout is None:  # the workers of xdist are given that of the main process
        config.option.timeout = patience(float(config.getini("timeout")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stretch the time-outs of tests that have their own."""
    for item in items:
        if mark := item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(patience(mark.args[0])), append=False)


def pytest_report_header() -> str:
    return f"limits of time: {patience(1.0):.1f} times those of the reference machine"


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Set a ROS domain of the test's own for its process; return it for its children."""
    from ros_graph import isolated_domain

    with isolated_domain() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield environment


@pytest.fixture
def probe(ros_domain: dict[str, str]) -> Iterator["GraphProbe"]:  # noqa: F821 - only with ROS
    """Provide a node of the test in its own domain."""
    from ros_graph import GraphProbe

    probe = GraphProbe(int(ros_domain["ROS_DOMAIN_ID"]))
    yield probe
    probe.close()
