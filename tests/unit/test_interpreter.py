"""Which Python the build uses: the one of PL/Python, or none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.cluster import ROOT

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
SCRIPT = ROOT / "plpython/interpreter.sh"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A directory of commands: only those that the script needs, and what a test adds."""
    for command in ("sed", "head", "sh"):
        (tmp_path / command).symlink_to(
            f"/bin/{command}" if Path(f"/bin/{command}").exists() else f"/usr/bin/{command}"
        )
    return tmp_path


def command(file: Path, output: str) -> Path:
    file.write_text(f"#!/bin/sh\necho '{output}'\n")
    file.chmod(0o755)
    return file


def linked_with(path: Path, version: str) -> None:
    command(path / "ldd", f"    libpython{version}.so.1.0 => /usr/lib/libpython{version}.so.1.0 (0x00007f862f200000)")


def interpreter(path: Path, preferred: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, "/usr/lib/postgresql", preferred], env={"PATH": str(path)}, capture_output=True, text=True
    )


def test_the_preferred_one_is_that_of_plpython(path: Path) -> None:
    linked_with(path, HERE)
    assert interpreter(path, sys.executable).stdout == f"{sys.executable}\n"


def test_another_one_is_that_of_plpython(path: Path) -> None:
    linked_with(path, "3.99")
    command(path / "python3.99", "3.99")
    assert interpreter(path, sys.executable).stdout == "python3.99\n"


def test_the_one_of_plpython_is_not_there(path: Path) -> None:
    linked_with(path, "3.99")
    done = interpreter(path, sys.executable)
    assert done.returncode != 0
    assert done.stderr == (
        "PL/Python of this server runs Python 3.99, and there is no python3.99 here:"
        " install it, or say where it is with PYTHON=\n"
    )


@pytest.mark.parametrize("version", ["3.6", "3.8"])
def test_the_one_of_plpython_is_too_old(path: Path, version: str) -> None:
    linked_with(path, version)
    done = interpreter(path, command(path / "python3", version))
    assert done.returncode != 0
    assert done.stderr == (
        f"elephant_worker needs Python 3.9 or later; PL/Python of this server runs Python {version}\n"
    )


def test_it_cannot_be_told(path: Path) -> None:
    assert interpreter(path, sys.executable).stdout == f"{sys.executable}\n"
