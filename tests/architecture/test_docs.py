"""What the documents name exists: files, make verbs, commands, options."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orderly.__main__ import app

ROOT = Path(__file__).parents[2]
FOUND = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
NAMES = [
    str(path) for path in FOUND if not any(it.startswith(".") for it in path.parts)
]  # others' are in hidden folders


def commands(text: str) -> list[str]:
    """The lines of all shell blocks, continued ones joined."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    path = ROOT / name
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text())
    broken = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("name", NAMES)
def test_every_make_verb_exists(name: str) -> None:
    verbs = set(re.findall(r"^([a-z][a-z0-9-]*):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / name).read_text()
    spoken = re.findall(r"`make ([a-z0-9-]+)", text) + re.findall(r"^\s*make ([a-z0-9-]+)", text, re.MULTILINE)
    assert set(spoken) <= verbs


def test_every_command_of_the_readme_exists() -> None:
    spoken = {tuple(line.split("#")[0].split()) for line in commands((ROOT / "README.md").read_text())}
    for words in sorted(spoken):
        if not words or words[0] != "orderly":
            continue
        group = [word for word in words[1:3] if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")]
        shown = told(*group)
        shown = shown if shown.exit_code == 0 else told(*group[:1])
        assert shown.exit_code == 0, (words, shown.output)
        for option in (word for word in words if word.startswith("--")):
            assert option in shown.output, (words, option)


def told(*words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})


def test_the_first_block_of_the_readme_is_the_main_job() -> None:
    assert commands((ROOT / "README.md").read_text())[0] == "make run"
