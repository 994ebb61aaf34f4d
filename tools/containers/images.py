"""The images: a base, the development image, or a small one that a built tree is mounted in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from containers.engine import ContainerError, Engine
from containers.stack import SERVICES

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/base-of-debian:12"
_REGISTRY_BASE = "docker.io/library/debian:12"
_PULL_S, _BUILD_S = 60.0, 3600.0
#: What a Python that was not Debian's, and the wheels, load.
_LIBRARIES = "libssl3 libffi8 libsqlite3-0 libbz2-1.0 liblzma5 libreadline8 zlib1g libexpat1"
_MOUNTED = """\
FROM {base}
RUN apt-get update \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {packages} \\
 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home developer && chmod 755 /root \\
 && install -d -o 1000 -g 1000 /data/output && install -d -o 1000 -g 1000 -m 2770 /run/tier3
RUN ln -s {root} /opt/semantic-detection
COPY entrypoint /usr/local/bin/entrypoint
USER 1000
ENV TIER3_DIR=/run/tier3 OUTPUT_DIR=/data/output PYTHONDONTWRITEBYTECODE=1 PATH="{python}/bin:$PATH"
ENTRYPOINT ["entrypoint"]
"""


def copy_sources(target: Path) -> None:
    """Copy what Git knows, or would: the tree that a checkout has, without what was built here."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    )
    shutil.rmtree(target, ignore_errors=True)  # of a run before
    for name in filter(None, done.stdout.decode().split("\0")):
        source = ROOT / name
        if source.is_file():  # of a file that is deleted and not committed Git still knows
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def make_base(engine: Engine) -> str:
    """Make the base image; return where it comes from.

    Raises:
        ContainerError: there is no registry, and debootstrap failed.
    """
    if engine.has_image(BASE):
        return "of before"
    try:
        engine.podman("pull", "--quiet", _REGISTRY_BASE, timeout_s=_PULL_S)
        engine.podman("tag", _REGISTRY_BASE, BASE)
    except ContainerError:
        return _make_base_from_debian(engine)
    return _REGISTRY_BASE


def _make_base_from_debian(engine: Engine) -> str:
    root = engine.folder / "base"
    engine.run(
        *("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", str(root)),
        timeout_s=_BUILD_S,
    )
    # What this machine trusts beside the usual, a company's proxy for instance.
    own = sorted(Path("/usr/local/share/ca-certificates").glob("*.crt"))
    for certificate in own:
        shutil.copy(certificate, root / "usr/local/share/ca-certificates")
    engine.run("chroot", str(root), "update-ca-certificates")
    engine.run("chroot", str(root), "apt-get", "clean")
    archive = engine.folder / "base.tar"
    engine.run("tar", "-C", str(root), "-cf", str(archive), ".", timeout_s=_BUILD_S)
    engine.podman("import", str(archive), BASE, timeout_s=_BUILD_S)
    archive.unlink()
    shutil.rmtree(root)
    return f"debootstrap, with {len(own)} certificates of this machine"


def build_mounted(engine: Engine) -> Path:
    """Build the small image; return a compose file that mounts this built tree into it.

    Raises:
        ContainerError: the build failed.
    """
    context = engine.folder / "mounted"
    context.mkdir(exist_ok=True)
    packages = f"python3 {_LIBRARIES}" if sys.base_prefix == "/usr" else _LIBRARIES
    (context / "Containerfile").write_text(
        _MOUNTED.format(base=BASE, packages=packages, root=ROOT, python=sys.base_prefix)
    )
    entrypoint = (ROOT / "docker" / "entrypoint.sh").read_text()
    entrypoint = entrypoint.replace("/opt/semantic-detection", str(ROOT))
    (context / "entrypoint").write_text(entrypoint)
    (context / "entrypoint").chmod(0o755)
    engine.podman("build", "-t", "semantic-detection:dev", str(context), timeout_s=_BUILD_S)
    override = context / "compose.mounted.yaml"
    services = {name: {"volumes": mounts()} for name in SERVICES}
    override.write_text(yaml.safe_dump({"services": services}))
    return override


def mounts() -> list[str]:
    """Return what the small image needs of this machine, read-only: the tree and its Python."""
    places = [ROOT] if sys.base_prefix == "/usr" else [ROOT, Path(sys.base_prefix)]
    return [f"{place}:{place}:ro" for place in places]
