"""Asks NVIDIA's driver, four times a second, how busy each GPU is."""

import shutil
import subprocess
import threading
import time
from collections import defaultdict
from statistics import fmean

QUERY = ("--query-gpu=index,utilization.gpu,memory.used", "--format=csv,noheader,nounits")
EVERY_MS = 250
MIB = 2**20


class GpuWatch:
    """Samples from now on until `stop`; nothing where there is no GPU."""

    def __init__(self) -> None:
        self._samples: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
        self._program: subprocess.Popen[str] | None = None
        if shutil.which("nvidia-smi") is None:
            return
        command = ("nvidia-smi", *QUERY, f"--loop-ms={EVERY_MS}")
        self._program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, args=(self._program,))
        self._reader.start()

    def _read(self, program: "subprocess.Popen[str]") -> None:
        for line in program.stdout or ():
            gpu, busy, used = (float(word) for word in line.split(","))
            self._samples[int(gpu)].append((time.perf_counter(), busy / 100, used * MIB / 1e9))

    def stop(self) -> None:
        if self._program is not None:
            self._program.terminate()
            self._program.wait()
            self._reader.join()

    def busy(self, start: float, end: float) -> list[float]:
        """Mean share of the time between two moments of `perf_counter` that each GPU computed."""
        return [
            fmean([busy for moment, busy, _ in self._samples[gpu] if start <= moment <= end] or [0])
            for gpu in sorted(self._samples)
        ]

    def most_gb(self) -> list[float]:
        """Most memory, in 10^9 bytes, taken on each GPU by whomever."""
        return [max(used for _, _, used in self._samples[gpu]) for gpu in sorted(self._samples)]
