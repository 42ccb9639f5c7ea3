# Three images of one checkout:
#
#     docker build --target web --tag reelnotes .        web, and beat, migrate, worker-cpu: no PyTorch
#     docker build --target gpu --tag reelnotes-gpu .    worker-gpu: PyTorch for CUDA, several GB
#
# Packages come first, by the hashed lock: a change of our code rebuilds only the last layers.

ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS packages
RUN python3 -m venv /venv
ENV PATH=/venv/bin:$PATH
COPY requirements-postgres.txt requirements-s3.txt /
RUN pip install --no-cache-dir --require-hashes --requirement /requirements-postgres.txt \
    --requirement /requirements-s3.txt
# Further packages, such as those of the extra otel: not locked, but what is locked stays as it is.
ARG PACKAGES=
RUN test -z "$PACKAGES" || pip install --no-cache-dir ${PACKAGES}

# PyTorch isn't in the lock: its builds differ by GPU. TORCH pins the one that is taken.
FROM packages AS packages-gpu
ARG TORCH="torch==2.11.* transformers==5.17.* safetensors==0.* tokenizers==0.*"
RUN pip install --no-cache-dir ${TORCH}

FROM ${PYTHON} AS base
RUN useradd --uid 1000 --create-home reelnotes \
    && install --directory --owner=reelnotes --group=reelnotes /data
WORKDIR /app
# Nothing is written beside /data and /tmp: the root file system may be read-only.
ENV PATH=/venv/bin:$PATH DATA_DIR=/data PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
VOLUME /data
ENTRYPOINT ["reelnotes"]

FROM base AS gpu
COPY --from=packages-gpu /venv /venv
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && python -m compileall -q .
USER 1000:1000
ENV COMMENTATOR=minicpm TRITON_CACHE_DIR=/tmp/triton NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
HEALTHCHECK --interval=60s --timeout=30s --start-period=300s CMD ["reelnotes", "alive"]
CMD ["worker"]

FROM base AS web
COPY --from=packages /venv /venv
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && python -m compileall -q .
USER 1000:1000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"WEB_PORT\", 8000)}/api/health', timeout=5)"]
CMD ["web"]
