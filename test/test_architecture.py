"""The rooms: layers inside each, a table of who may use whom, no circle anywhere.

A room is a folder of `semantic_detection_pkg` or one of the other packages. Inside a room arrows go
down: `node` (and programs), `ros`, adapters, `core` with its kernels. What core may know is listed.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAIN = "semantic_detection_pkg"
PACKAGES = (
    "ros_support_pkg",
    MAIN,
    "gimbal_driver_pkg",
    "vlm_bridge_pkg",
    "simulation_pkg",
)

#: Room -> rooms that it may use. All may use `errors` and what the packages share.
MAY_USE = {
    "ros_support_pkg": set(),
    "common": set(),
    "gpu": set(),
    "health": {"common"},
    "camera": {"common"},
    "detector": {"common", "camera", "gpu"},
    "scan": {"common"},
    "recorder": {"common", "scan", "detector"},
    "dashboard": {"common", "camera", "scan", "recorder"},  # the page remembers what was recorded
    "tak": {"common", "scan"},  # what the scan knows, onto other people's maps
    "archive": {"common", "camera", "detector", "scan", "recorder"},  # a mission's parts, again
    "cli": {
        "common",
        "camera",
        "detector",
        "scan",
        "gpu",
        "recorder",
        "health",
        "dashboard",
        "archive",
    },
    "gimbal_driver_pkg": set(),
    "vlm_bridge_pkg": {"common", "gpu"},
    "simulation_pkg": {
        "common",
        "camera",
        "detector",
        "scan",
        "gpu",
        "recorder",
        "vlm_bridge_pkg",
        "gimbal_driver_pkg",
    },
}
#: Modules at the top of `semantic_detection_pkg` that are no rooms.
OF_ALL = {"errors", "programs"}
#: Run in the model's container: standard library, Python 3.10, nothing else.
STANDARD_LIBRARY_ONLY = {
    f"{MAIN}.errors",
    f"{MAIN}.gpu",
    f"{MAIN}.gpu.errors",
    f"{MAIN}.gpu.lock",
    f"{MAIN}.gpu.lock_witness",
    f"{MAIN}.gpu.epoch_file",
    f"{MAIN}.gpu.owners",
}

ROS = {
    "rclpy",
    "rcl_interfaces",
    "ament_index_python",
    "builtin_interfaces",
    "interfaces_pkg",
    "ros_support_pkg",
    "diagnostic_msgs",
    "geometry_msgs",
    "lifecycle_msgs",
    "nav_msgs",
    "rosgraph_msgs",
    "sensor_msgs",
    "std_msgs",
    "std_srvs",
    "visualization_msgs",
    "cv_bridge",
    "tf2_ros",
    "vision_msgs",
}
#: Of the shared package, what knows no ROS.
PURE_OF_ROS_SUPPORT = "ros_support_pkg.core"
#: Clocks, threads, files, processes, sockets: core takes them as arguments or not at all.
IMPURE = {
    "asyncio",
    "concurrent",
    "datetime",
    "glob",
    "io",
    "multiprocessing",
    "os",
    "pathlib",
    "queue",
    "random",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
}
#: Pure computing that core may use; crcmod, pymavlink, pymap3d and utm only compute, too.
LIBRARIES_OF_CORE = {
    "numpy",
    "scipy",
    "skimage",
    "py_trees",
    "crcmod",
    "pymavlink",
    "pymap3d",
    "utm",
}
#: Layers from the top down; a module may import its own layer and those below.
NODE, ROS_LAYER, ADAPTER, CORE = 3, 2, 1, 0
RANK = {"node": NODE, "demo_judge": NODE, "programs": NODE, "cli": ROS_LAYER, "ros": ROS_LAYER}
RANK |= {"vehicle_node": NODE}  # the second of its package
RANK |= {"core": CORE, "kernels": CORE, "protocol": CORE, "errors": CORE, "models": CORE}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package / "src" / package).rglob("*.py"))


def name_of(path: Path, package: str) -> str:
    parts = path.relative_to(ROOT / package / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


ALL = {name_of(path, package): path for package in PACKAGES for path in modules(package)}


def imported(path: Path) -> set[str]:
    """Names of modules, and of what is taken out of them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def room_of(module: str) -> str:
    """`semantic_detection_pkg.scan.core.area` is of room `scan`, other packages are one room."""
    package, *rest = module.split(".")
    return rest[0] if package == MAIN and rest else package


def rank_of(module: str) -> int:
    package, *rest = module.split(".")
    inside = rest[1:] if package == MAIN and rest and rest[0] not in RANK else rest
    return RANK.get(inside[0], ADAPTER) if inside else ADAPTER


def ours(imports: set[str]) -> Iterator[str]:
    """Of imported names, the modules of this workspace."""
    yield from (name for name in imports if name in ALL)


def arrows(names: dict[str, Path] = ALL) -> set[tuple[str, str]]:
    """(module, imported module) for all modules of the workspace."""
    return {
        (module, target)
        for module, path in names.items()
        for target in ours(imported(path))
        if target != module and not module.startswith(f"{target}.")
    }


def upward(pairs: set[tuple[str, str]]) -> list[str]:
    return sorted(
        f"{module} imports {target}"
        for module, target in pairs
        if room_of(module) == room_of(target) and rank_of(target) > rank_of(module)
    )


def trespasses(pairs: set[tuple[str, str]]) -> list[str]:
    found = []
    for module, target in pairs:
        room, other = room_of(module), room_of(target)
        is_shared = other in OF_ALL or other in (MAIN, "ros_support_pkg") or room in OF_ALL
        if room != other and not is_shared and other not in MAY_USE[room]:
            found.append(f"{module} imports {target}")
    return sorted(found)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected parts of more than one (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(one: str) -> None:
        index[one] = low[one] = len(index)
        stack.append(one)
        for other in graph.get(one, ()):
            if other not in index:
                visit(other)
                low[one] = min(low[one], low[other])
            elif other in stack:
                low[one] = min(low[one], index[other])
        if low[one] == index[one]:
            part = []
            while not part or part[-1] != one:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for one in graph:
        if one not in index:
            visit(one)
    return found


def graph_of(pairs: set[tuple[str, str]]) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for module, target in pairs:
        graph.setdefault(module, set()).add(target)
    return graph


def test_arrows_go_down_inside_a_room() -> None:
    assert upward(arrows()) == []


def test_rooms_use_only_whom_they_may() -> None:
    assert trespasses(arrows()) == []


def test_every_room_is_in_the_table() -> None:
    folder = ROOT / MAIN / "src" / MAIN
    rooms = {path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert rooms | set(PACKAGES) - {MAIN} == set(MAY_USE)


def test_the_table_has_no_circle() -> None:
    assert circles(MAY_USE) == []


def test_modules_import_each_other_in_no_circle() -> None:
    assert circles(graph_of(arrows())) == []


def test_only_ros_and_nodes_know_ros() -> None:
    offenders = [
        f"{module} imports {sorted(names)}"
        for module, path in ALL.items()
        if rank_of(module) < ROS_LAYER
        and not module.startswith("ros_support_pkg")
        and (names := ros_names(path))
    ]
    assert offenders == []


def ros_names(path: Path) -> set[str]:
    return {
        name
        for name in imported(path)
        if name.split(".")[0] in ROS
        and not name.startswith(PURE_OF_ROS_SUPPORT)
        and name != "ros_support_pkg"
    }


def test_core_is_pure() -> None:
    allowed = set(sys.stdlib_module_names) - IMPURE | LIBRARIES_OF_CORE | {*PACKAGES}
    libraries = {"cv2"}  # of kernels, which compute
    offenders = [
        f"{module} imports {sorted(unknown)}"
        for module, path in ALL.items()
        if rank_of(module) == CORE
        and (unknown := roots(path) - allowed - (libraries if "kernels" in module else set()))
    ]
    assert offenders == []


def test_the_model_s_container_needs_the_standard_library_only() -> None:
    for module in STANDARD_LIBRARY_ONLY:
        for name in imported(ALL[module]):
            root = name.split(".")[0]
            is_ours = root == MAIN and all(
                part in STANDARD_LIBRARY_ONLY or part not in ALL for part in (name,)
            )
            assert is_ours or root in sys.stdlib_module_names, f"{module} imports {name}"


def test_no_product_room_knows_the_simulation() -> None:
    """By table; here also by text in any import at run time."""
    for module, path in ALL.items():
        if not module.startswith("simulation_pkg"):
            assert "simulation_pkg" not in roots(path), module


@pytest.mark.parametrize("folder", ["bench", "tools", *PACKAGES])
def test_nothing_but_tests_imports_tests(folder: str) -> None:
    support = {path.stem for path in (ROOT / "test" / "support").glob("*.py")}
    support |= {path.stem for path in ROOT.glob("**/test_*.py") if ".venv" not in path.parts}
    files = (ROOT / folder / "src").rglob("*.py") if folder in PACKAGES else None
    for path in files or (ROOT / folder).rglob("*.py"):
        assert not roots(path) & support, path


def test_training_and_agpl_libraries_are_never_imported() -> None:
    assert [path for path in ALL.values() if roots(path) & {"ultralytics", "torch"}] == []


def test_nodes_are_thin() -> None:
    for module, path in ALL.items():
        if module.endswith((".node", "_node", ".demo_judge")):
            assert len(path.read_text().splitlines()) <= 220, f"{module} does more than convert"


def test_the_checks_can_fail(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import time\nfrom rclpy.node import Node\nimport ros_support_pkg.qos\n")
    assert ros_names(bad) == {"rclpy.node", "rclpy.node.Node", "ros_support_pkg.qos"}
    assert roots(bad) & IMPURE == {"time"}
    scan, page = f"{MAIN}.scan.core.area", f"{MAIN}.dashboard.core.labels"
    assert upward({(scan, f"{MAIN}.scan.node"), (f"{MAIN}.scan.node", scan)}) == [
        f"{scan} imports {MAIN}.scan.node"
    ]
    assert trespasses({(scan, page), (page, scan)}) == [f"{scan} imports {page}"]
    assert trespasses({(scan, "simulation_pkg.camera")}) != []
    assert circles(graph_of({("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")})) == [["a", "b", "c"]]


def test_timers_are_steady() -> None:
    """`create_timer` stops with the system's clock; `ros_support_pkg.timers` does not."""
    offenders = [
        module
        for module, path in ALL.items()
        if module != "ros_support_pkg.timers" and "create_timer(" in path.read_text()
    ]
    assert offenders == []


#: Where Python would lose what a thread fails of, or find it late: the process would go on deaf.
HIDES_FAILURES = ("ThreadPoolExecutor", "start_new_thread")


def calls_of(name: str, text: str) -> Iterator[ast.Call]:
    """Calls of `name` or of something's `name`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and name in (
            getattr(node.func, "attr", ""),
            getattr(node.func, "id", ""),
        ):
            yield node


def test_the_failure_of_a_thread_is_seen_by_the_one_hook() -> None:
    """`ros_support_pkg.threads` ends the process; nobody else hooks in or hides a failure."""
    offenders = [
        f"{module}: {word}"
        for module, path in ALL.items()
        for word in ("excepthook", *HIDES_FAILURES)
        if word in path.read_text() and module != "ros_support_pkg.threads"
    ]
    assert offenders == []


def test_threads_have_names_by_which_their_failure_is_told() -> None:
    offenders = [
        f"{module}:{call.lineno}"
        for module, path in ALL.items()
        for call in calls_of("Thread", path.read_text())
        if "name" not in {keyword.arg for keyword in call.keywords}
    ]
    assert offenders == []


def test_all_nodes_are_run_by_the_one_way() -> None:
    """Where the threads are watched and the arguments checked."""
    nodes = [module for module in ALL if module.endswith((".node", "_node", ".demo_judge"))]
    assert len(nodes) > 8
    ways = ("run_node(", "NodeProgram(")
    texts = {module: ALL[module].read_text() for module in nodes}
    assert [module for module, text in texts.items() if not any(w in text for w in ways)] == []


def test_all_that_comes_from_other_nodes_passes_the_edge() -> None:
    """`ros_support_pkg.edge` checks messages and requests of all types."""
    offenders = [
        f"{module}:{call.lineno}"
        for module, path in ALL.items()
        for name in ("create_subscription", "create_service")
        for call in calls_of(name, path.read_text())
        if module != "ros_support_pkg.edge"
    ]
    assert offenders == []


def test_goals_of_actions_pass_the_edge() -> None:
    """`serve_goals` makes the server; what else is called so is one that does more."""
    offenders = [
        f"{module}:{call.lineno}"
        for module, path in ALL.items()
        for name in ("ActionServer", "GoalServer")
        for call in calls_of(name, path.read_text())
    ]
    assert offenders == []


def test_topics_are_advertised_without_listeners_that_cost_each_wake_up() -> None:
    """`ros_support_pkg.edge` does; who plays a bag is no node that an executor turns."""
    offenders = [
        f"{module}:{call.lineno}"
        for module, path in ALL.items()
        for name in ("create_publisher", "create_lifecycle_publisher")
        for call in calls_of(name, path.read_text())
        if module
        not in ("ros_support_pkg.edge", "semantic_detection_pkg.recorder.ros.bag_publisher")
    ]
    assert offenders == []
