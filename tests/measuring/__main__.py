"""Join what the processes of the tests have saved, tell it package by package, and judge it.

Usage: python -m tests.measuring LEAST, the percent of lines and branches together that each package needs.
"""

import json
import sys
import tempfile
from pathlib import Path

from coverage import Coverage, CoverageData

from tests.measuring.sitecustomize import PACKAGES, ROOT, saved


def main(least: float) -> int:
    coverage = Coverage(data_file=None, config_file=str(ROOT / "pyproject.toml"))
    _join(coverage.get_data())
    coverage.report(include=[f"{ROOT}/{package}/*" for package in PACKAGES])
    print()
    enough = True
    for package in PACKAGES:
        lines, branches, both = _shares(coverage, package)
        enough = enough and both >= least
        print(f"{package:8}{both:5.1f} % ({lines:.1f} % of lines, {branches:.1f} % of branches)")
    return 0 if enough else 1


def _join(data: CoverageData) -> None:
    for piece in saved():
        other = CoverageData(no_disk=True)
        other.loads(piece)
        data.update(other)
    for package in PACKAGES:  # what no process imported counts as well
        data.touch_files([str(path) for path in (ROOT / package).rglob("*.py")])


def _shares(coverage: Coverage, package: str) -> tuple[float, float, float]:
    """Return the percent of lines, of branches, and of both counted together that were executed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        coverage.json_report(outfile=str(path), include=[f"{ROOT}/{package}/*"])
        totals = json.loads(path.read_text())["totals"]
    lines, branches = totals["covered_lines"], totals["covered_branches"]
    return (
        100 * lines / totals["num_statements"],
        100 * branches / totals["num_branches"],
        100 * (lines + branches) / (totals["num_statements"] + totals["num_branches"]),
    )


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
