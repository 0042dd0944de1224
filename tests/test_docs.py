"""The site is built without a warning, its links lead somewhere, and its pages ask nothing of another machine."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from test_readme import blocks

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
#: What a browser fetches by itself, by tag; a link (`a`) is only followed by a person.
FETCHED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "link": "href",
    "source": "src",
    "video": "src",
    "audio": "src",
}
BELOW = sorted(path for path in DOCS.glob("*/**/*.md") if "_build" not in path.parts)
TAUGHT = [
    pytest.param(block, id=f"{path.relative_to(DOCS)}-{number}")
    for path in BELOW
    for number, block in enumerate(blocks(path.read_text(encoding="utf-8")))
]


class Page(HTMLParser):
    """Anchors, links and what is fetched by a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if (
            tag in FETCHED
            and FETCHED[tag] in found
            and found.get("rel") not in ("canonical", "prev", "next", "index", "search")
        ):
            self.fetched.append(found[FETCHED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. Viewers that `make docs` has not yet written are stood in for by a line of text."""
    made = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-j", "2", "-b", "html", "-d", str(made / ".trees")]
    command += ["-D", "suppress_warnings=headviz.viewer", str(DOCS), str(made)]
    environ = os.environ | {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}  # nothing listens
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return made


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """All pages of the site but the viewers, which stand alone."""
    found = [path for path in site.rglob("*.html") if "_static" not in path.relative_to(site).parts]
    return {path: Page(path.read_text(encoding="utf-8")) for path in found}


def test_every_document_is_a_page(site: Path, pages: dict[Path, Page]) -> None:
    sources = [path.relative_to(DOCS) for path in [*DOCS.glob("*.md"), *BELOW]]
    assert sources
    assert not [path for path in sources if site / path.with_suffix(".html") not in pages]


def test_links_and_anchors_lead_somewhere(pages: dict[Path, Page], site: Path) -> None:
    assert not list(lost(pages))
    index = pages[site / "index.html"]
    index.links.append("conventions.html#no-such-anchor")  # the check can fail
    assert [link for _, link in lost(pages)] == ["conventions.html#no-such-anchor"]
    index.links.pop()


def lost(pages: dict[Path, Page]) -> Iterator[tuple[str, str]]:
    """Page and address of the links inside the site that lead nowhere."""
    for path, page in pages.items():
        for link in [*page.links, *page.fetched]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = target.is_file() and (
                not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].anchors
            )
            if not known:
                yield path.name, link


def test_nothing_is_fetched_from_elsewhere(pages: dict[Path, Page], site: Path) -> None:
    assert not [(path.name, url) for path, page in pages.items() for url in page.fetched if urlsplit(url).netloc]
    for style in site.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", style.read_text(encoding="utf-8")), style


def test_the_public_names_are_in_the_reference(pages: dict[Path, Page], site: Path) -> None:
    import headviz.geometry
    import headviz.viewers

    anchors = pages[site / "api.html"].anchors
    for module in (headviz.geometry, headviz.viewers):
        assert not [name for name in module.__all__ if f"{module.__name__}.{name}" not in anchors]
    for name in ("models.registry.register", "render.traced.trace_camera", "interop.load_mesh", "errors.OptionError"):
        assert f"headviz.{name}" in anchors


def test_commands_of_the_first_page_are_run_by_the_tests_of_the_readme() -> None:
    shown = "".join(
        re.findall(r"^:::\{code-block\} sh\n(.*?)^:::$", (DOCS / "index.md").read_text("utf-8"), re.M | re.S)
    )
    known = {line.split("  #")[0].strip() for line in (ROOT / "README.md").read_text("utf-8").splitlines()}
    commands = [line.split("  #")[0].strip() for line in shown.splitlines()]
    assert commands
    assert set(commands) <= known


@pytest.mark.parametrize("block", TAUGHT)
def test_blocks_of_deeper_pages_run(block, workplace: Path) -> None:
    assert block.language == "python"
    command = [sys.executable, "-W", "error", "-c", block.code]
    done = subprocess.run(command, cwd=workplace, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


def test_the_directive_shows_a_viewer_or_says_what_is_missing(tmp_path: Path) -> None:
    files = {
        "index.md": "# T\n\n:::{toctree}\ndeep/page\n:::\n\n:::{viewer} absent\n:::\n\n:::{viewer} Not-A-Name\n:::\n",
        "deep/page.md": '# P\n\n:::{viewer} one\n:title: a "b" < c\n:height: 300\n:::\n',
        "_static/viewers/one.html": "<!doctype html><title>one</title>",
        "_static/site.css": "",
        "conf.py": (DOCS / "conf.py").read_text(encoding="utf-8"),
    }
    for name, text in files.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(tmp_path / "in"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()
    assert [word for word in ("'absent'", "'Not-A-Name'") if not any(word in line for line in said)] == []
    made = tmp_path / "out" / "deep" / "page.html"
    text = made.read_text(encoding="utf-8")
    assert 'title="a &quot;b&quot; &lt; c" loading="lazy" style="height: 300px"' in text
    assert "'one'" not in done.stderr
    (address,) = (url for url in Page(text).fetched if "viewers" in url)
    assert (made.parent / address).resolve().is_file()


@pytest.mark.browser
def test_pages_open_from_disk_on_a_phone_and_ask_nothing_of_another_machine(
    site: Path, pages: dict[Path, Page]
) -> None:
    from playwright.sync_api import sync_playwright

    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        pytest.skip("no Chromium on the PATH; make test installs it where it may")
    problems: list[str] = []
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
        browser = playwright.chromium.launch(executable_path=found[0], args=flags)
        tab = browser.new_page(viewport={"width": 360, "height": 740})
        tab.on("pageerror", lambda error: problems.append(f"{tab.url}: {error}"))
        tab.on("console", lambda line: line.type == "error" and problems.append(f"{tab.url}: {line.text}"))
        tab.on("request", lambda request: asks_outside(request.url) and problems.append(f"{tab.url}: {request.url}"))
        for path in pages:
            tab.goto(path.as_uri())
            wider = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            if wider > 0:
                problems.append(f"{path.name} is {wider} px wider than a phone")
            keep(tab, path.relative_to(site))
        browser.close()
    assert problems == []


def asks_outside(url: str) -> bool:
    """Whether a request leaves this computer's disk."""
    return urlsplit(url).scheme not in ("file", "data", "blob")


def keep(tab: Any, name: Path) -> None:
    """Pictures of a page for people, light and dark, where HEADVIZ_SCREENSHOTS names a folder."""
    folder = os.environ.get("HEADVIZ_SCREENSHOTS")
    if not folder:
        return
    for theme, width in itertools.product(("light", "dark"), (360, 1200)):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme=theme)
        shown = "-".join(name.with_suffix("").parts)
        tab.screenshot(path=Path(folder) / f"docs-{shown}-{width}-{theme}.png")
    tab.set_viewport_size({"width": 360, "height": 740})
