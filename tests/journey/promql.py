"""Which metrics and labels a PromQL expression names: enough of the grammar to compare it with what there is."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "reelnotes.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"

_KEYWORDS = {"and", "or", "unless", "offset", "bool"}
_GROUPING = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)"


@dataclass(frozen=True, slots=True)
class Names:
    metrics: set[str]
    labels: set[str]


def names_in(expression: str) -> Names:
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    labels = {label.strip() for group in re.findall(_GROUPING, text) for label in group.split(",")}
    for matchers in re.findall(r"\{([^}]*)\}", text):
        labels |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", re.sub(_GROUPING, " ", text))
    words = re.findall(r"(?<![\w.])([a-zA-Z_:][\w:]*)(?!\w)(?!\s*\()", text)
    return Names(set(words) - _KEYWORDS, labels - {""})


def dashboard_expressions() -> list[str]:
    """Return what the panels ask for; Grafana's own variable is written out."""
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    return [expression.replace("$__rate_interval", "1m") for expression in found]


def alert_expressions() -> list[str]:
    return [rule["expr"] for rule in alerts()]


def alerts() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        yield from group["rules"]
