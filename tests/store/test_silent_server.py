"""A Postgres whose host vanishes is noticed by the kernel, long before its own limits."""

import socket

import psycopg
import pytest

from models.store import Store


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_connection_gives_silence_up(store: Store) -> None:
    connection = store.engine.raw_connection()
    driver = connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    line = socket.socket(fileno=driver.fileno())
    timeout_ms = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    idle_s = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    line.detach()
    connection.close()
    assert (timeout_ms, idle_s) == (20_000, 10)
