"""Who comments here, and what a job can be submitted with."""

from typing import TypedDict


class CommentatorShape(TypedDict):
    name: str
    label: str  # what a person must know before believing it
    takes_prompt: bool  # profile, instruction and the other parameters of a prompt


class ProfileShape(TypedDict):
    name: str
    title: str
    system_prompt: str


class OfferShape(TypedDict):
    """What a job can be submitted with; the first commentator is the default."""

    commentators: list[CommentatorShape]
    profiles: list[ProfileShape]
    default_profile: str
