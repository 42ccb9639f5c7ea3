"""`python -m cli`: the command line where `reelnotes` is not on PATH."""

from cli import main

main()
