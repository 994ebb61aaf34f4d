from glob import glob
from pathlib import Path

from setuptools import Extension, find_packages, setup

package_name = "semantic_detection_pkg"
rooms = ("detector", "scan")


def kernel(source: str) -> Extension:
    """One compiled module. Not `cythonize()`: it prints, and colcon evaluates what is printed."""
    module = Path(source).relative_to("src").with_suffix("")
    return Extension(
        ".".join(module.parts),
        [source],
        depends=glob(f"{Path(source).parent}/*.h"),
        # The last three: floating point as NumPy does it, with the same bits on every processor,
        # yet free of errno and traps, which hinder vector code.
        extra_compile_args=["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"],
    )


setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages("src"),
    package_dir={"": "src"},
    package_data={
        f"{package_name}.common.configuration": ["config.schema.json"],
        f"{package_name}.dashboard": ["static/*", "static/js/*", "static/leaflet/*"],
        f"{package_name}.recorder.evidence": ["templates/*"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
        # The workspace's launch files, config and demo models are installed by this package.
        (f"share/{package_name}/launch", glob("../launch/*.launch.*")),
        (f"share/{package_name}/config", glob("../config/*.*")),
        # Without the folder of the words that the demo was asked for.
        (
            f"share/{package_name}/models",
            [p for p in glob("../models/demo/*.*") if Path(p).is_file()],
        ),
    ],
    ext_modules=[
        kernel(source)
        for room in rooms
        for source in sorted(glob(f"src/{package_name}/{room}/kernels/compiled/*.pyx"))
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"], "terrain": ["rasterio>=1.3"], "cluster": ["distributed"]},
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "bringup = semantic_detection_pkg.cli.bringup:main",
            "camera = semantic_detection_pkg.programs:camera",
            "dashboard = semantic_detection_pkg.programs:dashboard",
            "detect = semantic_detection_pkg.cli.detect:main",
            "detector = semantic_detection_pkg.programs:detector",
            "doctor = semantic_detection_pkg.cli.doctor:main",
            "gpu_arbiter = semantic_detection_pkg.programs:gpu_arbiter",
            "health_monitor = semantic_detection_pkg.programs:health_monitor",
            "recorder = semantic_detection_pkg.programs:recorder",
            "replay = semantic_detection_pkg.cli.replay:main",
            "report = semantic_detection_pkg.cli.report:main",
            "scan_controller = semantic_detection_pkg.programs:scan_controller",
            "search_archive = semantic_detection_pkg.cli.search_archive:main",
            "tak = semantic_detection_pkg.programs:tak",
            "views = semantic_detection_pkg.cli.views:main",
        ],
        # Those that can share a process; see ros_support_pkg.sharing.
        "semantic_detection.nodes": [
            "camera = semantic_detection_pkg.camera.node:main",
            "dashboard = semantic_detection_pkg.dashboard.node:main",
            "detector = semantic_detection_pkg.detector.node:main",
            "gpu_arbiter = semantic_detection_pkg.gpu.node:main",
            "health_monitor = semantic_detection_pkg.health.node:main",
            "recorder = semantic_detection_pkg.recorder.node:main",
            "scan_controller = semantic_detection_pkg.scan.node:main",
            "tak = semantic_detection_pkg.tak.node:main",
        ],
    },
    maintainer="semantic detection maintainers",
    maintainer_email="maintainers@semantic-detection.example.org",
    description="Camera, detector, scan controller, recorder, arbiter, health and dashboard.",
    license="Apache-2.0",
)
