"""The documents say what there is: each name in them exists, and what exists is in them."""

import os
import re
import subprocess
import tomllib

import click
import pytest

from app.__main__ import main
from app.settings import ACTOR, FOR_TESTS, Settings
from tests.unit.pages import DOCS, PAGES, ROOT, links, prose, rows, section, snippets, text


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_every_link_leads_somewhere() -> None:
    """The file is there, and the heading too."""
    broken = []
    for page in PAGES:
        for target, file, anchor in links(page):
            is_page = file.suffix == ".md" and file.exists()
            headings = re.findall(r"^#+ (.*)$", prose(file), re.MULTILINE) if is_page else []
            if not file.exists() or (anchor and anchor not in map(slug, headings)):
                broken.append(f"{page.name}: {target}")
    assert not broken


def test_every_page_is_reached_from_the_readme() -> None:
    """By links alone."""
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in reached and page.suffix == ".md" and page.exists():
            reached.add(page)
            todo += [file for _, file, _ in links(page)]
    assert not [str(each.relative_to(ROOT)) for each in PAGES if each not in reached]


def test_every_path_that_a_page_names_exists() -> None:
    """Of the repository's own folders; a star stands for something."""
    pattern = re.compile(r"(?<![\w/.])((?:app|docs|deploy|tests|tools|\.ci|\.github)/[\w./*-]*[\w*])")
    missing = [
        f"{page.name}: {path}"
        for page in PAGES
        for snippet in snippets(page)
        for path in pattern.findall(snippet)
        if not any(ROOT.glob(path))
    ]
    assert not missing


def test_every_setting_that_is_named_is_one() -> None:
    """In the pages and in what is deployed; and docs/settings.md has all of them."""
    known = {f"RELAY_{name.upper()}" for name in Settings.model_fields}
    deployed = (each for each in (ROOT / "deploy").rglob("*") if each.is_file() and each.suffix not in (".png", ".pyc"))
    files = [*PAGES, *deployed, ROOT / "Dockerfile"]
    said = {(file.name, name) for file in files for name in re.findall(r"\bRELAY_[A-Z0-9_]*[A-Z0-9]\b", text(file))}
    assert not [each for each in said if each[1] not in {*known, ACTOR} and not f"{each[1]}_".startswith(FOR_TESTS)]
    assert known == {row.code[0][0] for row in rows("settings.md")}


def test_every_command_that_is_named_is_one() -> None:
    """With the options it is given; and the README names all of them."""
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    wrong = []
    for page in PAGES:
        for snippet in snippets(page):
            for name, rest in re.findall(r"(?<![\w-])relay ([a-z]+)\b([^&|]*)", snippet):
                command = commands.get(name)
                below = command.commands.values() if isinstance(command, click.Group) else ()
                params = [each for one in (command, *below) if one for each in one.params]
                options = {option for each in params for option in (*each.opts, *each.secondary_opts)}
                if command is None or set(re.findall(r"(?<!\S)--[a-z-]+", rest)) - options - {"--help"}:
                    wrong.append(f"{page.name}: {snippet}")
    assert not wrong
    assert {f"relay {name}" for name in commands} <= set(snippets(ROOT / "README.md"))


def test_every_make_target_that_is_named_is_one() -> None:
    """And each that says what it does is named somewhere."""
    makefile = text(ROOT / "Makefile")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([a-z][a-z-]*):.*##", makefile, re.MULTILINE)) - {"help"}
    said = {name for page in PAGES for each in snippets(page) for name in re.findall(r"^\s*make ([a-z-]+)", each)}
    assert said <= targets
    assert explained <= said


def test_every_dependency_is_answered_for() -> None:
    """Each direct one has its line, in the order of pyproject.toml, and no line is left of one that went."""
    project = tomllib.loads(text(ROOT / "pyproject.toml"))
    page = DOCS / "decisions" / "0002-dependencies.md"
    for heading, wanted in (
        ("## What runs", project["project"]["dependencies"]),
        ("## What builds and develops", project["dependency-groups"]["build"] + project["dependency-groups"]["dev"]),
        ("## What looks at the Splunk app", project["dependency-groups"]["splunk"]),
    ):
        said = re.findall(r"^\| ([\w-]+) \|(?:[^|]+\|){4}$", section(page, heading), re.MULTILINE)
        assert said[2:] == [re.split(r"[<>=~;\[ ]", each)[0] for each in wanted]


def test_every_decision_is_listed_and_no_number_stands_twice() -> None:
    """The first page lists all of them."""
    folder = DOCS / "decisions"
    pages = sorted(each.name for each in folder.iterdir())
    assert [
        "0001-record.md",
        *re.findall(r"^- \[.*\]\((.*)\)$", text(folder / "0001-record.md"), re.MULTILINE),
    ] == pages
    assert len({name[:4] for name in pages}) == len(pages)
    assert not [name for name in pages if not text(folder / name).startswith(f"# {int(name[:4])}. ")]


def test_ci_runs_what_the_readme_says() -> None:
    """`.ci/run` is executable and runs `make check`."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert text(script).splitlines()[-1] == "exec make check"
    assert "make check" in snippets(ROOT / "README.md")


def test_no_file_names_a_machine_or_an_index() -> None:
    """Where packages come from, and where somebody has the repository, is the machine's business."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nobody knows which files are the repository's")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607 - the git of the checkout
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    wrong = re.compile(
        r"(?<![\w.])/(?:work|root|home|Users)/\w|--(?:extra-)?index-url|--(?:find)-links"
        r"|pypi\.(?:org|python)|python(?:hosted)\.org|artifact(?:ory)|jfrog\.(?:io)"
    )
    found = [
        f"{name}: {match[0]}"
        for name in filter(None, listed.split("\0"))
        if (ROOT / name).is_file()
        for match in wrong.finditer((ROOT / name).read_bytes().decode("utf-8", "replace"))
    ]
    assert not found
    assert not [lock.name for lock in ROOT.glob("*.lock") if "://" in text(lock)]
