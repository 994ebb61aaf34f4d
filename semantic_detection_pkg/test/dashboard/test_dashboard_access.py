"""Who is let in, and what is refused before anything happens."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from dashboard_client import TIMEOUT_S, TOKEN, Served, serve
from websockets.exceptions import InvalidStatus

from ros_support_pkg.core.settings import settings_of
from semantic_detection_pkg.common.configuration.launching import plan_launch
from semantic_detection_pkg.dashboard.api.connection_limit import BODY_BYTES_MAX
from semantic_detection_pkg.dashboard.api.server import DashboardServer
from semantic_detection_pkg.dashboard.api.settings import DashboardSettings, find_token, read_token
from semantic_detection_pkg.dashboard.core.settings import DashboardNodeSettings
from semantic_detection_pkg.errors import ConfigurationError

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Iterator[Served]:
    """Without a token, on this machine only."""
    folder = tmp_path_factory.mktemp("recorder")
    (folder / "events" / "one").mkdir(parents=True)
    (folder / "events" / "one" / "index.html").write_text("<p>evidence</p>")
    (folder / "secret").write_text("secret")
    (folder / "events" / "out").symlink_to(folder / "secret")
    with serve(folder) as served:
        yield served


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Iterator[Served]:
    """With a token."""
    with serve(tmp_path_factory.mktemp("guarded"), token=TOKEN) as served:
        yield served


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"host": "0.0.0.0"}, "'host' is '0.0.0.0', without a token only 127.0.0.1"),
        ({"host": "::"}, "without a token"),
        ({"host": "robot.example"}, "without a token"),
        ({"token": "short"}, "token has 5 characters, at least 8"),
    ],
)
def test_what_would_be_open_is_refused(settings, line):
    with pytest.raises(ConfigurationError, match=line) as error:
        DashboardSettings(**settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_needs_no_token(host):
    assert DashboardSettings(host=host).is_local


def test_the_token_of_the_environment_wins_over_the_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("from a file\n")
    assert find_token(str(path), {"DASHBOARD_TOKEN": " from outside "}) == "from outside"
    assert find_token(str(path), {"DASHBOARD_TOKEN": ""}) == "from a file"
    assert find_token("", {}) == ""


def test_no_parameter_holds_the_token():
    """`ros2 param dump`, /parameter_events and the page of parameters would show it."""
    assert [name for name in settings_of(DashboardNodeSettings) if "token" in name] == [
        "token_file"
    ]
    launch = plan_launch({"dashboard": {"port": 8081}}, {"DASHBOARD_TOKEN": "a secret token"})
    assert "a secret token" not in launch.parameters + str(launch.arguments)


def test_token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("  from a file \nsecond line\n")
    assert read_token(str(path)) == "from a file"
    path.write_text("\n")
    with pytest.raises(ConfigurationError, match="its first line is empty"):
        read_token(str(path))
    with pytest.raises(ConfigurationError, match="No such file"):
        read_token(str(tmp_path / "none"))


def test_port_in_use_is_one_line(local, tmp_path):
    port = int(local.host.rpartition(":")[2])
    dashboard = local.dashboard
    with pytest.raises(ConfigurationError, match=f"'port' is {port}: another program uses it"):
        DashboardServer(_with_settings(dashboard, DashboardSettings(port=port)))


def test_robots_of_one_host_take_the_next_port(local):
    port = int(local.host.rpartition(":")[2])
    settings = DashboardSettings(port=port, robot="r2")
    server = DashboardServer(_with_settings(local.dashboard, settings))
    try:
        assert port < int(server.address.rstrip("/").rpartition(":")[2]) <= port + 9
    finally:
        server._socket.close()


def test_address_of_another_machine_is_one_line(local):
    with pytest.raises(ConfigurationError, match="'host' is '192.0.2.1'"):
        DashboardServer(
            _with_settings(local.dashboard, DashboardSettings(host="192.0.2.1", token=TOKEN))
        )


def _with_settings(dashboard, settings):
    return SimpleNamespace(settings=settings, access=dashboard.access)


@pytest.mark.parametrize("path", ["/api/state", "/metrics", "/evidence/", "/api/picture"])
def test_looking_needs_the_token(guarded, path):
    refused = guarded.get(path)
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert guarded.get(path, Authorization="Bearer wrong token").status == 401


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/openapi.json"])
def test_the_empty_page_needs_none(guarded, path):
    assert guarded.get(path).status == 200


def test_looking_may_be_open_while_control_is_not(tmp_path):
    with serve(tmp_path, token=TOKEN, is_viewing_open=True) as served:
        assert served.get("/api/state").status == 200
        assert served.post("/api/gimbal/stop").status == 401
        with served.page() as page:
            me = page.news()["me"]
            assert not me["may_control"]
            taken = served.post("/api/operator", {"is_taken": True}, **{"X-Viewer": me["id"]})
            assert taken.status == 401
        assert served.robot.commands == []


def test_bearer_opens_everything(guarded):
    assert guarded.get("/api/state", **BEARER).status == 200
    assert guarded.post("/api/gimbal/stop", **BEARER).status == 200
    with guarded.page(**BEARER) as page:
        assert page.news()["me"]["may_control"]


def test_token_is_exchanged_for_a_cookie(guarded):
    assert guarded.post("/api/session", {"token": "wrong token"}).status == 401
    opened = guarded.post("/api/session", {"token": TOKEN})
    assert opened.status == 204
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    session = {"Cookie": cookie.partition(";")[0]}
    assert guarded.get("/api/state", **session).status == 200
    with guarded.page(**session) as page:
        assert page.news()["me"]["may_control"]
    assert guarded.request("DELETE", "/api/session", headers=session).status == 204
    assert guarded.get("/api/state", **session).status == 401


def test_live_connection_needs_the_token(guarded):
    with pytest.raises(InvalidStatus) as refused, guarded.page():
        pass
    assert refused.value.response.status_code in (401, 403)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_foreign_origins_are_refused(local, guarded, origin):
    assert local.post("/api/gimbal/stop", Origin=origin).status == 403
    assert guarded.post("/api/gimbal/stop", Origin=origin, **BEARER).status == 403
    with pytest.raises(InvalidStatus) as refused, local.page(Origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_own_origin_is_let_in(local):
    assert local.post("/api/gimbal/stop", Origin=f"http://{local.host}").status == 200
    with local.page(Origin=f"http://{local.host}") as page:
        assert page.news()["me"]["may_control"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "[", ""])
def test_foreign_names_of_this_machine_are_refused_without_a_token(local, host):
    assert local.get("/api/state", Host=host).status in (400, 403)


def test_large_bodies_are_refused(local):
    """With an answer, which a client may miss whose body is still on its way (RFC 9112, 9.6)."""

    def status(body, **headers: str) -> int:
        with contextlib.closing(http.client.HTTPConnection(local.host, timeout=TIMEOUT_S)) as line:
            try:
                line.request("POST", "/api/session", body, headers)
                return line.getresponse().status
            except ConnectionError:
                return 413

    def pieces():
        for _ in range(3):
            yield b" " * (BODY_BYTES_MAX // 2)

    assert status(b" " * (BODY_BYTES_MAX + 1)) == 413
    assert status(b"{}", **{"Content-Length": "9" * 30}) in (400, 413)
    assert status(pieces(), **{"Content-Type": "application/json"}) == 413
    with socket.create_connection(local.host.split(":"), timeout=TIMEOUT_S) as raw:
        length = BODY_BYTES_MAX + 1
        head = (
            f"POST /api/session HTTP/1.1\r\nHost: {local.host}\r\nContent-Length: {length}\r\n\r\n"
        )
        raw.sendall(head.encode())  # and no body
        assert raw.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert local.get("/api/state").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/evidence/../secret",
        "/evidence/%2e%2e/secret",
        "/evidence/one/../../secret",
        "/evidence/..%2fsecret",
        "/evidence/%2e%2e%5csecret",
        "/evidence//etc/passwd",
        "/evidence/out",
        "/evidence/%00",
        "/evidence/" + "a" * 3000,
        "/static/../__init__.py",
        "/static/%2e%2e/server.py",
        "/static//etc/passwd",
    ],
)
def test_path_tricks_find_nothing(local, path):
    reply = local.get(path)
    assert reply.status in (400, 404)
    assert b"secret" not in reply.body
    assert b"root:" not in reply.body


def test_evidence_is_served_in_a_sandbox(local):
    reply = local.get("/evidence/one/")
    assert (reply.status, reply.body) == (200, b"<p>evidence</p>")
    assert reply.headers["content-security-policy"].startswith("sandbox")
    assert local.post("/evidence/one/").status == 405


@pytest.mark.parametrize("data", ["no json", "[]", "{}{}", '{"rate": [1]}', b"\x00\x01"])
def test_what_cannot_be_read_closes_that_socket_only(local, data):
    with local.page() as good, local.page() as bad:
        bad.socket.send(data)
        assert bad.close_code() == 1008
        assert good.news()["n"] > 0


@pytest.mark.parametrize(
    "frame",
    [
        b"\xf1\x80\x00\x00\x00\x00",  # reserved bits
        b"\x83\x80\x00\x00\x00\x00",  # an opcode that is none
        b"\x81\x01a",  # not masked
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",  # 2**63 bytes announced
        b"\x81\x81\x00\x00\x00\x00\xff",  # no UTF-8
    ],
)
def test_broken_frames_close_that_socket_only(local, frame):
    with local.page() as good:
        with socket.create_connection(local.host.split(":"), timeout=TIMEOUT_S) as raw:
            raw.sendall(
                f"GET /api/live HTTP/1.1\r\nHost: {local.host}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            assert b"101" in raw.recv(4096)
            raw.sendall(frame)
            while raw.recv(65536):  # until the server closes
                pass
        assert good.news()["n"] > 0
    assert local.get("/api/state").status == 200


def test_message_of_a_page_is_bounded(local):
    with local.page() as page:
        page.socket.send(json.dumps({"look": True, "x": "y" * BODY_BYTES_MAX}))
        assert page.close_code() == 1009
