"""Links in the documents lead somewhere, and lists of files are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.cluster import ROOT

DOCUMENTS = sorted(
    file
    for folder in ("", "docs", "docs/decisions", "examples", "console", "sql", "updates", "tests/conformance")
    for file in (ROOT / folder).glob("*.md")
)


def anchors(document: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def tests() -> set[str]:
    """The names of all tests, and of the files that they are in."""
    files = [*(ROOT / "tests").rglob("*.py")]
    names = (re.findall(r"^ *def (test_\w+)", file.read_text(), re.M) for file in files)
    return {file.stem for file in files}.union(*names)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_links(document: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", document.read_text())
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            target = document.parent / path if path else document
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_tests_that_it_names(document: Path, tests: set[str]) -> None:
    assert set(re.findall(r"`(test_\w+)`", document.read_text())) <= tests


def test_every_decision_is_in_the_list() -> None:
    folder = ROOT / "docs/decisions"
    pages = sorted(page.name for page in folder.glob("0*.md"))
    assert re.findall(r"^\| \[\d+\]\((.+?)\)", (folder / "README.md").read_text(), re.MULTILINE) == pages
    assert [int(page[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        title, blank, date, *_ = (folder / page).read_text().splitlines()
        assert title.startswith(f"# {int(page[:4])}. ")
        assert blank == ""
        assert re.match(r"\d{4}-\d\d-\d\d", date)


def test_code_points_to_decisions_that_exist() -> None:
    for folder in ("plpython", "sql", "updates", "harness", "tools", "bench", "tests"):
        for file in (ROOT / folder).rglob("*.*"):
            if file.suffix in (".py", ".sql", ".sh"):
                for number in re.findall(r"docs/decisions/(\d{4})", file.read_text()):
                    assert list((ROOT / "docs/decisions").glob(f"{number}-*.md")), (file, number)


def test_the_architecture_names_every_folder_of_the_package() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    picture = (ROOT / "docs/architecture.dot").read_text()
    for folder in (ROOT / "plpython/elephant_worker").iterdir():
        if (folder / "__init__.py").exists():
            assert f"| `{folder.name}/` |" in page
            assert f"\\n{folder.name}/" in picture


def test_no_conflict_is_left() -> None:
    for document in DOCUMENTS:
        assert not re.search(r"^(<{7} |={7}$|>{7} )", document.read_text(), re.MULTILINE), document
