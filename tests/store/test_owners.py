"""An owner's token says whether its process is gone, where that can be known for certain."""

import subprocess
import sys
from pathlib import Path

from models import chunks
from models.owners import is_gone, new_owner
from models.store import Store
from tests.store.rows import claim, make_job

ROOT = Path(__file__).parents[2]


def owner_that_ended() -> str:
    program = "from models.owners import new_owner; print(new_owner())"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_token_fits_its_column_and_is_never_used_twice() -> None:
    tokens = {new_owner() for _ in range(100)}
    assert len(tokens) == 100
    assert max(map(len, tokens)) <= 64


def test_only_a_process_of_this_machine_and_namespace_is_known_to_be_gone() -> None:
    ended = owner_that_ended()
    assert is_gone(ended)
    assert not is_gone(new_owner())
    host, boot, namespace, process, rest = ended.rsplit("-", 4)
    assert not is_gone("-".join([host, "00000000", namespace, process, rest]))
    assert not is_gone("-".join([host, boot, "1", process, rest]))
    assert not any(map(is_gone, ["", "somebody", "a-b-c-d-e", "aaaabbbbccccdddd"]))


def test_a_chunk_whose_process_is_gone_is_free_long_before_its_lease_ends(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        assert claim(session, job, owner_that_ended())
        alive = claim(session, job, new_owner())
        assert alive
    with store.write() as session:
        assert chunks.free_expired(session).to_do == {job.id: 1}
        assert chunks.owners_alive(session, [alive.owner]) == {alive.owner}


def test_a_lease_is_short_enough_to_be_noticed_in_time_and_long_enough_to_be_renewed() -> None:
    assert chunks.lease_ms(30, 5) == 25_000
    assert chunks.lease_ms(30, 20) == 15_000
    assert chunks.lease_ms(1, 5) == 500
