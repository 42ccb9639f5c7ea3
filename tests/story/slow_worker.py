"""A worker process that tells a summary and stops in the middle: `python -m tests.story.slow_worker URL FOLDER JOB`."""

import sys
import time
from pathlib import Path

from models.media import folder_media
from tests.conftest import open_store
from tests.story.test_steps import Teller, run
from worker.commentator import Matter
from worker.keeper import Keeper
from worker.site import Site

_TOLD_BEFORE = 2


def main() -> None:
    url, folder, job_id = sys.argv[1:]
    store = open_store(url)
    teller = Teller()

    def stop(_: Matter) -> None:
        if len(teller.asked) > _TOLD_BEFORE:
            print("telling", flush=True)
            time.sleep(600)

    teller.before = stop
    keeper = Keeper(store, lease_ms=30_000, call_timeout_s=120)
    run(Site(store, folder_media(Path(folder)), teller, keeper, 30_000, 120), job_id)


if __name__ == "__main__":
    main()
