"""The commentator `openai`: any endpoint that speaks OpenAI's chat completions and takes pictures.

commentator.py   a job's words and pictures → a request; the answer → words, tokens, cost
endpoint.py      one request: tried until it is answered or its time is over
stream.py        the answer's bytes → text as it comes, and what it took
untaken.py       which field of a request a refusal says that the endpoint doesn't take
turns.py         when an endpoint that is busy may be asked again, for all threads
"""

from worker.openai.commentator import open_openai

__all__ = ["open_openai"]
