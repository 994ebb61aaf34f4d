from glob import glob

from setuptools import find_packages, setup

package_name = "semantic_detection_pkg"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages("src"),
    package_dir={"": "src"},
    package_data={
        f"{package_name}.configuration": ["config.schema.json"],
        f"{package_name}.dashboard": ["static/*", "static/js/*"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
        # The workspace's launch files, config and demo models are installed by this package.
        (f"share/{package_name}/launch", glob("../launch/*.launch.yaml")),
        (f"share/{package_name}/config", glob("../config/*.*")),
        (f"share/{package_name}/models", glob("../models/demo/*.*")),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "bringup = semantic_detection_pkg.cli.bringup:main",
            "camera = semantic_detection_pkg.nodes.camera:main",
            "dashboard = semantic_detection_pkg.nodes.dashboard:main",
            "detect = semantic_detection_pkg.cli.detect:main",
            "detector = semantic_detection_pkg.nodes.detector:main",
            "gpu_arbiter = semantic_detection_pkg.nodes.gpu_arbiter:main",
            "patrol = semantic_detection_pkg.nodes.patrol:main",
            "recorder = semantic_detection_pkg.nodes.recorder:main",
            "watch = semantic_detection_pkg.nodes.watch:main",
        ],
    },
    maintainer="semantic detection maintainers",
    maintainer_email="maintainers@semantic-detection.example.org",
    description="Camera, detector, scan controller, recorder, arbiter, health and dashboard.",
    license="Apache-2.0",
)
