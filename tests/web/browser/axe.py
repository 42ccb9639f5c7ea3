"""Asks axe-core what of WCAG 2.2 AA, and of good practice, a page in the browser breaks."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize

_SOURCE = (Path(__file__).parent / "axe-core" / "axe.min.js").read_text()
PHONE: ViewportSize = {"width": 390, "height": 844}
_STANDARDS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_RUN = """([options]) => axe.run(document, options).then(({ violations }) => violations.map(
    ({ id, help, nodes }) => [id, help, nodes.map(({ target, failureSummary }) => [target.join(" "), failureSummary])]))"""


def violations(page: Page) -> list[str]:
    """Return what is wrong with a page, and where; in the light and in the dark, and on a phone."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_SOURCE)
    light = _run(
        page,
        {
            "runOnly": {"type": "tag", "values": list(_STANDARDS)},
            "rules": {"target-size": {"enabled": True}},
        },
    )
    page.emulate_media(color_scheme="dark")
    dark = _run(page, _only("color-contrast"))
    size = page.viewport_size
    page.set_viewport_size(PHONE)
    phone = _run(page, _only("color-contrast", "target-size"))
    if size is not None:
        page.set_viewport_size(size)
    page.emulate_media(color_scheme="light")
    return [
        *light,
        *(f"in the dark: {wrong}" for wrong in dark),
        *(f"on a phone in the dark: {wrong}" for wrong in phone),
    ]


def _only(*rules: str) -> dict[str, Any]:
    return {
        "runOnly": {"type": "rule", "values": list(rules)},
        "rules": {rule: {"enabled": True} for rule in rules},
    }


def _run(page: Page, options: dict[str, Any]) -> list[str]:
    found = page.evaluate(_RUN, [{**options, "resultTypes": ["violations"]}])
    return [
        f"{rule} ({help_}) at {target}: {' '.join(summary.split())}"
        for rule, help_, nodes in found
        for target, summary in nodes
    ]
