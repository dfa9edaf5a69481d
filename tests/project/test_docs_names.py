"""README.md and docs/ name only files, classes and functions that exist."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from app.config.settings import ROOT
from tests.support.rows import by_row

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
PATH = re.compile(r"(?<![\w./<>-])(?:app|docs|migrations|scripts|tests)/[\w./-]*\w")
CALL = re.compile(r"(?:(\w+)\.)?(\w+)\(.*\)(?:\.(\w+))?")
MEMBER = re.compile(r"([A-Z]\w+)\.(\w+)")
CLASS = re.compile(r"(?:[A-Z][a-z]+){2,}")
FUNCTIONS_OF_CITUS = {"create_distributed_table", "create_reference_table"}


def code_of(document: Path) -> set[str]:
    """The pieces of a document between backticks, blocks left out."""
    prose = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {" ".join(piece.split()) for piece in re.findall(r"`([^`]+)`", prose)}


@cache
def definitions() -> dict[str, set[str]]:
    """The names of all functions and classes, each class with its members."""
    names: dict[str, set[str]] = {}
    for folder in ("app", "migrations", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    names.setdefault(node.name, set()).update(members_of(node))
    return names


def members_of(node: ast.FunctionDef | ast.ClassDef) -> Iterator[str]:
    if isinstance(node, ast.ClassDef):
        for member in node.body:
            if isinstance(member, ast.FunctionDef):
                yield member.name
            elif isinstance(member, ast.AnnAssign):
                yield ast.unparse(member.target)


@by_row("document", [*DOCUMENTS, ROOT / "tests" / "README.md"], ids=lambda path: path.name)
def test_every_path_in_a_document_exists(document: Path) -> None:
    paths = set(PATH.findall(document.read_text()))

    assert {path for path in paths if not (ROOT / path).exists()} == set()


@by_row("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_module_in_a_document_exists_by_its_whole_path(document: Path) -> None:
    modules = {piece for piece in code_of(document) if re.fullmatch(r"[\w./-]+\.py", piece)}
    names = {path.name for path in (ROOT / "app").rglob("*.py")}

    assert {module for module in modules if not (ROOT / module).exists()} - names == set()
    assert {piece for piece in code_of(document) if re.match(r"(base|config|clients|core)/", piece)} == set()


@by_row("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_function_that_a_document_calls_exists(document: Path) -> None:
    calls = filter(None, map(CALL.fullmatch, code_of(document)))

    assert {call[2] for call in calls} - definitions().keys() - FUNCTIONS_OF_CITUS == set()


@by_row("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_class_and_member_in_a_document_exists(document: Path) -> None:
    code = code_of(document)
    members = [member.groups() for member in filter(None, map(MEMBER.fullmatch, code))]

    assert {piece for piece in code if CLASS.fullmatch(piece)} - definitions().keys() == set()
    assert [(owner, name) for owner, name in members if name not in definitions().get(owner, set())] == []


def test_the_tree_in_the_architecture_names_every_folder() -> None:
    tree = (ROOT / "docs" / "architecture.md").read_text().split("```")[1]
    named = {name for line in tree.splitlines() for name in re.findall(r"(\w+)/", line.partition("    ")[0])}

    folders = {path.name for path in (ROOT / "app").iterdir() if any(path.glob("*.py"))}
    assert named == folders | {"app", "migrations", "tests", "scripts"}


def test_every_name_in_the_architecture_occurs_in_the_code() -> None:
    document = ROOT / "docs" / "architecture.md"
    pieces = [piece for piece in code_of(document) if "/" not in piece]
    names = {name for piece in pieces for name in re.findall(r"[a-z]+(?:_[a-z]+)+", piece)}
    sources = [*(ROOT / "app").rglob("*.py"), *(ROOT / "migrations").rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)

    assert len(names) > 20
    assert {name for name in names if not re.search(rf"\b{name}\b", code)} == set()
