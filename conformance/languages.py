"""How the programs of each language are built, and how they are started."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Nothing generated lies in the source tree.
BUILT = HERE.parent / "target/conformance"


@dataclass
class Language:
    """The command of each client's program; what builds them; what they need in their environment."""

    clients: dict
    build: Callable = lambda: None
    environment: dict = field(default_factory=dict)


def required():
    """The languages of `toolchains.txt`, each with the commands that it needs."""
    lines = [line for line in (HERE / "toolchains.txt").read_text().splitlines() if line and line[0] != "#"]
    return {name: commands.split() for name, commands in (line.split(":") for line in lines)}


def build_go():
    # The programs need no stamp of the version control, which may refuse to be asked.
    run("go", "build", "-buildvcs=false", "-o", f"{BUILT}/go/", "./new", "./old", folder=HERE / "go")


def build_java():
    run("mvn", "--quiet", "--batch-mode", "-Dstyle.color=never", "process-classes", folder=HERE / "java")


def build_javascript():
    folder = BUILT / "javascript"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "javascript" / name, folder)
    options = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]
    run("npm", "ci", *options, folder=folder)


def run(*command, folder):
    print("$", *command, file=sys.stderr, flush=True)
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


PYTHON = [sys.executable, "-B"]
JAVA = ["java", "-cp", os.pathsep.join([f"{BUILT}/java/classes", f"{BUILT}/java/lib/*"])]
LANGUAGES = {
    "python": Language({
        "python-new": [*PYTHON, HERE / "python/new.py"],
        "python-old": [*PYTHON, HERE / "python/old.py"],
    }),
    "go": Language({"go-new": [BUILT / "go/new"], "go-old": [BUILT / "go/old"]}, build_go),
    "java": Language({"java-new": [*JAVA, "NewClient"], "java-old": [*JAVA, "OldClient"]}, build_java),
    "javascript": Language(
        {
            "javascript-new": ["node", HERE / "javascript/new.js"],
            "javascript-old": ["node", HERE / "javascript/old.js"],
        },
        build_javascript,
        {"NODE_PATH": str(BUILT / "javascript/node_modules")},
    ),
}  # fmt: skip
