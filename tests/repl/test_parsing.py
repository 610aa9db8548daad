"""The command line itself: options, help, completion.  Nothing runs here."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from holdfast.repl import options
from holdfast.repl.commands import cli
from holdfast.repl.grants import Grant, parse_grant, parse_grants


def commands(group: click.Group, *path: str) -> list[tuple[str, ...]]:
    """The paths of all commands."""
    found = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += commands(command, *path, name)
    return found


@pytest.mark.parametrize("path", [(), *commands(cli)], ids=lambda path: " ".join(path) or "holdfast")
def test_help(path: tuple[str, ...]) -> None:
    """Every command explains itself, with examples."""
    shown = CliRunner().invoke(cli, [*path, "--help"])
    assert shown.exit_code == 0
    assert "Examples:" in shown.output or path == ("world",)
    assert all(len(line) <= 100 for line in shown.output.splitlines())


def test_all_commands_are_there() -> None:
    """What the documents promise exists."""
    names = {" ".join(path) for path in commands(cli)}
    assert names >= {"run", "repl", "test", "check", "fmt", "ps", "inspect", "completion", "world"}
    assert names >= {f"world {name}" for name in ("check", "gc", "backup", "restore", "export", "import", "stat")}


def test_exit_codes_are_documented() -> None:
    """The help of holdfast has the table of exit codes."""
    shown = CliRunner().invoke(cli, ["--help"]).output
    for code in (0, 1, 2, 3, 4, 70, 129, 130, 141, 143):
        assert f"\n    {code} " in shown


def parsed(*arguments: str, env: dict[str, str] | None = None) -> dict[str, object]:
    """The parameters of ``run``, as it would get them."""
    found: dict[str, object] = {}

    @click.command(context_settings={"allow_interspersed_args": False})
    @options.opening_options
    @click.argument("file")
    @click.argument("args", nargs=-1)
    def command(**parameters: object) -> None:
        found.update(parameters)

    result = CliRunner().invoke(command, list(arguments), env=env, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return found


def test_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """--world wins over $HOLDFAST_WORLD, that over the default."""
    monkeypatch.delenv("HOLDFAST_WORLD", raising=False)
    assert parsed("a.hold")["world"] == ".holdfast"
    assert parsed("a.hold", env={"HOLDFAST_WORLD": "w"})["world"] == "w"
    assert parsed("--world", "v", "a.hold", env={"HOLDFAST_WORLD": "w"})["world"] == "v"


def test_arguments_of_the_program() -> None:
    """What follows the file is the program's, options too."""
    assert parsed("a.hold", "x", "--memory", "-w", "--")["args"] == ("x", "--memory", "-w", "--")


@pytest.mark.parametrize(
    ("text", "size"),
    [("512M", 512 << 20), ("2G", 2 << 30), ("1.5g", 3 << 29), ("4096K", 4 << 20), ("2000000", 2000000)],
)
def test_sizes(text: str, size: int) -> None:
    """Sizes have units of 1024."""
    assert parsed("--memory", text, "a.hold")["memory"] == size


@pytest.mark.parametrize("text", ["", "M", "1", "12Q", "-5M", "1_000M"])
def test_wrong_sizes(text: str) -> None:
    """What is no size is refused."""
    with pytest.raises(click.BadParameter):
        parsed("--memory", text, "a.hold")


def test_grants(tmp_path: Path) -> None:
    """A grant is NAME=dir:PATH:r or rw; the path may have colons."""
    assert parse_grant("data=dir:./csv:r") == Grant("data", "dir", "./csv", "r")
    assert parse_grant("a_1=dir:/x:y/z:rw") == Grant("a_1", "dir", "/x:y/z", "rw")
    device = parse_grant(f"data=dir:{tmp_path}:r").device()
    assert device.f_rights == "r"


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "x=", "x=dir", "=dir:p:r", "1x=dir:p:r", "x y=dir:p:r", "x=dir:p", "x=dir:p:", "x=dir:p:w", "x=dir::r",
        "x=dir:p:rx", "x=net:p:r", "drop=dir:p:r", "limit=dir:p:r", "names=dir:p:r", "rights=dir:p:r", "x=dir:a\0b:r",
    ],
)  # fmt: skip
def test_wrong_grants(text: str) -> None:
    """Anything else is refused in words."""
    with pytest.raises(ValueError, match=r"grant|rights|folder|name"):
        parse_grant(text)


def test_a_grant_is_given_once() -> None:
    """Two grants of one name are a mistake."""
    with pytest.raises(ValueError, match="twice"):
        parse_grants(("x=dir:a:r", "x=dir:b:r"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    """The script for the shell."""
    shown = CliRunner().invoke(cli, ["completion", shell])
    assert shown.exit_code == 0 and "_HOLDFAST_COMPLETE" in shown.output
