"""Looks into a bucket from a host that reaches it, as a program of its own.

    python -m tests.bucket.visit make             makes the bucket; it keeps every version of an object
    python -m tests.bucket.visit copy FOLDER      copies it in the layout of DATA_DIR/media, prints all versions

MEDIA_URL and the other settings say which bucket.
"""

import json
import os
import sys
import time
from pathlib import Path

from botocore.exceptions import EndpointConnectionError

from models.bucket import Bucket
from models.media import open_media
from settings import Settings


def make(bucket: Bucket) -> None:
    for _ in range(3000):
        try:
            bucket.client.create_bucket(Bucket=bucket.bucket)
            break
        except EndpointConnectionError:  # the server is still starting
            time.sleep(0.1)
    kept = {"Status": "Enabled"}
    bucket.client.put_bucket_versioning(Bucket=bucket.bucket, VersioningConfiguration=kept)  # type: ignore[arg-type]


def copy(bucket: Bucket, folder: Path) -> list[list[str]]:
    """Return name and version of all that was ever written, half done uploads too."""
    listed = bucket.client.get_paginator("list_object_versions").paginate(Bucket=bucket.bucket)
    pages = list(listed)
    versions = [one for page in pages for one in page.get("Versions", [])]
    removals = [one for page in pages for one in page.get("DeleteMarkers", [])]
    for one in versions:
        if one["IsLatest"]:
            path = folder / one["Key"].removeprefix(bucket.prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            bucket.client.download_file(bucket.bucket, one["Key"], str(path))
    half_done = bucket.client.list_multipart_uploads(Bucket=bucket.bucket).get("Uploads", [])
    return [
        *([one["Key"], one["VersionId"]] for one in versions),
        *([one["Key"], one["VersionId"]] for one in removals),
        *([one["Key"], one["UploadId"]] for one in half_done),
    ]


def main() -> None:
    storage = open_media(Settings.from_env(os.environ)).storage
    assert isinstance(storage, Bucket)
    if sys.argv[1] == "make":
        make(storage)
    else:
        print(json.dumps(copy(storage, Path(sys.argv[2]))))


if __name__ == "__main__":
    main()
