"""Build script: everything but the package list is in setup.cfg.

The command line lives in the folder ``cli/`` and is installed as ``gaitkit.cli``: a top-level
module named ``cli`` in site-packages would be a trap for other people. ``find:`` in setup.cfg
cannot add a package from another folder, so the list is made here.
"""

import sys

if "develop" in sys.argv[1:]:
    # What pip before 25 does for -e where the package `wheel` is installed. It puts this folder on
    # Python's path, which has no gaitkit.cli in it.
    sys.exit("gaitkit is not installed in this way. Give: pip install --use-pep517 -e .")

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["gaitkit", "gaitkit.*"]), "gaitkit.cli"],
    package_dir={"gaitkit.cli": "cli"},
)
