from setuptools import find_packages, setup

package_name = "vlm_bridge_pkg"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages("src"),
    package_dir={"": "src"},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "vlm_bridge = vlm_bridge_pkg.programs:vlm_bridge",
            "vlm_service = vlm_bridge_pkg.service.__main__:main",
            "vlm_stub = vlm_bridge_pkg.programs:vlm_stub",
        ],
        "semantic_detection.nodes": ["vlm_bridge = vlm_bridge_pkg.node:main"],
        # How the archive, which this package stands on, finds a way to ask.
        "semantic_detection.picture_askers": ["bridge = vlm_bridge_pkg.asking"],
    },
    maintainer="semantic detection maintainers",
    maintainer_email="maintainers@semantic-detection.example.org",
    description="Bridge to a vision-language model on the same GPU.",
    license="Apache-2.0",
)
