"""What the container files say: Dockerfiles by instruction, services by their mounts."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("*/Dockerfile"))
WORKSPACE = "/opt/semantic-detection"


@dataclass(frozen=True)
class Mount:
    """What a container sees of the host or of a volume; `source` is "" for a nameless volume."""

    source: str
    target: str
    is_read_only: bool
    is_made_up: bool  # by the engine, as a folder, where it is not there


def mounts_of(service: dict[str, Any]) -> list[Mount]:
    """The mounts of a service, by the short or the long syntax."""
    found = []
    for mount in service.get("volumes", []):
        if isinstance(mount, dict):
            made_up = mount["type"] == "bind" and mount.get("bind", {}).get(
                "create_host_path", True
            )
            read_only = mount.get("read_only", False)
            found.append(Mount(mount.get("source", ""), mount["target"], read_only, made_up))
        else:
            *source, target = mount.removesuffix(":ro").split(":")
            name = source[0] if source else ""
            is_path = name.startswith((".", "/"))
            found.append(Mount(name, target, mount.endswith(":ro"), is_path))
    return found


def is_ours(service: dict[str, Any]) -> bool:
    """Whether the service's image is built from this repository."""
    return service["image"].startswith("semantic-detection:")


def instructions(dockerfile: Path, name: str) -> list[str]:
    """The arguments of every instruction of a name, without comments and line breaks."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.M).replace("\\\n", " ")
    return re.findall(rf"^{name} +(.*)$", text, re.M)
