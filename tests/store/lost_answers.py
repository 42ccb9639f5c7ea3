"""A commit that takes effect, and a connection that breaks before its client hears of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session


@contextmanager
def lost_answer(when: Callable[[], bool]) -> Iterator[None]:
    """Lose the answer to the first commit after which the condition holds; see that there was one."""
    lost: list[Session] = []

    def lose(session: Session) -> None:
        if not lost and when():
            lost.append(session)
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))

    event.listen(Session, "after_commit", lose)
    try:
        yield
    finally:
        event.remove(Session, "after_commit", lose)
    assert lost
