"""What the doctor makes of facts: a line, a level, the next step."""

from dataclasses import replace
from pathlib import Path

import pytest

from doctor.advice import advise
from doctor.facts import (
    BrokerFacts,
    BucketFacts,
    ClockFacts,
    Facts,
    Gpu,
    ModelFacts,
    NetworkFacts,
    Place,
    Python,
    RunningFacts,
    StoreFacts,
    TorchFacts,
    Weights,
    WeightsFacts,
)
from doctor.judging import judge_model
from doctor.lines import Line, problems

AWQ = "openbmb/MiniCPM-o-4_5-awq"
FOLDER = Path("data/models") / AWQ
CARD_8 = Gpu("RTX 4060", 8_585_740_288, 8_100_000_000, (8, 9))
CARD_24 = Gpu("RTX 4090", 25_757_220_864, 25_000_000_000, (8, 9))
CARD_6 = Gpu("RTX 2060", 6_442_450_944, 6_000_000_000, (7, 5))
TORCH = TorchFacts("2.11.0+cu130", "13.0", (CARD_8,))
WEIGHTS = Weights(FOLDER, True, 8_460_000_000, 7_120_000_000, 1_240_000_000, 27)
BF16 = replace(WEIGHTS, quantised=False, stored_bytes=18_740_000_000, device_bytes=17_400_000_000)

WELL = Facts(
    command="reelnotes",
    in_image=False,
    commentators=("minicpm",),
    unknown_commentators=(),
    known_commentators=("builtin", "minicpm"),
    model_path=AWQ,
    window_tokens=2048,
    decoder_bytes=0,
    bad_setting="",
    broken={},
    python=Python((3, 11, 7), {"av": "18.1.0"}),
    data=Place(Path("data"), True, 10**11),
    store=StoreFacts("Postgres", "current", 0.1, "15.20", "0006"),
    running=RunningFacts("", "", "0.1.0", True, {"minicpm": 2}, 1),
    broker=BrokerFacts(False, "8.0", -0.1),
    media=Place(Path("data/media"), True, 10**11),
    clock=ClockFacts("2026-11-24T12:00:00+00:00", False),
    gpus=(CARD_8,),
    torch=TORCH,
    weights=WeightsFacts(FOLDER, WEIGHTS, False, ()),
)

SOUND = ModelFacts(
    device="RTX 4060",
    dtype="float16",
    load_s=9.0,
    loss=2.1,
    random_loss=11.93,
    seen_loss=1.5,
    blank_loss=3.0,
    vision_layers=27,
    vision_layers_stored=27,
    comment="A man.",
    tokens=5,
    tokens_per_s=60.0,
    vision_ms=30.0,
    prefill_ms=50.0,
    peak_bytes=8_000_000_000,
)


def running(workers: dict[str, int], sweeps: int, version: str = "0.1.0") -> RunningFacts:
    return RunningFacts("http://127.0.0.1:8000", version, "0.1.0", True, workers, sweeps)


def with_weights(weights: Weights | None, **rest: object) -> WeightsFacts:
    return replace(WeightsFacts(FOLDER, weights, False, ()), **rest)  # type: ignore[arg-type]


def of(facts: Facts, subject: str) -> Line:
    (line,) = [line for line in advise(facts) if line.subject == subject]
    return line


def test_a_machine_that_lacks_nothing_has_no_problem_and_no_note() -> None:
    assert [line for line in advise(WELL) if line.level != "ok"] == []


def test_an_8_gb_card_holds_awq_and_not_bf16() -> None:
    assert of(WELL, "fit").level == "ok"
    line = of(replace(WELL, weights=with_weights(BF16)), "fit")
    assert line.level == "problem"
    assert "need 17.6 GB at least" in line.text
    assert line.next_step == f"the 4-bit weights: reelnotes pull {AWQ}, then MODEL_PATH={AWQ}"


def test_a_24_gb_card_holds_bf16() -> None:
    torch = replace(TORCH, gpus=(CARD_24,))
    line = of(replace(WELL, torch=torch, gpus=(CARD_24,), weights=with_weights(BF16)), "fit")
    assert (line.level, line.text) == (
        "ok",
        "the weights need 17.6 GB at least, their first window included; 8.84 GB are left beside them "
        "for windows",
    )


def test_a_6_gb_card_is_too_small_for_both() -> None:
    line = of(replace(WELL, torch=replace(TORCH, gpus=(CARD_6,))), "fit")
    assert line.level == "problem"
    assert "12 GB or more" in line.next_step


def test_what_decoders_and_long_windows_take_counts() -> None:
    assert of(replace(WELL, window_tokens=8192), "fit").level == "problem"
    line = of(replace(WELL, decoder_bytes=4_760_000_000), "fit")
    assert line.level == "problem"
    assert "4.76 GB for GPU_DECODERS" in line.text
    assert line.next_step == "set GPU_DECODERS lower, or unset it"


def test_decoding_on_the_gpu_is_told_where_it_is_asked_for() -> None:
    assert of(replace(WELL, gpu_decoding=""), "GPU decoding").level == "ok"
    line = of(replace(WELL, gpu_decoding="no GPU whose driver decodes"), "GPU decoding")
    assert line.level == "problem"
    assert "decodes nothing: no GPU whose driver decodes; the CPU decodes" in line.text
    assert "NVIDIA_DRIVER_CAPABILITIES" in line.next_step


def test_memory_that_others_hold_is_a_note() -> None:
    busy = replace(CARD_8, free_bytes=1_000_000_000)
    assert of(replace(WELL, torch=replace(TORCH, gpus=(busy,))), "fit").level == "note"


@pytest.mark.parametrize(
    ("change", "subject", "step"),
    [
        ({"torch": None}, "PyTorch", "COMMENTATOR=minicpm make run"),
        ({"torch": TorchFacts("2.9.1", "12.8", (CARD_8,))}, "PyTorch", "make run"),
        ({"torch": TorchFacts("2.13.0+cpu", "", ())}, "PyTorch", "COMMENTATOR=minicpm make run"),
        ({"torch": TorchFacts("2.13.0", "13.0", ())}, "PyTorch", "update NVIDIA's driver"),
        ({"gpus": (), "torch": TorchFacts("2.13.0+cpu", "", ())}, "GPU", "COMMENTATOR=builtin"),
        ({"weights": with_weights(None)}, "weights", f"reelnotes pull {AWQ}"),
        ({"weights": with_weights(None, interrupted=True)}, "weights", f"reelnotes pull {AWQ}"),
        ({"weights": with_weights(None, others=("a/b",))}, "weights", "MODEL_PATH=a/b"),
        (
            {"weights": with_weights(replace(WEIGHTS, trouble="x is missing"))},
            "weights",
            f"mv {FOLDER} {FOLDER}.broken && reelnotes pull {AWQ}",
        ),
        ({"broken": {"torch": "OSError: libcudart"}, "torch": None}, "torch", "make run"),
    ],
)
def test_what_minicpm_lacks_is_a_problem_for_it_and_a_note_for_others(
    change: dict[str, object], subject: str, step: str
) -> None:
    facts = replace(WELL, **change)  # type: ignore[arg-type]
    line = of(facts, subject)
    assert line.level == "problem"
    assert step in line.next_step
    assert problems(advise(replace(facts, commentators=("builtin",)))) == 0
    assert problems(advise(replace(facts, commentators=("builtin", "minicpm")))) == 1


@pytest.mark.parametrize(
    ("change", "subject", "words"),
    [
        ({"bad_setting": "WEB_PORT must be a number."}, "settings", "WEB_PORT must be"),
        ({"unknown_commentators": ("gpt",)}, "settings", "this version has: builtin, minicpm"),
        ({"python": Python((3, 9, 2), {})}, "Python", "3.11, 3.12 or 3.13"),
        ({"python": Python((3, 12, 1), {"av": ""})}, "packages", "missing: av"),
        ({"data": Place(Path("data"), False, 0)}, "data folder", "can't be written"),
        ({"store": StoreFacts("SQLite", "newer", None)}, "store", "newer version"),
        ({"clock": ClockFacts("1970-01-01T00:00:00+00:00", True)}, "clock", "before"),
        ({"store": StoreFacts("Postgres", "current", 61.0)}, "clock", "the store's is +61.0 s off"),
        ({"broken": {"store": "OperationalError: refused"}, "store": None}, "store", "refused"),
        (
            {"python": Python((3, 12, 1), {"av": "17.0"}, {"av": ">=18,<20"})},
            "packages",
            "av 17.0 (>=18,<20 is needed)",
        ),
        ({"media": Place(Path("m"), True, 10**8)}, "media folder", "uploads are refused"),
        ({"running": running({"builtin": 0}, 1)}, "workers of builtin", "their jobs wait"),
        ({"running": running({"builtin": 1}, 0)}, "sweep", "no beat answers"),
        ({"running": running({"builtin": 1}, 1, "0.0.9")}, "page", "0.0.9, and 0.1.0 is installed"),
        ({"store": StoreFacts("SQLite", "current", None, overdue_s=999.0)}, "sweep", "999 s ago"),
    ],
)
def test_what_everybody_needs_is_a_problem_for_all(
    change: dict[str, object], subject: str, words: str
) -> None:
    facts = replace(WELL, commentators=("builtin",), **change)  # type: ignore[arg-type]
    line = of(facts, subject)
    assert line.level == "problem"
    assert words in line.text
    assert problems(advise(facts)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"store": StoreFacts("SQLite", "older", None)},
        {"data": Place(Path("data"), True, 10**9)},
    ],
)
def test_what_can_wait_is_a_note(change: dict[str, object]) -> None:
    lines = advise(replace(WELL, **change))  # type: ignore[arg-type]
    assert [line.level for line in lines if line.level != "ok"] == ["note"]


def test_where_nothing_runs_nobody_is_missed() -> None:
    facts = replace(WELL, running=RunningFacts("", "", "0.1.0", False))
    assert of(facts, "running").level == "ok"
    assert problems(advise(facts)) == 0


def test_in_an_image_nobody_is_told_to_make_anything() -> None:
    """What came with the image is mended by another image."""
    image = replace(WELL, in_image=True)
    changes: list[dict[str, object]] = [
        {"python": Python((3, 9, 2), {})},
        {"python": Python((3, 12, 1), {"av": ""})},
        {"python": Python((3, 12, 1), {"av": "17.0"}, {"av": ">=18,<20"})},
        {"store": StoreFacts("SQLite", "newer", None)},
        {"torch": TorchFacts("2.9.1", "12.8", (CARD_8,))},
        {"broken": {"torch": "OSError: libcudart"}, "torch": None},
        {"broken": {"store": "ModuleNotFoundError: psycopg"}, "store": None},
        {"bucket": BucketFacts("s3://videos", "the package boto3 is missing")},
    ]
    for change in changes:
        (line,) = [
            line
            for line in advise(replace(image, **change))  # type: ignore[arg-type]
            if line.level == "problem"
        ]
        assert "docker compose up --build" in line.next_step
        assert "make" not in line.next_step


def test_an_image_without_pytorch_lacks_nothing_that_workers_elsewhere_have() -> None:
    missing = NetworkFacts("a/b", Path("data/models/a/b"), "it isn't there", "", 0)
    web = replace(
        WELL,
        in_image=True,
        torch=None,
        gpus=(),
        gpu_decoding="no GPU",
        weights=with_weights(None),
        network=missing,
    )
    for commentators in (("minicpm",), ("transformers",)):
        lines = advise(replace(web, commentators=commentators))
        assert problems(lines) == 0
        assert "runs no networks" in next(one.text for one in lines if one.subject == "PyTorch")
    unserved = replace(web, running=RunningFacts("", "", "0.1.0", True, {"minicpm": 0}, 1))
    assert of(unserved, "workers of minicpm").level == "problem"


def test_sound_weights_pass() -> None:
    assert {line.level for line in judge_model(SOUND)} == {"ok"}


def test_a_network_that_speaks_and_does_not_see_is_told_of_the_last_layer() -> None:
    (line,) = [
        line for line in judge_model(replace(SOUND, blank_loss=1.5)) if line.level == "problem"
    ]
    assert line.subject == "sight"
    assert '"drop_vision_last_layer": true in config.json, so that 26 layers' in line.next_step


@pytest.mark.parametrize(
    ("loss", "level"), [(2.0, "ok"), (5.3, "ok"), (6.5, "note"), (8.0, "problem"), (12, "problem")]
)
def test_language_is_judged_by_what_ignorance_costs(loss: float, level: str) -> None:
    assert judge_model(replace(SOUND, loss=loss))[0].level == level
