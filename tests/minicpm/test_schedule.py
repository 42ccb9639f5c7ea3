"""Who is admitted when."""

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

from worker.minicpm.schedule import CROWD, GATHER, PATIENCE, admit_now


def test_a_window_that_comes_first_begins_at_once() -> None:
    assert admit_now([300], free=64, running=0, waited=0, most=8192) == 1


def test_no_more_are_admitted_than_there_are_slots() -> None:
    assert admit_now([300] * 9, free=2, running=62, waited=0, most=8192) == 2
    assert admit_now([300] * 9, free=0, running=64, waited=99, most=8192) == 0


def test_reading_is_bounded_so_that_those_who_write_go_on() -> None:
    assert admit_now([3000] * 9, free=64, running=0, waited=0, most=8192) == 2
    assert admit_now([9000, 10], free=64, running=0, waited=0, most=8192) == 1


def test_a_few_wait_for_company_while_many_write_but_not_for_long() -> None:
    few = [300] * (GATHER - 1)
    assert admit_now(few, free=8, running=CROWD, waited=PATIENCE - 1, most=8192) == 0
    assert admit_now(few, free=8, running=CROWD, waited=PATIENCE, most=8192) == len(few)
    assert admit_now(few, free=8, running=CROWD - 1, waited=0, most=8192) == len(few)
    assert admit_now([300] * GATHER, free=8, running=CROWD, waited=0, most=8192) == GATHER
