# What a person types. `make` alone says what there is.

PYTHON ?=
BIN = .venv/bin
comma = ,
EXTRAS = $(if $(DATABASE_URL),postgres) $(if $(MEDIA_URL),s3) $(if $(filter minicpm transformers,$(subst $(comma), ,$(COMMENTATOR))),torch)

# Some shells set it. Every program would then compile all its packages anew at each of its starts, which more than
# doubles what that takes; the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

# The first Python of a version that works; its path is put into $$python.
find_python = \
	for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
		"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
			>/dev/null 2>&1 && break; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Reelnotes needs Python 3.11, 3.12 or 3.13, and finds none on PATH" \
			"(python3 is: $$(python3 --version 2>&1 || true))." \
			"Install one, or name it: make PYTHON=/path/to/python3.12 $@" >&2; \
		exit 1; \
	fi
install = $(find_python); "$$python" install.py

UV_FLAGS ?=

SEED ?= $(shell date +%s)
MUTATIONS ?= 3200
EXAMPLES ?= 300
KILLS ?= 200
LEASE ?= 30

# Tests that watch the memory of all children of theirs (these first), or clocks while all of the product is in trouble.
ALONE = tests/hostile/test_bombs.py tests/hostile/test_mutations.py tests/faults tests/journey/test_load.py
# Four on two cores: a good part of their time is waiting. tests/conftest.py says which files begin.
# Where a process of the tests has fallen, xdist would wait for ever for what it hands to another: the run ends instead.
TOGETHER = --numprocesses 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(ALONE:%=--ignore %)

.PHONY: help run doctor demo test coverage faults hostile audit bench format lock clean

help:
	@echo "make run     install what is needed, then serve the page on http://127.0.0.1:8000"
	@echo "make doctor  say what this machine can run and what to do next"
	@echo "make demo    comment the sample clip in a throwaway folder and print its subtitles"
	@echo "make test    formatting, lint, types and every test, as CI does"
	@echo "make coverage  run every test, then say which lines and branches of models, worker and web they reach"
	@echo "make faults  kill, freeze and starve every process of both stacks at random moments (SEED=n KILLS=n LEASE=s FIGURES=file)"
	@echo "make hostile read thousands of broken files, send thousands of odd requests (SEED=n MUTATIONS=n EXAMPLES=n)"
	@echo "make audit   ask the public list of known holes about the packages; needs the network"
	@echo "make bench   measure the builtin commentator, sampling and the store here (CLIPS="a.mp4 b.mp4")"
	@echo "make format  put the code into shape"
	@echo "make lock    resolve the dependencies anew into requirements*.txt"
	@echo "make clean   remove .venv and caches; the data stay"

run:
	@$(install) $(EXTRAS) && exec $(BIN)/reelnotes serve

# Needs nothing that is installed: what is missing is a line of its answer.
doctor:
	@$(find_python); if [ -x $(BIN)/python ]; then python=$(BIN)/python; fi; "$$python" -m doctor

demo:
	@$(install) && exec $(BIN)/reelnotes demo

test:
	@$(install) postgres dev torch-if-light
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(TOGETHER)
	$(BIN)/python -m pytest $(ALONE)

# The tests again, each process of theirs measured; fails below this many percent of a package's lines and branches.
LEAST_COVERED = 90
coverage:
	@$(install) postgres dev torch-if-light
	rm -rf .coverage.d
	@export PYTHONPATH="$(CURDIR)/tests/measuring"; failed=0; \
	$(BIN)/python -m pytest $(TOGETHER) || failed=1; \
	$(BIN)/python -m pytest $(ALONE) || failed=1; \
	unset PYTHONPATH; $(BIN)/python -m tests.measuring $(LEAST_COVERED) && exit $$failed

# The long form of what `make test` does with one kill of each program.
faults:
	@$(install) postgres dev
	$(BIN)/python -m pytest tests/faults --patience 0 --seed $(SEED) --kills $(KILLS) --lease $(LEASE) $(if $(FIGURES),--figures $(FIGURES))

# The long form of what `make test` does with 200 files and 25 requests for each route.
hostile:
	@$(install) postgres dev
	$(BIN)/python -m pytest tests/hostile tests/security --patience 0 --seed $(SEED) --mutations $(MUTATIONS) --examples $(EXAMPLES)

# Where the list can't be reached nothing is proven: it says so and fails.
audit:
	@$(find_python); tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && \
	"$$python" -m venv "$$tools" && "$$tools/bin/pip" install --quiet pip-audit && \
	"$$tools/bin/pip-audit" --strict --require-hashes --disable-pip --requirement requirements-postgres.txt

bench:
	@$(install) dev && exec $(BIN)/python -m bench $(CLIPS)

format:
	@$(install) dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# One version of each package for every Python, so that what is tested on one holds for all.
# Versions that still fit stay: `make lock UV_FLAGS=--upgrade` takes the newest.
lock:
	@$(find_python); tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && \
	"$$python" -m venv "$$tools" && "$$tools/bin/pip" install --quiet uv && \
	compile="$$tools/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
		--custom-compile-command 'make lock' $(UV_FLAGS) pyproject.toml" && \
	eval "$$compile --output-file requirements.txt" && \
	eval "$$compile --constraint requirements.txt --extra postgres --output-file requirements-postgres.txt" && \
	eval "$$compile --constraint requirements.txt --extra s3 --output-file requirements-s3.txt" && \
	eval "$$compile --constraint requirements.txt --extra postgres --extra dev --output-file requirements-dev.txt"

clean:
	rm -rf .venv build *.egg-info .coverage.d .mypy_cache .pytest_cache .ruff_cache tests/artefacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
