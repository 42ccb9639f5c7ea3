"""The doctor's answer, for people and for programs."""

import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from doctor.advice import advise
from doctor.facts import Facts, ModelFacts
from doctor.judging import judge_model
from doctor.lines import Line, problems
from doctor.look import look
from doctor.parts import run_child

WIDTH = 100
INDENT = " " * 9


def report(as_json: bool = False, check_model: bool = False) -> int:
    """Look, say, and return the exit status: 1 if anything is wrong for the chosen COMMENTATOR."""
    _, facts = look()
    lines, model = advise(facts), None
    if check_model:
        more, model = _check_model(facts)
        lines += more
    if as_json:
        print(json.dumps(to_json(facts, lines, model), indent=1, default=str))
    else:
        print("\n".join(written(lines)))
    return 1 if problems(lines) else 0


def _check_model(facts: Facts) -> tuple[list[Line], ModelFacts | None]:
    weights = facts.weights.weights if facts.weights else None
    if facts.torch is None or weights is None or weights.trouble:
        first = "first see to PyTorch and the weights, as the lines above say"
        return [Line("problem", "check", "there is nothing to load yet", first)], None
    print("Loading the weights and commenting a picture ...", file=sys.stderr, flush=True)
    try:
        model = ModelFacts(**run_child("doctor.model", str(weights.folder.absolute())))
    except RuntimeError as error:
        step = "free memory, or see what the line says of the weights"
        return [Line("problem", "check", f"the weights could not be run: {error}", step)], None
    return judge_model(model), model


def written(lines: Sequence[Line]) -> list[str]:
    """Write each line with its next step below it, and the first step once more at the end."""
    rows = []
    for line in lines:
        text = f"{line.level:<8} {line.subject}: {_printable(line.text)}"
        rows += textwrap.wrap(text, WIDTH, subsequent_indent=INDENT, break_on_hyphens=False)
        if line.next_step:
            rows.append(f"{INDENT}→ {_printable(line.next_step)}")
    steps = [line.next_step for line in lines if line.level == "problem" and line.next_step]
    count = problems(lines)
    rows.append("")
    if count:
        rows.append(f"{count} problem{'s' if count > 1 else ''}.")
        rows += [f"Next: {_printable(steps[0])}"] if steps else []
    else:
        rows.append("Nothing is wrong.")
    return rows


def to_json(facts: Facts, lines: Sequence[Line], model: ModelFacts | None) -> Mapping[str, Any]:
    return {
        "problems": problems(lines),
        "lines": [asdict(line) for line in lines],
        "facts": asdict(replace(facts, broken=dict(facts.broken))),
        "model": asdict(model) if model else None,
    }


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
