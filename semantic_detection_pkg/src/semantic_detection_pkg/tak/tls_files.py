"""The files of a TLS client; what is wrong with one is said in one line before anything starts."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from semantic_detection_pkg.errors import ConfigurationError

PASSWORD_VARIABLE = "TAK_KEY_PASSWORD"
_P12 = (".p12", ".pfx")


@dataclass(frozen=True)
class TlsFiles:
    """Where certificates and key lie; empty: there is none. See `core.settings`."""

    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    key_password_file: str = ""
    check_server_name: bool = True


def make_context(files: TlsFiles) -> ssl.SSLContext:
    """Return what a connection is made with.

    Raises:
        ConfigurationError: a file is missing or is none of its kind; the line names it.
    """
    for name in ("ca_file", "certificate_file", "key_file", "key_password_file"):
        _look_at(name, getattr(files, name))
    if files.key_file and not files.certificate_file:
        raise ConfigurationError(f"key_file {files.key_file}: certificate_file is needed with it")
    try:
        context = ssl.create_default_context(cafile=files.ca_file or None)
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(
            f"ca_file {files.ca_file}: holds no certificate in PEM form"
        ) from error
    context.check_hostname = files.check_server_name
    if files.certificate_file:
        _load(context, files)
    return context


def _load(context: ssl.SSLContext, files: TlsFiles) -> None:
    password = _password(files.key_password_file)
    try:
        # A function: the library would ask for a password at the terminal, where there is none.
        context.load_cert_chain(
            files.certificate_file, files.key_file or None, lambda: password or ""
        )
    except ssl.SSLError as error:
        key = files.key_file or files.certificate_file
        reason = error.reason or ""
        if "MISMATCH" in reason:
            said = f"key_file {key}: is not the key of certificate_file {files.certificate_file}"
        elif _is_locked(key):
            said = f"key_file {key}: key_password_file or {PASSWORD_VARIABLE} does not open it"
        else:
            said = (
                f"certificate_file {files.certificate_file}: no certificate in PEM form, or no "
                f"private key in {key}"
            )
        raise ConfigurationError(said) from error
    except (OSError, ValueError) as error:  # ValueError: of a password that no key has
        raise ConfigurationError(f"certificate_file {files.certificate_file}: {error}") from error


def _is_locked(path: str) -> bool:
    """Return whether a key needs a password, as its first line or its head says."""
    with open(path, "rb") as file:
        return b"ENCRYPTED" in file.read()


def _look_at(name: str, path: str) -> None:
    if not path:
        return
    if path.lower().endswith(_P12):
        raise ConfigurationError(
            f"{name} {path}: PEM is needed; openssl pkcs12 -in {Path(path).name} -nodes makes it"
        )
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"{name} {path}: {reason}") from error


def _password(path: str) -> str:
    given = os.environ.get(PASSWORD_VARIABLE, "")
    if given or not path:
        return given
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[0].strip() if lines else ""
