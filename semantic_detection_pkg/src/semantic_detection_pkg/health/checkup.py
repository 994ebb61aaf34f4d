"""What must be right on a machine before the first flight, one check each.

A check takes a `Machine`, which is files under a root and a few facts, so tests give it good and
bad ones. It says what it found and, if that is not right, what to do.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from semantic_detection_pkg.common.opencv_build import has_gstreamer
from semantic_detection_pkg.health.core.reading import read_meminfo

#: L4T releases with which 8 GB fail large allocations of GPU memory (NvMap, error 12).
_BAD_L4T: dict[tuple[int, ...], str] = {(36, 4, 7): "fails large allocations of GPU memory"}
_WANTED_L4T = (36, 4, 0)
#: Where Jetson Linux 36 and its forerunner keep the driver's libraries.
_DLA_FOLDERS = ("usr/lib/aarch64-linux-gnu/nvidia", "usr/lib/aarch64-linux-gnu/tegra")
_MODEL_SUFFIXES = (".engine", ".plan", ".onnx")


class CheckStatus(Enum):
    """Outcome of a check."""

    OK = "ok"
    WARN = "warn"
    BAD = "BAD"
    NOT_HERE = "-"


@dataclass(frozen=True)
class CheckResult:
    """What a check found, and what to do about it."""

    name: str
    status: CheckStatus
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class Machine:
    """Where the machine's files are and what the robot is told to use.

    Attributes:
        root: "/" or a copy of its files.
        model: the detector's, "" for none.
        serial_device: the gimbal's, "" where it is not on a serial line.
        output_dir: folder of the recordings.
        shared_dir: folder shared with the model's container, "" without a model.
        now_s: [s] since the epoch.
        find_program: as shutil.which.
        camera_source: the camera's URI, "" for none.
        camera_mistake: what in the camera's settings can never work, "" for nothing.
        has_gstreamer: whether the OpenCV that nodes import is built with it.
        engine: what runs the detector's model.
        device: what computes where ONNX Runtime is the engine.
        find_cuda: why ONNX Runtime cannot compute on the GPU, "" if it can.
        has_gpu_in_container: the vision-language model, or the detector on a GPU, may be in one.
        look_for_gpu: what is there of what the engine tensorrt needs, and what is missing.
        terrain_file: the scan's, "" for none.
        find_terrain_mistake: why that cannot be read, "" if it can.
    """

    root: Path = Path("/")
    model: str = ""
    serial_device: str = ""
    output_dir: str = "output"
    shared_dir: str = "/run/tier3"
    now_s: float = 0.0
    find_program: Callable[[str], str | None] = field(default=shutil.which)
    camera_source: str = ""
    camera_mistake: str = ""
    has_gstreamer: Callable[[], bool] = field(default=has_gstreamer)
    engine: str = ""
    device: str = "cpu"
    find_cuda: Callable[[], str] = field(default=lambda: "")
    has_gpu_in_container: bool = True
    look_for_gpu: Callable[[], tuple[list[str], list[str]]] = field(default=lambda: ([], []))
    terrain_file: str = ""
    find_terrain_mistake: Callable[[], str] = field(default=lambda: "")

    def text(self, name: str) -> str:
        """Return a file below the root; "" if it cannot be read."""
        try:
            return (self.root / name).read_text(encoding="ascii", errors="replace")
        except OSError:
            return ""


def check_l4t(machine: Machine) -> CheckResult:
    """Check that Jetson Linux is one that works."""
    text = machine.text("etc/nv_tegra_release")
    match = re.search(r"R(\d+).*?REVISION: (\d+)\.(\d+)", text)
    if not match:
        what = "no Jetson, or a container that does not see the board's /etc/nv_tegra_release"
        return CheckResult("l4t", CheckStatus.NOT_HERE, what)
    found = tuple(int(number) for number in match.groups())
    name = "L4T " + ".".join(map(str, found))
    if why := _BAD_L4T.get(found):
        return CheckResult(
            "l4t", CheckStatus.BAD, f"{name} {why}", "install JetPack 6.2.2 (L4T 36.5.0)"
        )
    if found < _WANTED_L4T:
        return CheckResult(
            "l4t", CheckStatus.BAD, f"{name} has no TensorRT 10.3", "install JetPack 6.2.2"
        )
    return CheckResult("l4t", CheckStatus.OK, name)


def check_memory(machine: Machine) -> CheckResult:
    """Check that enough is free for detector and model."""
    found = read_meminfo(machine.text("proc/meminfo"))
    available, total = found["memory_available_mb"], found["memory_total_mb"]
    what = f"{available:.0f} of {total:.0f} MB available"
    if not available >= 2500.0:
        return CheckResult(
            "memory",
            CheckStatus.BAD,
            what,
            "stop the desktop: systemctl set-default multi-user.target",
        )
    if available < 5000.0:
        return CheckResult(
            "memory", CheckStatus.WARN, what, "5000 MB hold detector and model at once"
        )
    return CheckResult("memory", CheckStatus.OK, what)


def check_swap(machine: Machine) -> CheckResult:
    """Check that there is real swap, and that it is not compressed memory."""
    lines = machine.text("proc/swaps").splitlines()[1:]
    sizes = {
        line.split()[0]: int(line.split()[2]) / 1024 for line in lines if len(line.split()) > 2
    }
    what = f"{sum(sizes.values()):.0f} MB of swap" if sizes else "no swap"
    if any("zram" in name for name in sizes):
        return CheckResult(
            "swap",
            CheckStatus.WARN,
            f"{what}, in memory (zram)",
            "systemctl disable nvzramconfig, then a swap file on the NVMe",
        )
    if sum(sizes.values()) < 4000:
        return CheckResult("swap", CheckStatus.WARN, what, "make a swap file of 16 GB on the NVMe")
    return CheckResult("swap", CheckStatus.OK, what)


def check_runtime(machine: Machine) -> CheckResult:
    """Check that Docker can give the GPU to containers; inside one there is nothing to check."""
    if machine.find_program("docker") is None:
        return CheckResult("runtime", CheckStatus.NOT_HERE, "no docker command here")
    if not machine.has_gpu_in_container:
        return CheckResult("runtime", CheckStatus.NOT_HERE, "no container needs a GPU")
    if '"nvidia"' in machine.text("etc/docker/daemon.json") or machine.find_program("nvidia-ctk"):
        return CheckResult("runtime", CheckStatus.OK, "NVIDIA's container runtime is there")
    return CheckResult(
        "runtime",
        CheckStatus.BAD,
        "docker knows no runtime 'nvidia'",
        "apt-get install nvidia-container-toolkit; nvidia-ctk runtime configure",
    )


def check_serial(machine: Machine) -> CheckResult:
    """Check that the gimbal's line is there and may be opened."""
    if not machine.serial_device:
        return CheckResult("serial", CheckStatus.NOT_HERE, "the gimbal is not on a serial line")
    path = machine.root / machine.serial_device.lstrip("/")
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return CheckResult(
            "serial",
            CheckStatus.BAD,
            f"{machine.serial_device}: {error.strerror}",
            "look at cable and gimbal_driver.serial_device; give the container the device",
        )
    if not stat.S_ISCHR(mode):
        return CheckResult(
            "serial",
            CheckStatus.BAD,
            f"{machine.serial_device} is no character device",
            "set gimbal_driver.serial_device",
        )
    if not os.access(path, os.R_OK | os.W_OK):
        return CheckResult(
            "serial",
            CheckStatus.BAD,
            f"{machine.serial_device} may not be opened",
            "usermod -aG dialout USER, log in anew",
        )
    return CheckResult("serial", CheckStatus.OK, machine.serial_device)


def check_camera(machine: Machine) -> CheckResult:
    """Check that this machine can open the kind of camera that is configured."""
    if machine.camera_mistake:
        return CheckResult(
            "camera", CheckStatus.BAD, machine.camera_mistake, "mend it, as docs/cameras.md says"
        )
    scheme, _, rest = machine.camera_source.partition(":")
    if scheme == "csi":
        if machine.has_gstreamer():
            return CheckResult("camera", CheckStatus.OK, "csi:, and OpenCV has GStreamer")
        return CheckResult(
            "camera",
            CheckStatus.BAD,
            "csi: needs an OpenCV with GStreamer, which the wheel has not",
            "sudo apt-get install python3-opencv, then make setup again; or use the container",
        )
    if scheme == "device":
        target = rest.partition("?")[0]
        path = target if target.startswith("/") else f"/dev/video{target}"
        if (machine.root / path.lstrip("/")).exists():
            return CheckResult("camera", CheckStatus.OK, path)
        return CheckResult(
            "camera",
            CheckStatus.WARN,
            f"{path} is not there now",
            "plug the camera in; give the container the device; or set camera.source",
        )
    what = f"{scheme}:, not looked into" if scheme else "no source is configured"
    return CheckResult("camera", CheckStatus.NOT_HERE, what)


def check_models(machine: Machine) -> CheckResult:
    """Check that the detector's model is there."""
    if not machine.model:
        return CheckResult(
            "models", CheckStatus.BAD, "no model is configured", "set detector.model"
        )
    path = Path(machine.model)
    if path.is_file():
        return CheckResult("models", CheckStatus.OK, str(path))
    folder = path.parent
    others = sorted(p.name for p in folder.glob("*") if p.suffix in _MODEL_SUFFIXES)
    there = f", in its folder are {', '.join(others)}" if others else ""
    return CheckResult(
        "models",
        CheckStatus.BAD,
        f"{path} is not there{there}",
        "make it: python tools/build_engine.py MODEL.onnx (docs/models.md)",
    )


def check_engine(machine: Machine) -> CheckResult:
    """Check that what the engine needs is there."""
    found, missing = machine.look_for_gpu()
    here = ", ".join(found) or "nothing"
    if machine.engine != "tensorrt":
        what = f"{machine.engine or 'none'}; for tensorrt there is {here}"
        return CheckResult("engine", CheckStatus.NOT_HERE, what)
    if missing:
        return CheckResult(
            "engine", CheckStatus.BAD, f"tensorrt, there is {here}", "; ".join(missing)
        )
    return CheckResult("engine", CheckStatus.OK, f"tensorrt: {here}")


def check_device(machine: Machine) -> CheckResult:
    """Check that ONNX Runtime can compute on the GPU where it is told to."""
    if machine.engine == "tensorrt" or machine.device != "cuda":
        return CheckResult("device", CheckStatus.NOT_HERE, "ONNX Runtime is not told to use CUDA")
    if not (why := machine.find_cuda()):
        return CheckResult("device", CheckStatus.OK, "cuda, which ONNX Runtime has")
    reason, _, remedy = why.partition(": ")
    return CheckResult(
        "device",
        CheckStatus.WARN,
        f"detector.device is cuda, the CPU will compute: {reason}",
        f"{remedy or 'give it a GPU'}; or set detector.device: cpu",
    )


def check_dla(machine: Machine) -> CheckResult:
    """Check that the board has the library without which JetPack's TensorRT does not load.

    Not every board's Jetson Linux has it installed. NVIDIA's container runtime mounts the board's
    over an empty file of the image, and where there is none to mount the empty file stays.
    """
    if machine.engine != "tensorrt" or not machine.text("etc/nv_tegra_release"):
        return CheckResult("dla", CheckStatus.NOT_HERE, "only TensorRT on a Jetson needs it")
    library = "libnvdla_compiler.so"
    found = [path for folder in _DLA_FOLDERS if (path := machine.root / folder / library).exists()]
    if any(path.stat().st_size for path in found):
        return CheckResult("dla", CheckStatus.OK, library)
    return CheckResult(
        "dla",
        CheckStatus.BAD,
        f"{library} is {'empty' if found else 'not there'}: TensorRT cannot be loaded",
        "on the board: sudo apt-get install nvidia-l4t-dla-compiler; then start the container anew",
    )


def check_clock(machine: Machine) -> CheckResult:
    """Check that the clock is not that of a board without a battery."""
    if machine.now_s < 1_735_689_600.0:  # 2025-01-01
        return CheckResult(
            "clock",
            CheckStatus.BAD,
            "the clock is before 2025",
            "set it (timedatectl), or wait for the network's time",
        )
    return CheckResult("clock", CheckStatus.OK, "the clock is set")


def check_disk(machine: Machine) -> CheckResult:
    """Check that the recorder can write, and that there is room."""
    path = Path(machine.output_dir).absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    if not os.access(path, os.W_OK):
        return CheckResult(
            "disk",
            CheckStatus.BAD,
            f"{path} cannot be written",
            "mount the volume writable, chown it to the user of the container",
        )
    free_gb = shutil.disk_usage(path).free / 1e9
    what = f"{free_gb:.0f} GB free at {path}"
    if free_gb < 4.0:
        return CheckResult(
            "disk", CheckStatus.BAD, what, "free at least 4 GB, or set recorder.directory"
        )
    return CheckResult("disk", CheckStatus.OK, what)


def check_shared(machine: Machine) -> CheckResult:
    """Check that the folder shared with the model's container is there and writable."""
    if not machine.shared_dir:
        return CheckResult("shared", CheckStatus.NOT_HERE, "no vision-language model is used")
    path = Path(machine.shared_dir)
    if not path.is_dir():
        return CheckResult(
            "shared",
            CheckStatus.BAD,
            f"{path} is no folder: tier 3 is off",
            "mount the volume vlm-socket there, or launch with vlm:=false",
        )
    if not os.access(path, os.W_OK):
        return CheckResult(
            "shared",
            CheckStatus.BAD,
            f"{path} cannot be written: tier 3 is off",
            "chown it to the user of both containers, mode 2770",
        )
    return CheckResult("shared", CheckStatus.OK, str(path))


def check_terrain(machine: Machine) -> CheckResult:
    """Check that the terrain model is one; without it the ground is taken for level."""
    if not machine.terrain_file:
        return CheckResult("terrain", CheckStatus.NOT_HERE, "no terrain_file: the ground is level")
    mistake = machine.find_terrain_mistake()
    if not mistake:
        return CheckResult("terrain", CheckStatus.OK, machine.terrain_file)
    return CheckResult(
        "terrain",
        CheckStatus.WARN,
        f"the ground will be taken for level: {mistake}",
        "docs/probability_of_detection.md says what is read",
    )


CHECKS: tuple[Callable[[Machine], CheckResult], ...] = (
    check_l4t,
    check_memory,
    check_swap,
    check_runtime,
    check_serial,
    check_camera,
    check_models,
    check_engine,
    check_device,
    check_dla,
    check_clock,
    check_disk,
    check_shared,
    check_terrain,
)
