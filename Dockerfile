# One image for web, worker, beat and the migration. No GPU: the builtin commentator works on the CPU.

FROM python:3.11-slim-bookworm AS build
WORKDIR /app
RUN python3 -m venv /venv
COPY requirements-postgres.txt ./
RUN /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements-postgres.txt
COPY . .
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --editable .

FROM python:3.11-slim-bookworm
RUN useradd --uid 1000 --create-home reelnotes \
    && install --directory --owner=reelnotes --group=reelnotes /data
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER reelnotes
ENV PATH=/venv/bin:$PATH DATA_DIR=/data PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["reelnotes"]
CMD ["web"]
