"""The way to a TAK server or the mesh: addresses, TLS files, datagrams of a group."""

from __future__ import annotations

import contextlib
import socket
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest
from patience import wait_until
from tak_server import Taky, event, free_port, lifetime_s
from test_tak_server import finding

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.tak.core.server_address import parse_server
from semantic_detection_pkg.tak.core.settings import TakSettings
from semantic_detection_pkg.tak.lines import DatagramLine
from semantic_detection_pkg.tak.link import TakLink
from semantic_detection_pkg.tak.node import _opener
from semantic_detection_pkg.tak.tls_files import TlsFiles, make_context


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("tcp://tak.example.org", ("tcp", "tak.example.org", 8087)),
        ("tls://10.0.0.1:8443", ("tls", "10.0.0.1", 8443)),
        ("ssl://host/", ("tls", "host", 8089)),
        ("udp://239.2.3.1", ("udp", "239.2.3.1", 6969)),
        ("tcp://[::1]:99", ("tcp", "::1", 99)),
    ],
)
def test_addresses(text: str, wanted: tuple[str, str, int]) -> None:
    address = parse_server(text)
    assert (address.kind, address.host, address.port) == wanted
    assert parse_server(str(address)) == address
    assert address.is_multicast == (address.kind == "udp")


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:8087", "http://host", "http://host:8087", "tcp://", "tcp://:8087",
     "tcp://host:0", "tcp://host:x",
     "tcp://host:99999", "tcp://a b", "tcp://u:p@host", "tcp://host/path", "tcp://host?x=1",
     "tcp://239.2.3.1:1", "tls://[ff02::1]", "udp://[::1]:1", "tcp://[::1", "tcp://host\n",
     "tcp://a..b", "tcp://.host", f"tls://{'a' * 64}.org"],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^server '[^\n]*$"):
        parse_server(text)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Taky:
    return Taky(tmp_path_factory.mktemp("files") / "server", is_tls=True)


@pytest.mark.parametrize("name", [".tak.org", "a..b", "x" * 300, "a\0b"])
def test_a_name_that_no_server_has_is_refused_before_anything_starts(name: str) -> None:
    """The line's thread would end by it, and the process with it."""
    with pytest.raises(ConfigurationError, match="server_name '.*': a host's name is needed"):
        _opener(parse_server("tls://host"), TakSettings(server_name=name))


@pytest.mark.long
def test_files_that_are_none_are_named(secure: Taky, tmp_path: Path) -> None:
    certificate, key = secure.client_files("robot")
    other_key = secure.client_files("other")[1]
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    missing = str(tmp_path / "missing.pem")
    p12 = str(secure.folder / "ssl" / "server.p12")
    for files, wanted in (
        (TlsFiles(ca_file=missing), f"ca_file {missing}: no such file"),
        (TlsFiles(ca_file=str(text)), f"ca_file {text}: holds no certificate"),
        (TlsFiles(ca_file=p12), f"ca_file {p12}: PEM is needed; openssl pkcs12"),
        (TlsFiles("", missing), f"certificate_file {missing}: no such file"),
        (TlsFiles("", str(text)), f"certificate_file {text}: no certificate in PEM form"),
        (
            TlsFiles("", certificate),
            f"certificate_file {certificate}: no certificate in PEM form, or",
        ),
        (TlsFiles("", certificate, str(text)), f"private key in {text}"),
        (TlsFiles("", certificate, other_key), f"key_file {other_key}: is not the key of"),
        (TlsFiles("", "", key), f"key_file {key}: certificate_file is needed with it"),
        (TlsFiles("", certificate, str(tmp_path)), f"key_file {tmp_path}: is a directory"),
    ):
        with pytest.raises(ConfigurationError) as refused:
            make_context(files)
        assert wanted in str(refused.value)
        assert "\n" not in str(refused.value)
    make_context(TlsFiles(secure.ca_file, certificate, key))


def test_a_key_with_a_password(
    secure: Taky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryptography.hazmat.primitives import serialization

    certificate, key = secure.client_files("locked")
    opened = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        opened.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"a password"),
        )
    )
    words = tmp_path / "password"
    for text, is_right in (("a password\n", True), ("another\n", False), ("", False)):
        words.write_text(text)
        files = TlsFiles("", certificate, str(locked), str(words))
        if is_right:
            make_context(files)
            continue
        with pytest.raises(ConfigurationError, match="does not open it"):
            make_context(files)
    monkeypatch.setenv("TAK_KEY_PASSWORD", "a password")
    make_context(TlsFiles("", certificate, str(locked)))


def test_the_mesh_is_told_and_heard() -> None:
    """By a group of this machine's loopback device."""
    address = parse_server(f"udp://239.2.3.1:{free_port()}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((address.host, address.port))
        member = struct.pack("4s4s", socket.inet_aton(address.host), socket.inet_aton("127.0.0.1"))
        try:
            other.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        except OSError as error:
            pytest.skip(f"no multicast on the loopback device, its owner's to allow: {error}")
        other.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        other.settimeout(0.05)
        link = TakLink(address, lambda: DatagramLine(address, "127.0.0.1", 1, listens=True))
        link.start()
        heard: list[ElementTree.Element] = []

        def is_told() -> bool:
            with contextlib.suppress(socket.timeout):
                heard.append(ElementTree.fromstring(other.recv(65536)))
            return any(one.get("uid") == finding().uid for one in heard)

        link.tell(finding())
        wait_until(is_told, "a packet to the group")
        assert lifetime_s(heard[-1]) == 600.0
        other.sendto(
            event("asked", "b-m-p", sent_to="finder").encode(), (address.host, address.port)
        )
        wait_until(lambda: any(one.uid == "asked" for one in link.heard()), "a packet of the group")
        link.stop()
