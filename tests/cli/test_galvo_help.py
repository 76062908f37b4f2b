"""The help of every galvo command teaches, too: an example that can be run, and every option in words."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from .test_slices_help import ROOT, examples

if TYPE_CHECKING:
    from .conftest import Shell

GROUP = ROOT.commands["galvo"]
assert isinstance(GROUP, TyperGroup)
COMMANDS: dict[str, TyperCommand] = {name: one for name, one in GROUP.commands.items() if isinstance(one, TyperCommand)}


def test_the_commands_go_from_finding_to_undoing() -> None:
    assert list(COMMANDS) == list(GROUP.commands) == ["detect", "decide", "fix", "undo", "report", "evaluate"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_can_be_read_back(name: str) -> None:
    command = COMMANDS[name]
    assert re.search(r"^(\[bold\]Examples\[/bold\]$|Example: )", command.help or "", re.MULTILINE)
    found = examples(command)
    own = 0
    for line in found:
        program, group, called, *words = shlex.split(line)
        assert (program, group) == ("slicemap", "galvo")
        own += called == name
        parser = COMMANDS[called].make_parser(COMMANDS[called].context_class(COMMANDS[called], info_name=called))
        _, left, _ = parser.parse_args(list(words))
        assert left == [], f"{line}: too many arguments"
    assert own


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_is_said_in_words(name: str) -> None:
    told = [one for one in COMMANDS[name].params if isinstance(one, TyperOption | TyperArgument)]
    assert len(told) == len(COMMANDS[name].params)
    assert [one.name for one in told if len((one.help or "").split()) < 2] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_both(slicemap: Shell, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = slicemap("galvo", name, "--help")
    assert code == 0
    assert f"slicemap galvo {name} " in out
    for option in (one for one in COMMANDS[name].params if isinstance(one, TyperOption)):
        assert option.opts[0] in out
    assert "[bold]" not in out
