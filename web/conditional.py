"""ETags: who asks again for what hasn't changed is told so, and sent nothing."""

from flask import Flask, Response, request

from web.contract import JSON, operation


def install(app: Flask) -> None:
    app.after_request(_tag)


def _tag(answer: Response) -> Response:
    """Tag what the contract says has an ETag; files have one of their own already."""
    about = operation(request.endpoint, request.method)
    if about is None or not about.tagged or request.method not in ("GET", "HEAD"):
        return answer
    if answer.status_code == 200 and answer.mimetype == JSON and not answer.is_streamed:
        answer.add_etag(weak=True)  # weak: a proxy may compress it
        answer.make_conditional(request.environ)
    return answer
