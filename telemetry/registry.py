"""The metrics of this process. Each part that measures adds its own here.

A process counts what it does itself, from its start on; what stands in the store is told by web alone.
So adding up over all processes counts nothing twice.
"""

import sys
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, of which Prometheus makes nothing

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

_BUILD = Gauge(
    "reelnotes_build_info",
    "1 for each process that runs; which program, of which version.",
    ["program", "version", "python"],
    registry=REGISTRY,
)


def introduce(program: str) -> None:
    """Say which program this process is: web, worker or beat."""
    python = ".".join(map(str, sys.version_info[:3]))
    _BUILD.labels(program=program, version=our_version(), python=python).set(1)


def our_version() -> str:
    try:
        return version("reelnotes")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unreleased"
