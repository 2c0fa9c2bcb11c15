"""The package can be installed, and the unit for systemd starts what is installed."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from harness.cluster import ROOT

CONSOLE = ROOT / "console"


def test_it_has_the_version_of_the_extension() -> None:
    (version,) = re.findall(r"^version = \"(.+)\"$", (CONSOLE / "pyproject.toml").read_text(), re.MULTILINE)
    assert f"default_version = '{version}'" in (ROOT / "elephant_worker.control").read_text()


def test_what_it_imports_is_a_dependency_and_nothing_of_the_extension() -> None:
    stated = set(re.findall(r"^    \"([a-z]+)", (CONSOLE / "pyproject.toml").read_text(), re.MULTILINE))
    imported = {
        name
        for file in (CONSOLE / "src").rglob("*.py")
        for name in re.findall(r"^ *(?:import|from) (\w+)", file.read_text(), re.MULTILINE)
        if name not in sys.stdlib_module_names
    }
    assert imported == stated


def test_installing_it(tmp_path: Path) -> None:
    """As pip does, with the dependencies that the tests have already."""
    source = tmp_path / "console"
    subprocess.run(["cp", "-R", str(CONSOLE), str(source)], check=True)
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--no-compile"]
    done = subprocess.run(
        [sys.executable, *install, f"--target={tmp_path / 'there'}", str(source)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    program = subprocess.run(
        [sys.executable, str(tmp_path / "there/bin/elephant-console"), "--version"],
        env={"PYTHONPATH": str(tmp_path / "there"), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
    )
    assert re.search(r"^elephant-console, version \d", program.stdout), program.stderr


def test_the_unit(tmp_path: Path) -> None:
    """Its command is one that the program understands."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read(CONSOLE / "elephant-console.service")
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert program == "/opt/elephant-console/bin/elephant-console"
    name, _, file = unit["Service"]["LoadCredential"].partition(":")
    assert file == "/etc/elephant_worker/console.toml"
    assert f"${{CREDENTIALS_DIRECTORY}}/{name}" in arguments
    if analyze := shutil.which("systemd-analyze"):  # which asks whether the program is there
        copy = tmp_path / "elephant-console.service"
        copy.write_text((CONSOLE / "elephant-console.service").read_text().replace(program, "/bin/true"))
        verified = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True)
        assert (verified.returncode, verified.stderr) == (0, "")
    done = subprocess.run(
        [sys.executable, "-m", "elephant_console", *arguments, "--help"],
        env={"PYTHONPATH": str(CONSOLE / "src"), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "until a signal ends it" in done.stdout
