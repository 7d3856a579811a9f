"""A page as a real Chromium lays it out: `measured` puts it into a frame of some width and reads it there."""

from __future__ import annotations

import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--virtual-time-budget=4000", "--dump-dom"),
]
_FRAME = """<!doctype html><body style="margin:0">
<iframe src="page.html" style="border:0;width:{width}px;height:40000px"></iframe><pre></pre>
<script>
const frame = document.querySelector("iframe");
frame.onload = () => {{
  const page = frame.contentDocument, all = [...page.querySelectorAll("*")];
  const seen = one => one.closest(".scroller") === null && one.getBoundingClientRect().right > {width} + 0.5;
  document.querySelector("pre").textContent = JSON.stringify({{
    ran: window.ran ?? null,
    scripts: page.scripts.length,
    handlers: all.flatMap(one => one.getAttributeNames()).filter(name => name.startsWith("on")),
    outside: all.filter(one => one.closest("head") === null && seen(one)).map(one => one.outerHTML.slice(0, 80)),
    width: page.documentElement.scrollWidth,
    scrolled: [...page.querySelectorAll(".scroller")].map(one => one.scrollWidth > one.clientWidth),
    loads: all.flatMap(one => [one.src, one.srcset, one.href]).filter(url => url && !url.startsWith("data:")),
    pictures: [...page.images].map(one => [one.alt, one.naturalWidth, one.currentSrc]),
    ground: getComputedStyle(page.body).backgroundColor,
    text: page.body.innerText,
    tables: [...page.querySelectorAll("table")].map(
      table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText))),
  }});
}};
</script>
"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def measured(page: str, folder: Path, width: int, *flags: str) -> dict[str, Any]:
    """What Chromium makes of a page: text, tables, what is too wide, what ran, what it would load."""
    (folder / "page.html").write_text(page, encoding="utf-8")
    (folder / "frame.html").write_text(_FRAME.format(width=width), encoding="utf-8")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/frame.html"
        command = [str(CHROMIUM), *_FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", address]
        found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        server.shutdown()
    told = re.search(r"<pre>(.*?)</pre>", found, re.DOTALL)
    assert told is not None, found[:2000]
    return dict(json.loads(html.unescape(told[1])))
