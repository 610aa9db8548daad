"""What gets installed: a wheel and an editable install both hold every module, every library file and every schema."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
FOLDERS = ("api", "capnp", "lang", "repl", "stdlib", "vm")
SHIPPED = {".py", ".hold", ".lark", ".capnp"}
SCHEMAS = "from pathlib import Path; import holdfast.vm as vm; print(Path(vm.__file__).parent.parent / 'capnp')"


def pip(*arguments: str | Path) -> None:
    """Run pip without a registry."""
    quiet = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([sys.executable, "-m", "pip", *map(str, arguments), *quiet], check=True)


def shipped(folder: Path) -> set[str]:
    """The files below a folder that a program needs at run time."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in SHIPPED}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the build reads, so that it leaves nothing behind in the checkout."""
    copy = tmp_path_factory.mktemp("source")
    for folder in FOLDERS:
        shutil.copytree(TOP / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(TOP / name, copy)
    (copy / "capnp" / "sample.capnp").write_text("@0xbf5147cbbecf40c1;\n")
    return copy


def test_wheel_is_complete(source: Path, tmp_path: Path) -> None:
    """The wheel holds the files of the top-level folders, all of them and at the same places under holdfast/."""
    pip("wheel", source, "--wheel-dir", tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    names = {name for name in shipped(source) if name.partition("/")[0] in FOLDERS and "build/" not in name}
    expected = {name.removeprefix("api/") for name in names}  # that folder is the package itself
    found = shipped(tmp_path / "holdfast")
    assert found == expected, "is a new subpackage missing from [tool.setuptools] packages in pyproject.toml?"


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--editable"]], ids=["installed", "editable"])
def test_schemas_are_beside_the_vm(source: Path, tmp_path: Path, options: list[str]) -> None:
    """However it was installed, the schemas are at ../capnp as seen from the vm package."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    python = tmp_path / "bin" / "python"
    pip("install", *options, source, "--prefix", tmp_path, "--ignore-installed")
    folder = subprocess.run([python, "-I", "-c", SCHEMAS], check=True, capture_output=True, text=True).stdout.strip()
    assert (Path(folder) / "sample.capnp").is_file()
    assert (tmp_path / "bin" / "holdfast").is_file()
