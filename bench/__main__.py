"""Run the benchmarks that need no GPU, browser or network, one after the other: `python -m bench [CLIP…]`.

The clips are those that the builtin commentator comments; the sample clip if none is named.
"""

import subprocess
import sys

from bench.footage import SAMPLE


def main(clips: list[str]) -> int:
    """Return 0 if all ran to their end."""
    failed = 0
    for name, arguments in (
        ("builtin", clips or [str(SAMPLE)]),
        ("pipeline", clips),
        ("sampling", []),
        ("store", []),
        ("search", []),
    ):
        print(f"\n== {name} ==", flush=True)
        failed += (
            subprocess.run([sys.executable, "-m", f"bench.{name}", *arguments]).returncode != 0
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
