"""`python -m doctor`, where not even the command line's packages are installed."""

import argparse
import sys

from doctor import report

parser = argparse.ArgumentParser(prog="python -m doctor", description="What can this machine run?")
parser.add_argument("--json", action="store_true", help="for programs")
parser.add_argument("--check-model", action="store_true", help="load the weights and try them")
options = parser.parse_args()
sys.exit(report(options.json, options.check_model))
