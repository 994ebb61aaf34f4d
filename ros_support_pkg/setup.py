from setuptools import find_packages, setup

package_name = "ros_support_pkg"

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
    entry_points={"console_scripts": ["nodes = ros_support_pkg.sharing:main"]},
    maintainer="semantic detection maintainers",
    maintainer_email="maintainers@semantic-detection.example.org",
    description="What the nodes of all packages share.",
    license="Apache-2.0",
)
