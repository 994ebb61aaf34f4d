"""Health: the kernel's files, the shedding policy, and the check-up of a machine."""

import dataclasses
import math
import os
import pty
import shutil
from collections.abc import Iterator
from pathlib import Path

import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ros_support_pkg.shedding import RATES, TIER3
from semantic_detection_pkg.cli import bringup
from semantic_detection_pkg.cli.doctor import line_of, main
from semantic_detection_pkg.cli.launch_arguments import argument_default
from semantic_detection_pkg.cli.machine import machine_from
from semantic_detection_pkg.health import checkup
from semantic_detection_pkg.health.checkup import CHECKS, CheckStatus, Machine
from semantic_detection_pkg.health.core.policy import SHED, HealthLimits, Policy, Step
from semantic_detection_pkg.health.core.rates import RateMeter
from semantic_detection_pkg.health.core.reading import (
    MachineReading,
    read_bytes_mb,
    read_celsius,
    read_count,
    read_meminfo,
    read_stall,
)
from semantic_detection_pkg.health.machine_files import read_machine

ORIN = Path(__file__).parents[1] / "data" / "orin_nano"
WELL = MachineReading(memory_available_mb=4000.0, swap_used_mb=0.0, oom_kills=0.0)


def short(available_mb: float, **more: float) -> MachineReading:
    return dataclasses.replace(WELL, memory_available_mb=available_mb, **more)


def test_the_files_of_an_orin_nano() -> None:
    reading = read_machine("/", ORIN)
    assert reading.memory_available_mb == pytest.approx(5500, abs=1)
    assert reading.memory_total_mb == pytest.approx(7619, abs=1)
    assert reading.gpu_memory_mb == 1126.0
    assert (reading.swap_used_mb, reading.oom_kills) == (0.0, 0.0)
    assert reading.stalled_percent == 1.53
    assert reading.container_memory_mb == 2048.0
    assert reading.gpu_load == pytest.approx(0.437)
    assert set(reading.temperatures_c) == {"cpu-thermal", "gpu-thermal", "tj-thermal"}
    assert reading.hottest_c == pytest.approx(53.2, abs=0.1)
    assert reading.heat_margin_c == pytest.approx(45.8, abs=0.1), "fans' trip points do not count"
    assert reading.disk_free_mb > 0.0


def test_a_machine_that_tells_nothing_sheds_nothing(tmp_path: Path) -> None:
    reading = read_machine(str(tmp_path / "later" / "still"), tmp_path)
    assert math.isnan(reading.memory_available_mb)
    assert reading.disk_free_mb > 0.0, "of the folder above, until the recorder makes its own"
    assessed = Policy().assess(0.0, dataclasses.replace(reading, disk_free_mb=math.nan))
    assert (assessed.step, assessed.reasons) == (Step.NOTHING, ())


@given(st.text(max_size=200))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    read_meminfo(text)
    read_count(text, "oom_kill")
    for read in (read_stall, read_bytes_mb, read_celsius):
        assert isinstance(read(text), float)


@pytest.mark.parametrize(
    ("reading", "step"),
    [
        (WELL, Step.NOTHING),
        (short(899.0), Step.TIER3),
        (short(599.0), Step.RATES),
        (short(349.0), Step.MODEL),
        (short(4000.0, temperatures_c={"tj": 86.0}, trips_c={"tj": 99.0}), Step.TIER3),
        (short(4000.0, temperatures_c={"tj": 93.0}, trips_c={"tj": 99.0}), Step.RATES),
        (short(4000.0, temperatures_c={"tj": 120.0}), Step.NOTHING),
        (short(4000.0, stalled_percent=20.0), Step.TIER3),
        (short(4000.0, stalled_percent=50.0), Step.RATES),
        (short(4000.0, container_memory_mb=5000.0), Step.NOTHING),
        (short(4000.0, disk_free_mb=10.0), Step.NOTHING),
    ],
)
def test_what_each_reading_sheds(reading: MachineReading, step: Step) -> None:
    policy = Policy()
    for second in range(HealthLimits().worse_after):
        assessed = policy.assess(float(second), reading)
    assert assessed.step is step
    assert assessed.reasons or step is Step.NOTHING


def test_the_words_are_those_that_nodes_listen_for() -> None:
    assert [SHED[Step.TIER3], SHED[Step.RATES]] == [TIER3, RATES]


def test_one_bad_reading_is_no_reason() -> None:
    policy = Policy()
    for second in range(30):
        assert policy.assess(second, short(300.0) if second % 3 == 0 else WELL).step is Step.NOTHING


def test_it_comes_back_step_by_step_and_not_at_the_limit() -> None:
    policy, limits = Policy(), HealthLimits()
    for second in range(3):
        policy.assess(second, short(300.0))
    at_limit = short(limits.available_mb[2] * 1.05)
    assert all(policy.assess(3.0 + s, at_limit).step is Step.MODEL for s in range(100)), "no swing"
    steps = [policy.assess(103.0 + s, WELL).step for s in range(70)]
    assert sorted(steps, reverse=True) == steps
    changes = [second for second in range(1, 70) if steps[second] != steps[second - 1]]
    assert changes == [20, 40, 60]
    assert steps[-1] is Step.NOTHING


def test_growing_swap_and_a_killed_process_are_the_worst() -> None:
    policy = Policy()
    grown = [policy.assess(s, short(4000.0, swap_used_mb=100.0 * s)).step for s in range(10)]
    assert (grown[0], grown[-1]) == (Step.NOTHING, Step.MODEL)
    policy = Policy()
    policy.assess(0.0, WELL)
    assessed = policy.assess(1.0, short(4000.0, oom_kills=1.0))
    assert assessed.step is Step.MODEL, "at once"
    assert assessed.reasons == ("the kernel ended a process for want of memory",)


@given(st.lists(st.floats(0.0, 5000.0), max_size=60))
def test_never_shed_without_a_reason_first(available_mb: list[float]) -> None:
    policy, worst = Policy(), Step.NOTHING
    for second, value in enumerate(available_mb):
        before = worst
        assessed = policy.assess(float(second), short(value))
        if assessed.step > before:
            assert assessed.reasons
        worst = assessed.step


def test_rates() -> None:
    meter = RateMeter(0.0)
    assert (meter.rate_hz(1.0), meter.age_s(1.0)) == (0.0, math.inf)
    for tenth in range(50):
        meter.count(tenth / 10)
    assert meter.rate_hz(5.0) == pytest.approx(10.0, rel=0.05)
    assert meter.age_s(5.0) == pytest.approx(0.1)
    assert meter.rate_hz(20.0) == 0.0


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One that passes every check."""
    root = tmp_path / "root"
    shutil.copytree(ORIN, root)
    for folder in ("output", "shared"):
        (tmp_path / folder).mkdir()
    model = tmp_path / "yoloe.engine"
    model.touch()
    return Machine(
        root,
        str(model),
        "",
        str(tmp_path / "output"),
        str(tmp_path / "shared"),
        1.8e9,
        lambda _: "/usr/bin/x",
    )


@pytest.fixture
def terminal() -> Iterator[str]:
    """A character device that may be opened."""
    ours, theirs = pty.openpty()
    yield os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def test_a_good_machine_passes(machine: Machine, terminal: str) -> None:
    found = [check(machine) for check in CHECKS]
    bad = [
        line_of(finding)
        for finding in found
        if finding.status in (CheckStatus.BAD, CheckStatus.WARN)
    ]
    assert bad == []
    on_wire = dataclasses.replace(machine, root=Path("/"), serial_device=terminal)
    assert checkup.check_serial(on_wire).status is CheckStatus.OK


_DLA = "usr/lib/aarch64-linux-gnu/nvidia/libnvdla_compiler.so"
_SWAPS = "Filename Type Size Used Priority\n"


@pytest.mark.parametrize(
    ("name", "files", "facts", "status", "words"),
    [
        (
            "l4t",
            {"etc/nv_tegra_release": "# R36 (release), REVISION: 4.7, GCID"},
            {},
            "BAD",
            "36.5",
        ),
        ("l4t", {"etc/nv_tegra_release": "# R35 (release), REVISION: 6.0"}, {}, "BAD", "JetPack"),
        ("l4t", {"etc/nv_tegra_release": ""}, {}, "-", "no Jetson"),
        ("memory", {"proc/meminfo": "MemAvailable: 1000000 kB\n"}, {}, "BAD", "desktop"),
        ("memory", {"proc/meminfo": "MemAvailable: 4000000 kB\n"}, {}, "warn", "5000 MB"),
        ("memory", {"proc/meminfo": ""}, {}, "BAD", "nan of nan MB"),
        ("swap", {"proc/swaps": _SWAPS}, {}, "warn", "no swap"),
        ("swap", {"proc/swaps": f"{_SWAPS}/dev/zram0 partition 9000000 0 5\n"}, {}, "warn", "zram"),
        ("runtime", {}, {"find_program": lambda _: None}, "-", "no docker"),
        (
            "runtime",
            {},
            {"find_program": lambda name: name if name == "docker" else None},
            "BAD",
            "nvidia-container-toolkit",
        ),
        (
            "runtime",
            {},
            {
                "find_program": lambda name: name if name == "docker" else None,
                "has_gpu_in_container": False,
            },
            "-",
            "no container needs a GPU",
        ),
        ("device", {}, {"engine": "onnxruntime"}, "-", "is not told to use CUDA"),
        ("device", {}, {"engine": "tensorrt", "device": "cuda"}, "-", "is not told to use CUDA"),
        ("device", {}, {"engine": "onnxruntime", "device": "cuda"}, "ok", "which ONNX Runtime has"),
        (
            "device",
            {},
            {
                "engine": "onnxruntime",
                "device": "cuda",
                "find_cuda": lambda: "this ONNX Runtime, 1.2, has no CUDA: install onnxruntime-gpu",
            },
            "warn",
            "is cuda, the CPU will compute: this ONNX Runtime, 1.2, has no CUDA -> install onnx",
        ),
        ("serial", {}, {"serial_device": "/dev/ttyTHS1"}, "BAD", "No such file"),
        ("serial", {}, {"serial_device": "/proc/meminfo"}, "BAD", "no character device"),
        (
            "camera",
            {},
            {"camera_source": "csi:0", "has_gstreamer": bool},
            "BAD",
            "apt-get",
        ),
        (
            "camera",
            {},
            {"camera_source": "csi:0?a=1", "has_gstreamer": lambda: True},
            "ok",
            "csi:",
        ),
        ("camera", {}, {"camera_source": "device:3?fps=9"}, "warn", "/dev/video3 is not there"),
        ("camera", {}, {"camera_source": "device:/dev/cam"}, "warn", "/dev/cam is not there"),
        ("camera", {"video7": ""}, {"camera_source": "device:/video7"}, "ok", "/video7"),
        ("camera", {}, {"camera_source": "rtsp://u:secret@h/s"}, "-", "rtsp:, not looked into"),
        ("camera", {}, {}, "-", "no source is configured"),
        ("camera", {}, {"camera_mistake": "no scheme"}, "BAD", "no scheme -> mend it"),
        ("models", {}, {"model": ""}, "BAD", "set detector.model"),
        ("models", {}, {"model": "{folder}/other.engine"}, "BAD", "in its folder are yoloe.engine"),
        (
            "engine",
            {},
            {"engine": "tensorrt", "look_for_gpu": lambda: (["Orin"], ["no tensorrt; apt"])},
            "BAD",
            "tensorrt, there is Orin -> no tensorrt; apt",
        ),
        (
            "engine",
            {},
            {"engine": "tensorrt", "look_for_gpu": lambda: (["Orin", "TensorRT 10.3.0"], [])},
            "ok",
            "tensorrt: Orin, TensorRT 10.3.0",
        ),
        (
            "engine",
            {},
            {"engine": "onnxruntime", "look_for_gpu": lambda: ([], ["no GPU"])},
            "-",
            "onnxruntime; for tensorrt there is nothing",
        ),
        ("dla", {}, {"engine": "onnxruntime"}, "-", "only TensorRT on a Jetson"),
        (
            "dla",
            {"etc/nv_tegra_release": ""},
            {"engine": "tensorrt"},
            "-",
            "only TensorRT on a Jetson",
        ),
        ("dla", {}, {"engine": "tensorrt"}, "BAD", "not there: TensorRT cannot be loaded -> on"),
        ("dla", {_DLA: ""}, {"engine": "tensorrt"}, "BAD", "empty: TensorRT cannot be loaded"),
        ("dla", {_DLA: "ELF"}, {"engine": "tensorrt"}, "ok", "libnvdla_compiler.so"),
        ("clock", {}, {"now_s": 1e6}, "BAD", "timedatectl"),
        ("disk", {}, {"output_dir": "/proc/1"}, "BAD", ""),
        ("shared", {}, {"shared_dir": "/nowhere"}, "BAD", "vlm-socket"),
        ("terrain", {}, {}, "-", "no terrain_file: the ground is level"),
        ("terrain", {}, {"terrain_file": "dem.tif"}, "ok", "dem.tif"),
        (
            "terrain",
            {},
            {"terrain_file": "a.tif", "find_terrain_mistake": lambda: "a.tif: no georeference"},
            "warn",
            "taken for level: a.tif: no georeference -> docs/probability",
        ),
    ],
)
def test_what_is_wrong_is_said_with_a_remedy(
    machine: Machine,
    name: str,
    files: dict[str, str],
    facts: dict[str, object],
    status: str,
    words: str,
) -> None:
    for path, text in files.items():
        (machine.root / path).parent.mkdir(parents=True, exist_ok=True)
        (machine.root / path).write_text(text)
    if "model" in facts:
        facts = {"model": str(facts["model"]).format(folder=Path(machine.model).parent)}
    found = getattr(checkup, f"check_{name}")(dataclasses.replace(machine, **facts))
    assert (found.name, found.status.value) == (name, status)
    assert words in line_of(found)
    assert found.remedy or status != "BAD"


def test_doctor_reads_the_config(
    machine: Machine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("detector: {model: /nowhere/x.engine}\n")
    assert main(["--config", str(config)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CHECKS)
    assert any("camera" in line and "/dev/video0" in line for line in lines)
    assert any("engine   onnxruntime; for tensorrt there is" in line for line in lines)
    assert any("/nowhere/x.engine is not there -> make it: python tools" in line for line in lines)
    monkeypatch.setenv("GIMBAL_DEVICE", "/dev/gimbal")
    assert main(["--config", str(config)]) == 1
    assert "serial   /dev/gimbal: No such file" in capsys.readouterr().out
    config.write_text("detektor: 1\n")
    assert main(["--config", str(config)]) == 2
    assert "detektor is unknown" in capsys.readouterr().err


def test_doctor_takes_the_laptop_for_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What dev.launch.yaml brings along is not missing: model, folder, a stand-in of the model."""
    for name in ("TIER3_DIR", "INFERENCE_ENGINE", "GIMBAL_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    config = str(Path(__file__).parents[3] / "config" / "config.dev.yaml")

    main(["--config", config])

    lines = {line[6:].split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "demo_detector.onnx" in lines["models"]
    assert lines["shared"].split() == ["ok", "shared", str(tmp_path)]
    assert lines["runtime"].startswith("   -")
    assert not lines["serial"].startswith(" BAD")
    main(["--config", config, "--launch-file", "robot.launch.yaml"])
    assert " BAD  models   no model is configured" in capsys.readouterr().out


@pytest.mark.parametrize("launch_file", ["robot.launch.yaml", "dev.launch.yaml"])
def test_bringup_says_before_it_starts_that_there_is_no_cuda(
    launch_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    config = tmp_path / "config.yaml"
    config.write_text("detector: {device: cuda}\n")
    assert bringup.main(["--config", str(config), "--launch-file", launch_file, "--check"]) == 0
    said = capsys.readouterr().err
    assert "warn  device   detector.device is cuda, the CPU will compute: this ONNX" in said
    config.write_text("detector: {device: cpu}\n")
    assert bringup.main(["--config", str(config), "--launch-file", launch_file, "--check"]) == 0
    assert "device  " not in capsys.readouterr().err


def test_defaults_of_a_launch_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_ENGINE", "x")
    assert argument_default("robot.launch.yaml", "engine") == "x"
    monkeypatch.delenv("INFERENCE_ENGINE")
    assert argument_default("robot.launch.yaml", "engine") == ""
    assert argument_default("dev.launch.yaml", "mock_address") == "127.0.0.1:9090"
    assert argument_default("dev.launch.yaml", "no_such_argument") == ""
    assert Path(argument_default("dev.launch.yaml", "model")).is_file()


@pytest.mark.parametrize(
    ("launch_file", "config", "is_needed"),
    [
        ("dev.launch.yaml", {}, False),
        ("dev.launch.yaml", {"detector": {"device": "cuda"}}, False),
        ("robot.launch.yaml", {}, True),
        ("robot.launch.yaml", {"launch": {"vlm": False}}, False),
        ("robot.launch.yaml", {"launch": {"vlm": False}, "detector": {"engine": "tensorrt"}}, True),
        ("robot.launch.yaml", {"launch": {"vlm": False}, "detector": {"device": "cuda"}}, True),
    ],
)
def test_who_needs_a_container_with_a_gpu(
    launch_file: str,
    config: dict[str, dict[str, object]],
    is_needed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("INFERENCE_ENGINE", raising=False)
    assert machine_from(config, launch_file).has_gpu_in_container == is_needed
