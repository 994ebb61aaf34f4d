"""The line to a real TAK server on loopback: told in time, moved, withdrawn, gone and back, TLS."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import patience, wait_until
from tak_server import NAME, Client, Taky, event, free_port, lifetime_s, place_of, running

from semantic_detection_pkg.common.core.position import Position, RobotPlace
from semantic_detection_pkg.tak.core.events import (
    CotEvent,
    Robot,
    ToldFinding,
    finding_event,
    robot_event,
)
from semantic_detection_pkg.tak.core.server_address import parse_server
from semantic_detection_pkg.tak.cot_xml import HeardEvent
from semantic_detection_pkg.tak.lines import StreamLine
from semantic_detection_pkg.tak.link import TakLink
from semantic_detection_pkg.tak.tls_files import TlsFiles, make_context

ROBOT = Robot("semantic-detection.finder", "finder")
ON_TIME_S = 2.0


def finding(number: int = 1, latitude: float = 47.1234567, lifetime: float = 600.0) -> CotEvent:
    position = Position(latitude, 8.7654321, 512.3, 84.0, 12.0, 4.0, 0.6)
    one = ToldFinding(
        f"1-{number}", number, "tent", "confirmed", 0.87, position, "sure", "http://robot/p.jpg"
    )
    return finding_event(ROBOT, one, lifetime)


UID = finding().uid


@contextlib.contextmanager
def telling(taky: Taky, context: ssl.SSLContext | None = None) -> Iterator[TakLink]:
    address = parse_server(taky.url)
    link = TakLink(address, lambda: StreamLine(address, context, NAME), longest_wait_s=1.0)
    link.start()
    try:
        yield link
    finally:
        link.stop()


@pytest.fixture(scope="module")
def taky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taky]:
    with running(Taky(tmp_path_factory.mktemp("tak") / "server")) as one:
        yield one


@pytest.fixture
def link(taky: Taky) -> Iterator[TakLink]:
    with telling(taky) as one:
        wait_until(lambda: not one.error, "a line")
        yield one


@pytest.fixture
def client(taky: Taky) -> Iterator[Client]:
    one = Client(taky)
    yield one
    one.close()


def test_a_finding_is_in_the_stream_of_others_in_time_moves_and_goes_stale(
    link: TakLink, client: Client
) -> None:
    start_s = time.monotonic()
    link.tell(finding())
    first = client.wait_for(UID)
    assert time.monotonic() - start_s < patience(ON_TIME_S)
    assert first.attrib["type"] == "b-m-p-s-m"
    assert place_of(first) == pytest.approx((47.1234567, 8.7654321), abs=1e-6)  # as taky passes on
    point = first.find("point")
    assert point is not None
    assert (float(point.attrib["ce"]), float(point.attrib["hae"])) == (12.0, 512.3)
    assert lifetime_s(first) == 600.0
    contact = first.find("detail/contact")
    assert contact is not None
    assert contact.attrib["callsign"] == "1 tent"
    remarks = first.findtext("detail/remarks") or ""
    assert "1 sigma 12 m by 4.0 m" in remarks
    assert "http://robot/p.jpg" in remarks
    link.tell(finding(latitude=47.2))
    client.wait_for(UID, lambda one: place_of(one)[0] == 47.2)
    link.withdraw(UID)
    last = client.wait_for(UID, lambda one: lifetime_s(one) == 0.0)
    assert place_of(last)[0] == 47.2


def test_the_same_again_is_told_once(link: TakLink, client: Client) -> None:
    for _ in range(5):
        link.tell(finding(7))
    link.tell(finding(8))
    client.wait_for(finding(8).uid)
    assert len(client.of(finding(7).uid)) == 1


def test_the_robot_is_a_contact_whom_one_can_send_things(link: TakLink, client: Client) -> None:
    place = RobotPlace(47.0, 8.0, 500.0, 1.5, 3.0, (0.0, 0.0, 0.0, 1.0))
    link.tell(robot_event(ROBOT, place, 10.0))
    seen = client.wait_for(ROBOT.uid)
    track = seen.find("detail/track")
    assert track is not None
    assert track.attrib["course"] == "90.0"  # ahead is east
    client.send(event("point", "b-m-p-s-m", 47.5, 8.5, "there", sent_to="finder"))
    assert heard_by(link, "point").sent_to == ("finder",)
    client.send(event("other", "b-m-p-s-m", sent_to="somebody else"))
    client.send(event("after", "b-m-p-s-m", sent_to="finder"))
    uids = []
    wait_until(lambda: uids.extend(one.uid for one in link.heard()) or "after" in uids, "the last")
    assert "other" not in uids


def heard_by(link: TakLink, uid: str) -> HeardEvent:
    found: list[HeardEvent] = []

    def is_there() -> bool:
        found.extend(one for one in link.heard() if one.uid == uid)
        return bool(found)

    wait_until(is_there, f"an event of {uid}")
    return found[-1]


def test_1000_findings_arrive(link: TakLink, client: Client) -> None:
    for number in range(1000, 2000):
        link.tell(finding(number))
    wanted = {finding(number).uid for number in range(1000, 2000)}
    wait_until(
        lambda: wanted <= {one.get("uid") for one in client.read()},
        "1000 findings",
        timeout_s=30.0,
    )


@pytest.mark.long
def test_a_server_that_is_gone_and_back_is_told_everything_that_stands(tmp_path: Path) -> None:
    taky = Taky(tmp_path / "server")
    with telling(taky) as link:  # the server comes later
        link.tell(finding(1))
        link.tell(finding(2))
        wait_until(lambda: link.error == "connection refused", "a refusal")
        with running(taky):
            client = Client(taky)
            client.wait_for(finding(1).uid)
            client.close()
        wait_until(lambda: link.error, "the loss")
        begin_s = time.monotonic()
        link.withdraw(finding(2).uid)
        for number in range(100):  # nobody waits for the network
            link.tell(finding(1, latitude=47.0 + number / 1000))
        assert time.monotonic() - begin_s < patience(0.5)
        with running(taky):
            client = Client(taky)
            newest = client.wait_for(finding(1).uid)
            assert place_of(newest)[0] == pytest.approx(47.099)
            assert lifetime_s(client.wait_for(finding(2).uid)) == 0.0
            assert len(client.of(finding(1).uid)) == 1  # what was in between is nobody's news
            client.close()


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taky]:
    with running(Taky(tmp_path_factory.mktemp("tls") / "server", is_tls=True)) as one:
        yield one


@pytest.fixture(scope="module")
def robot_files(secure: Taky) -> tuple[str, str]:
    return secure.client_files("robot")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Taky:
    """Another server's authority; it does not run."""
    return Taky(tmp_path_factory.mktemp("stranger") / "server", is_tls=True)


@pytest.mark.long
def test_tls_with_a_client_s_certificate(secure: Taky, robot_files: tuple[str, str]) -> None:
    context = make_context(TlsFiles(secure.ca_file, *robot_files))
    with telling(secure, context) as link:
        client = Client(secure, make_context(TlsFiles(secure.ca_file, *robot_files)))
        link.tell(finding())
        client.wait_for(UID)
        client.send(event("point", "b-m-p-s-m", sent_to=""))
        assert abs(heard_by(link, "point").time_ns - time.time_ns()) < 60e9
        client.close()


def refusal(taky: Taky, context: ssl.SSLContext) -> str:
    """What the link says; it goes on trying."""
    with telling(taky, context) as link:
        said = wait_until(lambda: link.error if "certificate" in link.error else "", "a refusal")
        link.tell(finding())
        assert "\n" not in said
        return said


def test_a_server_of_another_authority_is_refused(
    secure: Taky, stranger: Taky, robot_files: tuple[str, str]
) -> None:
    context = make_context(TlsFiles(stranger.ca_file, *robot_files))
    assert refusal(secure, context).startswith("the server's certificate is refused: ")


def test_a_server_of_another_name_is_refused_unless_that_is_allowed(
    secure: Taky, robot_files: tuple[str, str]
) -> None:
    files = TlsFiles(secure.ca_file, *robot_files)
    address = parse_server(secure.url)
    context = make_context(files)
    link = TakLink(address, lambda: StreamLine(address, context, "other.test"), 1.0)
    link.start()
    said = wait_until(lambda: link.error if "certificate" in link.error else "", "a refusal")
    link.stop()
    assert "certificate is refused: " in said
    assert "other.test" in said
    lenient = make_context(TlsFiles(secure.ca_file, *robot_files, check_server_name=False))
    link = TakLink(address, lambda: StreamLine(address, lenient, "other.test"), 1.0)
    link.start()
    wait_until(lambda: not link.error, "a line")
    link.stop()


def test_a_robot_of_another_authority_is_refused(secure: Taky, stranger: Taky) -> None:
    context = make_context(TlsFiles(secure.ca_file, *stranger.client_files("robot")))
    said = refusal(secure, context)
    assert said.startswith("the server refuses this robot's certificate: ")


def test_a_robot_without_a_certificate_is_refused(secure: Taky) -> None:
    said = refusal(secure, make_context(TlsFiles(secure.ca_file)))
    assert said.startswith("the server refuses this robot's certificate: ")


def test_plain_talk_to_a_tls_server_is_noticed(secure: Taky) -> None:
    address = parse_server(f"tcp://127.0.0.1:{secure.port}")
    link = TakLink(address, lambda: StreamLine(address, None, ""), 1.0)
    link.start()
    link.tell(finding())
    wait_until(lambda: "closed" in link.error or "reset" in link.error, "the end of the line")
    link.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_a_server_that_is_not_there_is_one_line_and_no_hurry(host: str) -> None:
    address = parse_server(f"tcp://{host}:{free_port()}")
    tries: list[float] = []

    def open_line() -> StreamLine:
        tries.append(time.monotonic())
        return StreamLine(address, None, "")

    link = TakLink(address, open_line, longest_wait_s=1.0)
    link.start()
    wait_until(lambda: len(tries) >= 3, "three tries")
    assert link.error
    assert "\n" not in link.error
    assert tries[1] - tries[0] >= 0.5
    assert tries[2] - tries[1] >= 1.0  # twice as long
    link.stop()
