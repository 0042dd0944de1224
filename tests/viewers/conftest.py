"""A real headless browser that notes what a page must not do, and a small head to look at."""

from __future__ import annotations

import base64
import io
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chromium import FLAGS, find_chromium
from PIL import Image

from headviz.geometry.mesh import Mesh

LOCAL = re.compile(r"(http://127\.0\.0\.1[:/]|file:///|blob:|data:)")

#: Texts whose contrast with what lies behind them is below 4.5 : 1, as [text, ratio]; looks into shadow roots.
LOW_CONTRAST = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = channels(color).slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const up = (element) => element.parentElement ?? element.getRootNode().host ?? null;
  const behind = (element) => {
    for (let e = element; e; e = up(e)) {
      const color = getComputedStyle(e).backgroundColor;
      if ((channels(color)[3] ?? 1) > 0.5) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const low = [];
  const visit = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) visit(element.shadowRoot);
      const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join(" ").trim();
      if (!text || ["STYLE", "SCRIPT", "NOSCRIPT", "TITLE"].includes(element.tagName)) continue;
      if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      if (element.closest("[disabled], .sr-only, svg")) continue;
      const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) low.push([text.slice(0, 60), Math.round(ratio * 100) / 100]);
    }
  };
  visit(document);
  return low;
}"""


class Watch:
    """A page, and what went wrong on it: errors, and requests that leave this machine."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", lambda line: line.type == "error" and self.problems.append(f"console: {line.text}"))
        page.on("request", lambda request: LOCAL.match(request.url) or self.problems.append(f"outside: {request.url}"))

    def until(self, script: str, seconds: float = 20) -> Any:
        """Wait until a script gives something true, and return that."""
        end = time.monotonic() + seconds
        while not (value := self.page.evaluate(script)):
            assert time.monotonic() < end, f"still not after {seconds} s: {script}"
            time.sleep(0.05)
        return value

    def photograph(self, name: str) -> None:
        """A picture of the whole page, for people, where HEADVIZ_SCREENSHOTS names a folder."""
        if folder := os.environ.get("HEADVIZ_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    def low_contrast(self) -> list[Any]:
        """Texts that are hard to read."""
        return self.page.evaluate(LOW_CONTRAST)

    def pixels(self, handle: str) -> np.ndarray:
        """What a viewer draws, 8-bit RGB, shape (h, w, 3)."""
        data = self.page.evaluate(f"{handle}.screenshot()").split(",")[1]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium of the system, headless, drawing WebGL in software."""
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium on the PATH; make test installs it where it may")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Watch]]:
    """Open an address in a fresh window; at the end nothing may have gone wrong on any page."""
    opened: list[tuple[Any, Watch]] = []

    def open_page(url: str, width: int = 1360, height: int = 900, **options: Any) -> Watch:
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True, **options)
        watch = Watch(context.new_page())
        opened.append((context, watch))
        watch.page.goto(url)
        return watch

    yield open_page
    problems = [problem for _, watch in opened for problem in watch.problems]
    for context, _ in opened:
        context.close()
    assert problems == []


@pytest.fixture(scope="session")
def small_head() -> Mesh:
    """A ball with a nose to +z, one colour, and three expressions."""
    steps = 24
    polar = torch.linspace(0, torch.pi, steps + 1)[:, None].expand(-1, 2 * steps)
    around = (torch.arange(2 * steps) * torch.pi / steps)[None].expand(steps + 1, -1)
    points = torch.stack([polar.sin() * around.sin(), polar.cos(), polar.sin() * around.cos()], dim=-1).reshape(-1, 3)
    vertices = 0.1 * points * torch.tensor([0.8, 1.2, 1.0])
    nose = torch.exp(-((vertices[:, :2] / 0.02) ** 2).sum(1)) * (vertices[:, 2] > 0)
    vertices[:, 2] += 0.03 * nose
    row, column = torch.meshgrid(torch.arange(steps), torch.arange(2 * steps), indexing="ij")
    a, right = row * 2 * steps + column, row * 2 * steps + (column + 1) % (2 * steps)
    faces = torch.stack([a, a + 2 * steps, right, right, a + 2 * steps, right + 2 * steps], dim=-1).reshape(-1, 3)
    low = ((vertices[:, 1] < -0.03) & (vertices[:, 2] > 0)).float()[:, None]
    left = (vertices[:, 0] > 0.02).float()[:, None] * low
    brow = ((vertices[:, 1] > 0.04) & (vertices[:, 2] > 0.04)).float()[:, None]
    return Mesh(
        vertices=vertices,
        faces=faces,
        uv=torch.rand(len(vertices), 2, generator=torch.Generator().manual_seed(0)),
        texture=torch.tensor([0.5776, 0.3050, 0.1878]).expand(8, 8, 3).contiguous(),  # sRGB 200, 150, 120
        morphs={
            "jawOpen": low * torch.tensor([0.0, -0.05, 0.0]),
            "mouthSmileLeft": left * torch.tensor([0.04, 0.02, 0.0]),
            "browInnerUp": brow * torch.tensor([0.0, 0.02, 0.0]),
        },
    )
