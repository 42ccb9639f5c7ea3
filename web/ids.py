"""The ids of jobs and videos, as they stand in addresses."""

from werkzeug.routing import BaseConverter


class IdConverter(BaseConverter):
    """Matches what new_id() makes, and no path out of the media folder."""

    regex = "[a-z2-7]{16}"
