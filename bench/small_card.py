"""What `bench.gpu --small-card` runs in a process of its own: `python -m bench.small_card FOLDER`.

Comments 4 windows of unit A at once, in slots that just hold them, and tells after each stage what
memory it took, a line each: what, value, unit.
"""

import sys
import time
from pathlib import Path

import torch

from bench.gpu import GPU, measure_burst
from bench.units import UNIT_A
from worker.minicpm import load

SLOTS, ROOM = 4, 512
TURNS = 4  # steps are captured the first time, looks the second


def tell(what: str, value: float, unit: str) -> None:
    print(what, value, unit, sep="\t", flush=True)


def tell_memory(stage: str) -> None:
    torch.cuda.synchronize()
    facts = torch.cuda.memory_stats()
    tell(f"{stage}: allocated", facts["allocated_bytes.all.current"] / 1e9, "GB")
    tell(f"{stage}: allocated at most", facts["allocated_bytes.all.peak"] / 1e9, "GB")
    tell(f"{stage}: reserved at most", facts["reserved_bytes.all.peak"] / 1e9, "GB")
    tell(f"{stage}: times out of memory", facts["num_ooms"], "")
    torch.cuda.reset_peak_memory_stats()


def main() -> int:
    torch.cuda.synchronize()  # makes CUDA take its own
    tell("free beside CUDA's own", torch.cuda.mem_get_info()[0] / 1e9, "GB")
    begun = time.perf_counter()
    with load(Path(sys.argv[1]), GPU, slots=SLOTS, room=ROOM) as engine:
        tell("load", time.perf_counter() - begun, "s")
        tell_memory("loaded")
        engine.prepare()
        tell_memory("prefill captured")
        for turn in range(TURNS):
            tell(f"unit A, {SLOTS} at once, a window", measure_burst(engine, UNIT_A, SLOTS), "s")
            tell_memory(f"turn {turn + 1}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
