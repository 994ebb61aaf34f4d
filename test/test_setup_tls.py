"""The set-up behind a company's TLS proxy: its certificate is in the system's store only."""

import contextlib
import os
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / "tools" / "setup" / "uv.sh"
#: What the developer's own machine may have set.
FOREIGN = ("UV_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
#: Run a command where this folder is the system's store.
WITH_STORE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
BIND = 'mount --bind "$1" /etc/ssl/certs && shift && exec "$@"'

LEAF = "subjectAltName=DNS:localhost\nbasicConstraints=critical,CA:FALSE\n"
WHEEL = {
    "tiny.py": "",
    "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tiny-1.0.dist-info/RECORD": "",
}


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def make_certificates(folder: Path) -> None:
    """A throw-away authority (store/ca-certificates.crt) and a certificate of it (leaf.*)."""
    store = folder / "store"
    store.mkdir(parents=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    authority = ("-x509", "-subj", "/CN=a company", "-days", "1", "-keyout", "ca.key")
    openssl(folder, "req", *key, *authority, "-out", "store/ca-certificates.crt")
    openssl(
        folder, "req", *key, "-subj", "/CN=localhost", "-keyout", "leaf.key", "-out", "leaf.csr"
    )
    (folder / "leaf.ext").write_text(LEAF)
    signed = ("-CA", "store/ca-certificates.crt", "-CAkey", "ca.key", "-CAcreateserial")
    request = ("-in", "leaf.csr", "-days", "1", "-extfile", "leaf.ext", "-out", "leaf.crt")
    openssl(folder, "x509", "-req", *signed, *request)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def index(folder: Path) -> Iterator[str]:
    """Serve an index with one package over TLS; its address."""
    pages = folder / "pages" / "simple" / "tiny"
    pages.mkdir(parents=True)
    with zipfile.ZipFile(pages / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in WHEEL.items():
            wheel.writestr(name, text)
    (pages / "index.html").write_text('<a href="tiny-1.0-py3-none-any.whl">tiny</a>')
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder / "pages")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.crt", folder / "leaf.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def bare_environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(FOREIGN)}
    return {**kept, **more}


def install(
    store: Path, address: str, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """As the set-up does, where the system trusts what is in a folder and nobody else."""
    uv = (str(UV), sys.prefix, "pip", "install", "--no-config", "--no-deps", "--quiet")
    place = ("--target", str(folder / "installed"), "--cache-dir", str(folder / "cache"))
    return subprocess.run(
        [*WITH_STORE, BIND, "sh", str(store), *uv, *place, "-i", address, "tiny"],
        env=bare_environment(**environment),
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A store with the company's certificate, and the index behind its proxy."""
    folder = tmp_path_factory.mktemp("company")
    probe = subprocess.run([*WITH_STORE, BIND, "sh", str(folder), "true"], capture_output=True)
    if probe.returncode != 0:
        pytest.skip("no mount namespaces (unshare --user --mount) to put another store in place")
    make_certificates(folder)
    with index(folder) as address:
        yield folder / "store", address


def test_the_systems_certificates_are_used(company, tmp_path) -> None:
    result = install(*company, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "installed" / "tiny.py").exists()


def test_uvs_own_certificates_would_not_do(company, tmp_path) -> None:
    """So the test before this one shows something; and what somebody has set is kept."""
    result = install(*company, tmp_path, UV_SYSTEM_CERTS="false")
    assert result.returncode != 0
    assert "UnknownIssuer" in result.stderr


def test_without_a_store_uvs_own_are_used(company, tmp_path) -> None:
    """Told to use a store that is not there, uv would not even start."""
    empty = tmp_path / "store"
    empty.mkdir()
    assert "UnknownIssuer" in install(empty, company[1], tmp_path).stderr


def test_uv_is_only_called_so() -> None:
    for path in (ROOT / "Makefile", *(ROOT / "tools" / "setup").glob("*.sh")):
        calls = [line for line in path.read_text().splitlines() if "/uv " in line]
        assert calls == [], path.name
