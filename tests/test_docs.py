"""The documentation is true: what it names exists, and the reference is what the code says."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import typer

from firmware_sim.__main__ import NAMES
from gateway.__main__ import app

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
GENERATED = DOCS / "reference"
PLACES = ("gateway", "adapters", "firmware_sim", "config", "tests", "benchmarks", "docs", "deploy")
PICTURE = DOCS / "images" / "now-desk.png"
"""Made by the end-to-end run in a browser, not by hand."""


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands() -> set[str]:
    """Every command people may type after `hearth`, e.g. "run" and "probe modbus"."""
    found = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    for group in app.registered_groups:
        inner = group.typer_instance
        assert isinstance(inner, typer.Typer)
        found |= {f"{group.name} {c.name or c.callback.__name__}" for c in inner.registered_commands if c.callback}
    return found


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.slow
def test_the_reference_says_what_the_code_says() -> None:
    for name, text in generator().pages().items():
        written = (GENERATED / name).read_text(encoding="utf-8")
        assert written == text, f"docs/reference/{name} is out of date: run docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            place = (page.parent / target).resolve()
            assert place.exists() or place == PICTURE, f"{name_of(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for named in re.findall(rf"(?<![\w/.-])((?:{'|'.join(PLACES)})/[\w./-]*\w)", text):
        assert (ROOT / named).exists() or (ROOT / named) == PICTURE, f"{name_of(page)} names {named}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_named_exists_with_its_options(page: Path) -> None:
    options = (GENERATED / "command-line.md").read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    for line in re.findall(r"(?:\./|/opt/hearth/|`)hearth ([a-z][^\n`#]*)", text):
        words = line.split()
        known = [c for c in commands() if c.split() == words[: len(c.split())]]
        assert known, f"{name_of(page)} names `hearth {line}`"
        if known == ["sim"]:
            assert words[1] in NAMES or words[1].isupper(), f"{name_of(page)} names `hearth {line}`"
            continue
        section = options.split(f"## hearth {known[0]}\n")[1].split("\n## ")[0]
        for option in re.findall(r"--[a-z-]+", line):
            assert f"`{option}`" in section, f"{name_of(page)} gives `hearth {known[0]}` the option {option}"


def test_every_command_is_documented_for_people() -> None:
    prose = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if GENERATED not in page.parents)
    missing = [command for command in commands() if f"hearth {command}" not in prose]
    assert not missing, f"no page shows how to use: {missing}"


def test_every_test_a_conformance_table_names_exists() -> None:
    known = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    for page in (DOCS / "conformance").glob("*.md"):
        named = re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))
        assert named and not set(named) - known, f"{name_of(page)} names {set(named) - known}"


@pytest.mark.slow
def test_each_step_of_the_two_walks_stands_where_the_architecture_says() -> None:
    """`some.place `name`` in docs/architecture.md: the place is a package or module, the name is defined in it."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    walks = text.split("## The two walks")[1].split("\n## ")[0]
    place, wrong, seen = "", [], 0
    for module, names in re.findall(r"\b((?:adapters|core|runtime|gateway)/[\w/.]*\w)|`([\w., ]+)`", walks):
        if module:
            place = module
            continue
        for name in names.split(", "):
            seen += 1
            if not _defined(place, name.strip()):
                wrong.append(f"{name} in {place}")
    assert seen >= 20
    assert not wrong, f"docs/architecture.md names what is not there: {wrong}"


def _defined(place: str, name: str) -> bool:
    """Whether `name` (function, class or Class.method) is defined in the module or package `place`, or is a port."""
    base = ROOT / place if place.startswith(("adapters", "gateway")) else ROOT / "gateway" / place
    files = [base] if base.suffix == ".py" else sorted(base.rglob("*.py")) or [base.with_suffix(".py")]
    owner, _, member = name.rpartition(".")
    for path in [*files, ROOT / "gateway" / "ports.py"]:
        if not path.is_file():
            return False
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if owner and isinstance(node, ast.ClassDef) and node.name == owner:
                return member in [getattr(child, "name", "") for child in node.body]
            if not owner and getattr(node, "name", "") == name:
                return True
    return False
