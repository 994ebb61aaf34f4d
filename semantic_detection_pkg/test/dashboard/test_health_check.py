"""A container's health check asks the page wherever it is, and says what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest
from free_port import free_port
from launch_runner.packages import package_executable
from patience import patience, wait_until

from semantic_detection_pkg.cli import bringup, is_healthy
from semantic_detection_pkg.common.configuration.run_folder import make_run_folder
from semantic_detection_pkg.dashboard.api.settings import TOKEN_VARIABLE
from semantic_detection_pkg.dashboard.url_file import (
    NO_PAGE,
    URL_FILE,
    URL_FILE_VARIABLE,
    urls_of_runs,
    write_url,
)

CONFIG = Path(__file__).parents[3] / "config" / "config.yaml"


class _Page(BaseHTTPRequestHandler):
    status = HTTPStatus.OK

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else HTTPStatus.NOT_FOUND)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[type[_Page]]:
    """A page that says what a test wants it to; its port is `page.port`."""
    kind = type("Page", (_Page,), {})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        kind.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kind
        server.shutdown()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return make_run_folder()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_page_of_the_run_is_asked(run: Path, page: type[_Page], host: str) -> None:
    write_url(run / URL_FILE, f"http://{host}:{page.port}/")
    assert urls_of_runs() == [f"http://127.0.0.1:{page.port}/"]
    assert is_healthy.main([]) == 0
    page.status = HTTPStatus.SERVICE_UNAVAILABLE
    assert is_healthy.main([]) == 1


def test_one_of_two_robots_that_is_not_well_is_enough(
    run: Path, page: type[_Page], capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = free_port()
    write_url(run / URL_FILE, f"http://127.0.0.1:{page.port}/")
    write_url(make_run_folder() / URL_FILE, f"http://127.0.0.1:{nobody}/")
    assert is_healthy.main([]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"http://127.0.0.1:{nobody}/healthz: ")
    assert said.count("\n") == 1


@pytest.mark.long
@pytest.mark.parametrize(
    ("said", "leads_to"),
    [
        ("http://[::]:8080/", "http://[::1]:8080/"),
        ("http://192.168.1.5:81/", "http://192.168.1.5:81/"),
        ("http://[fd00::1]:81/", "http://[fd00::1]:81/"),
        (NO_PAGE, NO_PAGE),
        ("http://[::", "http://[::"),
        ("http://0.0.0.0:99999/", "http://0.0.0.0:99999/"),
        ("", ""),
    ],
)
def test_where_a_url_leads_from_here(run: Path, said: str, leads_to: str) -> None:
    write_url(run / URL_FILE, said)
    assert urls_of_runs() == [leads_to]
    assert is_healthy.main([]) == (0 if said == NO_PAGE else 1)


def test_a_page_that_is_named_is_asked(page: type[_Page]) -> None:
    assert is_healthy.main([f"http://127.0.0.1:{page.port}/healthz"]) == 0
    assert is_healthy.main([f"http://127.0.0.1:{free_port()}/"]) == 1


def test_without_a_run_the_usual_page_is_asked(
    tmp_path: Path, page: type[_Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(is_healthy, "DEFAULT_URL", f"http://127.0.0.1:{page.port}/")
    assert urls_of_runs() == []
    assert is_healthy.main([]) == 0


@pytest.mark.parametrize("words", [["dashboard:=false"], []])
def test_bringup_tells_nodes_where_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    ros2 = tmp_path / "ros2"
    ros2.write_text(f'#!/bin/sh\n[ -e "${URL_FILE_VARIABLE}" ] && cat "${URL_FILE_VARIABLE}"\n')
    ros2.chmod(0o755)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", bringup.__name__, "--config", str(CONFIG), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[1:] == ([NO_PAGE] if words else [])


@pytest.mark.long
@pytest.mark.graph
def test_the_node_writes_where_its_page_is(ros_domain: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / f"semantic_detection-{os.getuid()}" / "run"
    folder.mkdir(parents=True)
    port, file = free_port(), folder / URL_FILE
    environment = {**os.environ, **ros_domain, "TMPDIR": str(tmp_path)}
    environment[TOKEN_VARIABLE] = "a token of this test"
    program = str(package_executable("semantic_detection_pkg", "dashboard"))
    node = subprocess.Popen(
        [program, "--ros-args", "-p", "host:=127.0.0.2", "-p", f"port:={port}"],
        env={**environment, URL_FILE_VARIABLE: str(file)},
    )

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", is_healthy.__name__],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    try:
        wait_until(file.exists, "the file", 30.0)
        assert file.read_text() == f"http://127.0.0.2:{port}/"
        wait_until(lambda: check().returncode == 0, "a page that is well", 20.0)
    finally:
        node.terminate()
        node.wait(patience(20.0))
    assert not psutil.pid_exists(node.pid)
    assert check().returncode == 1
    assert f"http://127.0.0.2:{port}/healthz" in check().stderr
