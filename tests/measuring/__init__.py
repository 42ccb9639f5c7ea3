"""What `make coverage` measures with: every process of the tests, those in the sandbox too."""
