"""The commentator `transformers`: networks of the hub's class AutoModelForImageTextToText.

commentator.py   a job's words and pictures → a request; the reply → words, times, tokens
prompts.py       the network's own chat template and processor; nobody writes its control tokens
engine.py        one thread that gathers requests of many into batches
rows.py          one request in a batch: how its words are chosen and when they end
network.py       a folder's files → the network
folder.py        what a folder lacks, told from its files alone

All but the last need PyTorch, so nothing is imported here.
"""
