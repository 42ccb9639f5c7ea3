"""Each part that the doctor looks at, whole and broken, on real files, stores and brokers."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from doctor.advice import FULL_DISK_BYTES, advise
from doctor.facts import RunningFacts, StoreFacts
from doctor.lines import Line
from doctor.parts import (
    fits,
    look_at_broker,
    look_at_gpu_decoding,
    look_at_gpus,
    look_at_place,
    look_at_running,
    look_at_store,
)
from doctor.weights import find_weights, read_weights
from models.jobs import get_job
from models.store import Store
from settings import Settings
from tests.conftest import open_store
from tests.doctor.conftest import FIXTURES, MODEL
from tests.doctor.test_advice import WELL
from tests.journey.stack import running_stack
from tests.packaging.processes import wait_for
from tests.store.rows import claim, make_job
from web.uploads import SPARE_BYTES


def test_weights_are_known_by_their_headers(data_dir: Path) -> None:
    weights = read_weights(data_dir / "models" / MODEL)
    shards = sum(path.stat().st_size for path in (FIXTURES / "awq").glob("*.safetensors"))
    assert (weights.trouble, weights.quantised, weights.vision_layers) == ("", True, 3)
    assert weights.stored_bytes == shards
    assert 0.9 * shards < weights.device_bytes < shards  # audio and speech stay on the disk
    assert weights.embedding_bytes == 402 * 256 * 2
    assert not read_weights(FIXTURES / "bf16").quantised


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("model-00002-of-00002.safetensors", "short", "has 828321 bytes and should have 828322"),
        ("model-00002-of-00002.safetensors", "cut", "ends within its header"),
        ("model-00001-of-00002.safetensors", "gone", "00001-of-00002.safetensors is missing"),
        ("model-00001-of-00002.safetensors", "garbage", "is no safetensors file"),
        ("model-00001-of-00002.safetensors", "empty", "unpack requires"),
        ("model.safetensors.index.json", "garbage", "codec can't decode"),
        ("model.safetensors.index.json", "gone", "model.safetensors is missing"),
        ("config.json", "gone", "config.json is missing"),
        ("config.json", "empty", "Expecting value"),
        ("vocab.json", "gone", "vocab.json or tokenizer.json is missing"),
    ],
)
def test_weights_that_are_not_whole_are_told(
    data_dir: Path, name: str, damage: str, words: str
) -> None:
    path = data_dir / "models" / MODEL / name
    size = path.stat().st_size
    if damage == "gone":
        path.unlink()
    elif damage == "garbage":
        path.write_bytes(b"\xff" * 2000)
    else:
        os.truncate(path, {"short": size - 1, "cut": 1000, "empty": 0}[damage])
    assert words in read_weights(data_dir / "models" / MODEL).trouble


def test_a_tensor_that_only_the_index_knows_is_missed(data_dir: Path) -> None:
    index = data_dir / "models" / MODEL / "model.safetensors.index.json"
    index.write_text(index.read_text().replace("resampler.query", "resampler.quarry"))
    assert "resampler.quarry is in no shard" in read_weights(index.parent).trouble


def test_an_interrupted_pull_and_other_weights_are_seen(data_dir: Path) -> None:
    models = data_dir / "models"
    (models / "a" / "b.part").mkdir(parents=True)
    (models / "a" / "b.part" / "config.json").touch()
    found = find_weights(models / "a" / "b", models)
    assert (found.weights, found.interrupted, found.others) == (None, True, (MODEL,))


def test_a_store_of_each_age_is_recognised(database_url: str, tmp_path: Path) -> None:
    settings = replace(Settings(), data_dir=tmp_path, database_url=database_url)
    facts = look_at_store(settings)
    assert facts.standing == "current"
    if facts.kind == "Postgres":
        assert facts.clock_s is not None
        assert abs(facts.clock_s) < 5
    with pretended_revision(database_url, "9999"):
        assert look_at_store(settings).standing == "newer"


@contextmanager
def pretended_revision(url: str, revision: str) -> Iterator[None]:
    store = open_store(url)
    with store.engine.connect() as connection:
        real = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()

    def write(number: str) -> None:
        with store.write() as session:
            session.execute(text("UPDATE alembic_version SET version_num = :n"), {"n": number})

    try:
        write(revision)
        yield
    finally:
        write(real)
        store.engine.dispose()


def test_a_store_without_a_schema_is_empty(empty_database_url: str, tmp_path: Path) -> None:
    settings = replace(Settings(), data_dir=tmp_path, database_url=empty_database_url)
    sqlite = empty_database_url.startswith("sqlite")
    assert look_at_store(settings).standing == ("none" if sqlite else "empty")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "reelnotes.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(DatabaseError, match="not a database"):
        look_at_store(replace(Settings(), data_dir=tmp_path))


def test_no_store_yet_is_no_fault(tmp_path: Path) -> None:
    facts = look_at_store(replace(Settings(), data_dir=tmp_path / "data"))
    assert facts == StoreFacts("SQLite", "none", None)
    assert not (tmp_path / "data").exists()


def test_a_broker_is_asked_for_its_version_and_its_clock(broker_url: str) -> None:
    facts = look_at_broker(replace(Settings(), redis_url=broker_url))
    assert not facts.embedded
    assert facts.server
    assert facts.clock_s is not None
    assert abs(facts.clock_s) < 5


def test_without_a_broker_the_embedded_one_is_found() -> None:
    facts = look_at_broker(Settings())
    assert facts.embedded
    assert Path(facts.server).is_file()


@pytest.mark.parametrize("path", ["/proc/nowhere", "/etc/passwd", "/etc/passwd/below"])
def test_a_folder_that_cannot_be_made_is_told(path: str) -> None:
    assert not look_at_place(Path(path)).writable


def test_looking_at_a_folder_leaves_nothing_in_it(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "a" / "b"):
        assert look_at_place(folder).writable
    assert list(tmp_path.iterdir()) == []


def test_the_driver_is_believed_and_its_failure_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = shutil.which("sh")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert look_at_gpus() == ()
    smi = tmp_path / "nvidia-smi"
    smi.write_text(f"#!{shell}\necho 'Some, Card, 8188, 8000'\n")
    smi.chmod(0o755)
    (gpu,) = look_at_gpus()
    assert (gpu.name, gpu.total_bytes) == ("Some, Card", 8_585_740_288)
    smi.write_text(f"#!{shell}\necho 'driver mismatch'; exit 18\n")
    with pytest.raises(RuntimeError, match="driver mismatch"):
        look_at_gpus()


def test_a_gpu_that_decodes_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # on machines that have one
    reason = look_at_gpu_decoding(Settings(gpu_decoders=1))
    assert reason is not None
    assert reason.startswith("no GPU whose driver decodes video")
    assert look_at_gpu_decoding(Settings()) is None


@pytest.mark.parametrize(
    ("version", "wanted", "fit"),
    [
        ("18.1.0", ">=18,<20", True),
        ("17.9", ">=18,<20", False),
        ("20.0.1", ">=18,<20", False),
        ("2.13.0+cpu", ">=2.11", True),
        ("5.7.0rc1", ">=5.7,<6", True),
        ("1", "", True),
    ],
)
def test_versions_are_held_against_what_the_project_asks_for(
    version: str, wanted: str, fit: bool
) -> None:
    assert fits(version, wanted) is fit


def test_a_lease_that_nobody_takes_back_is_overdue(store: Store, database_url: str) -> None:
    settings = replace(Settings(), database_url=database_url)
    with store.write() as session:
        job = make_job(session)
        assert claim(session, job)
    assert look_at_store(settings).overdue_s == 0
    with store.write() as session:
        assert claim(session, get_job(session, job.id), lease_ms=-90_000)
    assert 90 <= look_at_store(settings).overdue_s < 150


def test_the_page_refuses_uploads_where_the_doctor_says_so() -> None:
    assert FULL_DISK_BYTES == SPARE_BYTES


def test_who_answers_is_told_and_who_is_away_is_missed(tmp_path: Path) -> None:
    settings = replace(Settings(), data_dir=tmp_path)
    with running_stack(tmp_path) as stack:
        everybody = wait_for(lambda: whole(look_at_running(settings)), "worker and beat to answer")
        assert everybody.version == everybody.ours
        assert everybody.url == stack.url
        for program, subject in (("beat", "sweep"), ("worker", "workers of builtin")):
            (process,) = stack.program(program)
            process.suspend()
            line = lines_of(settings)[subject]
            assert (line.level, "answers" in line.text) == ("problem", True)
            process.resume()
        wait_for(lambda: whole(look_at_running(settings)), "both to answer again")
    gone = look_at_running(settings)
    assert (gone.url, gone.asked) == ("", False)


def whole(facts: RunningFacts) -> RunningFacts | None:
    return facts if facts.workers == {"builtin": 1} and facts.sweeps == 1 else None


def lines_of(settings: Settings) -> dict[str, Line]:
    facts = replace(WELL, commentators=("builtin",), running=look_at_running(settings))
    return {line.subject: line for line in advise(facts)}
