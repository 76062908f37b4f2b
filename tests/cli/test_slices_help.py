"""The help of every slices command teaches: what it does, an example that can be run, and every option in words."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from napari_slicemap.cli.app import app

if TYPE_CHECKING:
    from .conftest import Shell

ROOT = typer.main.get_command(app)
assert isinstance(ROOT, TyperGroup)
GROUP = ROOT.commands["slices"]
assert isinstance(GROUP, TyperGroup)
COMMANDS: dict[str, TyperCommand] = {name: one for name, one in GROUP.commands.items() if isinstance(one, TyperCommand)}
CHAIN = ("generate", "quality", "rehoming", "align", "auto-exclude", "interpolate", "finalise", "stack", "report")


def examples(command: TyperCommand) -> list[str]:
    text = (command.help or "").replace("\\[", "[")
    return [" ".join(one.split()) for one in re.findall(r"\[bold\](slicemap .*?)\[/bold\]", text, re.DOTALL)]


def test_the_commands_are_those_of_the_chain_and_a_few_more() -> None:
    assert set(COMMANDS) == set(GROUP.commands)
    assert set(COMMANDS) == {*CHAIN, "show", "diff", "stamp", "exclude", "export", "import"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_can_be_read_back(name: str) -> None:
    command = COMMANDS[name]
    assert re.search(r"^(\[bold\]Examples\[/bold\]$|Example: )", command.help or "", re.MULTILINE)
    found = examples(command)
    assert found
    own = 0
    for line in found:
        program, group, called, *words = shlex.split(line)
        assert (program, group) == ("slicemap", "slices")
        own += called == name
        # parsing fails where an option or an argument is not one of the command
        parser = COMMANDS[called].make_parser(COMMANDS[called].context_class(COMMANDS[called], info_name=called))
        _, left, _ = parser.parse_args(list(words))
        assert left == [], f"{line}: too many arguments"
    assert own


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_is_said_in_words(name: str) -> None:
    told = [one for one in COMMANDS[name].params if isinstance(one, TyperOption | TyperArgument)]
    assert len(told) == len(COMMANDS[name].params)
    silent = [one.name for one in told if len((one.help or "").split()) < 2]
    assert silent == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_both(slicemap: Shell, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = slicemap("slices", name, "--help")
    assert code == 0
    assert f"slicemap slices {name} " in out
    for option in (one for one in COMMANDS[name].params if isinstance(one, TyperOption)):
        assert option.opts[0] in out
    assert "[bold]" not in out


def test_the_group_names_the_chain_in_order(slicemap: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = slicemap("slices", "--help")
    chain = " ".join(out.split())
    assert " → ".join(CHAIN) in chain
