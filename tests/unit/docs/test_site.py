"""The documentation builds strictly, needs nothing from elsewhere, and its addresses are right wherever they are written."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
IN_ROOT = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "examples/README.md"]
NAMED_IN = [
    "src",
    "charts",
    "docker",
    "examples",
    "Dockerfile",
    "docker-compose.yml",
    "Makefile",
    "constraints-torch.txt",
]
PARTS = {"script": "src", "link": "href", "img": "src", "source": "src", "iframe": "src"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` builds it: a broken link, a missing anchor or a page outside the navigation is an error."""
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "Documentation built" in built.stderr  # with --quiet, mkdocs counts no warnings and --strict means nothing
    return folder


class _Loaded(HTMLParser):
    """Addresses that a browser loads by itself while it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in PARTS and values.get("rel") not in ("canonical", "prev", "next", "edit"):
            self.addresses.append(values.get(PARTS[tag]) or "")


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        loaded = _Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert [address for address in loaded.addresses if re.match(r"(https?:)?//", address)] == [], page
    styles = [style.read_text(encoding="utf-8") for style in site.rglob("*.css")]
    assert [style[:80] for style in styles if re.search(r"url\(['\"]?(https?:)?//", style)] == []


def test_the_reference_is_made_from_the_code(site: Path) -> None:
    """A command, a setting, a route and a type, each on the page that is made from them."""
    for page, words in {
        "commands": ["heimdall receivers calibrate", "--corrections"],
        "settings": ["HEIMDALL_LEASE_S"],
        "routes": ["POST /api/v1/locate"],
        "python": ["transmitter_height_m", "Observation"],
    }.items():
        text = (site / "reference" / f"{page}.html").read_text(encoding="utf-8")
        assert [word for word in words if word not in text] == []
    assert (site / "reference" / "openapi.json").is_file()


@pytest.mark.parametrize("name", IN_ROOT)
def test_links_outside_the_site_lead_somewhere(name: str) -> None:
    source = REPOSITORY / name
    for target in re.findall(r"\]\(([^)\s]+)\)", source.read_text(encoding="utf-8")):
        path, _, anchor = unquote(target).partition("#")
        if re.match(r"\w+:", target):
            continue
        file = source.parent / path if path else source
        assert file.exists(), target
        assert not anchor or anchor in _anchors(file), target


def test_every_page_that_a_message_names_is_there() -> None:
    """Help, errors and comments name pages as docs/...; they have to follow when one is moved."""
    files = [file for name in NAMED_IN for file in _texts(REPOSITORY / name)]
    named = {(str(file), page) for file in files for page in _pages_in(file)}
    assert len(named) > 5
    assert [pair for pair in named if not (REPOSITORY / pair[1]).is_file()] == []


def _texts(path: Path) -> list[Path]:
    found = path.rglob("*") if path.is_dir() else [path]
    return [file for file in found if file.is_file() and "__pycache__" not in file.parts]


def _pages_in(file: Path) -> list[str]:
    return re.findall(r"\bdocs/[\w/-]+\.md\b", file.read_bytes().decode("utf-8", "ignore"))


def _anchors(file: Path) -> set[str]:
    text = file.read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}
    return slugs | set(re.findall(r'id="([^"]+)"', text))
