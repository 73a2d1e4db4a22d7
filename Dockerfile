# docker build -t interakt-loader . ; docs/containers.md has the commands to run it.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
# More packages, such as --build-arg EXTRAS=databases,remote
ARG EXTRAS=""
WORKDIR /src
COPY . .
# Everything in the versions of the lock, and compiled, because the image is read-only later.
# pip takes no hashes from constraints, so it only installs uv.
RUN python -m venv /tmp/build \
    && /tmp/build/bin/pip install --quiet "$(grep --only-matching '^uv==[^ ]*' constraints.txt)" \
    && /tmp/build/bin/uv build --quiet --wheel --build-constraints constraints.txt --out-dir /tmp/dist . \
    && python -m venv --without-pip /opt/interakt \
    && /tmp/build/bin/uv pip install --quiet --compile-bytecode --constraints constraints.txt \
        --python /opt/interakt/bin/python "interakt-loader[${EXTRAS}] @ $(ls /tmp/dist/*.whl)"

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="interakt-loader" \
      org.opencontainers.image.description="Load a table into Interakt, one API call a row, one report line a row." \
      org.opencontainers.image.source="https://github.com/interakt-loader/interakt_loader" \
      org.opencontainers.image.licenses="MIT"
# The user has a fixed number, so that the folders of a host or a cluster can be made for it.
RUN groupadd --gid 10001 interakt \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin interakt \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/interakt /opt/interakt
ENV PATH=/opt/interakt/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    INTERAKT_STATE_DIR=/data/.state
USER 10001:10001
# All state: ledgers, reports, failures files, records of loads, and the secrets of the ledgers.
WORKDIR /data
VOLUME /data
ENTRYPOINT ["interakt-loader"]
CMD ["--help"]
