"""Build script: everything but the package list is in setup.cfg.

The command line lives in the folder ``cli/`` and is installed as ``gaitkit.cli``: a top-level
module named ``cli`` in site-packages would be a trap for other people. ``find:`` in setup.cfg
cannot add a package from another folder, so the list is made here.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["gaitkit", "gaitkit.*"]), "gaitkit.cli"],
    package_dir={"gaitkit.cli": "cli"},
)
