"""The GPU on which this worker's network runs, as Prometheus sees it.

Two workers on one GPU tell the same of it, under the same id: what is asked for is the maximum by `gpu`.
"""

import subprocess
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from worker.commentator import Commentator

_PATIENCE_S = 3.0


class AcceleratorCollector(Collector):
    """Looks when it is asked."""

    def __init__(self, commentator: Commentator) -> None:
        self._commentator = commentator

    def collect(self) -> Iterator[Metric]:
        accelerator = self._commentator.accelerator()
        labels = None if accelerator is None else [accelerator.id, accelerator.name]
        used = _family("memory_used_bytes", "Memory of the GPU that is taken, by whomever.")
        total = _family("memory_total_bytes", "Memory of the GPU.")
        busy = _family("utilization_ratio", "Share of the last second or so in which it computed.")
        if accelerator is not None and labels is not None:
            used.add_metric(labels, accelerator.used_bytes)
            total.add_metric(labels, accelerator.total_bytes)
            if (ratio := utilization(accelerator.id)) is not None:
                busy.add_metric(labels, ratio)
        yield from (used, total, busy)


def _family(name: str, meaning: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"reelnotes_gpu_{name}", meaning, labels=["gpu", "name"])


def utilization(gpu: str) -> float | None:
    """Ask NVIDIA's driver how busy a GPU (by its UUID) is, 0 to 1; None where it can't tell."""
    query = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")
    try:
        answer = subprocess.run(
            ("nvidia-smi", f"--id={gpu}", *query),
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=True,
        )
        return float(answer.stdout.strip()) / 100
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
