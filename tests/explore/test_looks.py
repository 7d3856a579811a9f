"""The page as people see and hear it: light and dark, on a phone, through a screen reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.explore.chromium import Tab


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("fragment", ["#row=0&step=1&max_tokens=22", "#row=0&beside=second", "#row=1&q=it"])
def test_every_text_stands_out_from_its_ground(tab: Tab, page: Path, scheme: str, fragment: str) -> None:
    tab.prefer(scheme)
    tab.open(page, fragment)
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)" if scheme == "light" else "rgb(13, 17, 23)"
    )
    faint = [one for one in tab.evaluate(_CONTRASTS) if one[0] < 4.5]
    assert faint == []


def test_light_and_dark_can_be_chosen_against_the_system(tab: Tab, page: Path) -> None:
    tab.prefer("dark")
    tab.open(page)
    grounds = []
    for _ in range(3):
        grounds.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        tab.press("t")
    assert grounds == ["rgb(13, 17, 23)", "rgb(255, 255, 255)", "rgb(13, 17, 23)"]


@pytest.mark.parametrize("fragment", ["", "#row=0&step=1&max_tokens=22", "#row=0&beside=second", "#row=3", "#row=1"])
def test_it_fits_a_phone(tab: Tab, page: Path, fragment: str) -> None:
    tab.size(390, 844)
    tab.open(page, fragment)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    beyond = tab.evaluate(
        '[...document.querySelectorAll("body *:not(.skip)")].filter(one => one.checkVisibility() &&'
        ' one.getBoundingClientRect().right > 390.5 && !one.closest("summary, .line-label, .line-title"))'
        ".map(one => one.outerHTML.slice(0, 80))"
    )
    assert beyond == []
    seen = tab.evaluate('["main", "list"].map(id => document.getElementById(id).checkVisibility())')
    assert seen == ([True, False] if fragment else [False, True])
    if fragment:
        tab.evaluate('document.getElementById("to-list").click()')
        tab.evaluate('document.querySelectorAll(".line")[1].click()')
        tab.until('document.getElementById("main").checkVisibility()')
        tab.until('document.getElementById("label").textContent === "trace-1"')


def test_the_list_is_a_list_to_a_screen_reader_and_the_steps_can_be_reached(tab: Tab, page: Path) -> None:
    tab.open(page, "#row=1")
    tree = tab.call("Accessibility.getFullAXTree")["nodes"]
    found: dict[str, list[str]] = {}
    for node in tree:
        found.setdefault(node.get("role", {}).get("value", ""), []).append(node.get("name", {}).get("value", ""))
    assert found["listbox"] == ["Traces"]
    assert [name.split()[0] for name in found["option"] if name.startswith("trace-")] == [
        f"trace-{n}" for n in range(6)
    ]
    assert found["heading"][:2] == ["first", "trace-1"]
    assert all(found["combobox"]) and all(found["slider"]) and all(found["button"]) and all(found["spinbutton"])
    assert tab.evaluate('[...document.querySelectorAll(".step")].map(step => step.tabIndex)') == [0, -1]


_CONTRASTS = """(() => {
  const channels = (colour) => {
    const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
    const pen = canvas.getContext("2d");
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => {
    const [red, green, blue] = rgb.map(one => one / 255).map(
      one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (one) => {
    for (let above = one; above; above = above.parentElement) {
      const [red, green, blue, alpha] = channels(getComputedStyle(above).backgroundColor);
      if (alpha === 255) return [red, green, blue];
    }
    return [255, 255, 255];
  };
  const own = (one) => [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll("body *")]
    .filter(one => one.checkVisibility({visibilityProperty: true}) && own(one) && !one.closest(":disabled, .skip"))
    .map(one => {
      const ink = channels(getComputedStyle(one).color).slice(0, 3);
      const [more, less] = [light(ink), light(ground(one))].sort((a, b) => b - a);
      return [Math.round(100 * (more + 0.05) / (less + 0.05)) / 100, one.className, one.textContent.slice(0, 40)];
    });
})()"""
