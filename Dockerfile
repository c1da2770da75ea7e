# What is built with stays behind: the image has the product, its locked packages and its pages.
FROM python:3.12-slim-bookworm AS build

WORKDIR /sluice
COPY requirements.txt ./
COPY app ./app
COPY agents ./agents
COPY tables ./tables
COPY connectors ./connectors
COPY config ./config
COPY domain ./domain
COPY scripts ./scripts
# The same set-up as on any machine: packages with hashes in .venv, the console's beside it.
RUN PYTHONPATH=. python -P -m scripts.house.environment --console \
    && .venv/bin/python -m compileall -q app agents tables connectors config domain

FROM python:3.12-slim-bookworm

# By number, so that Kubernetes can see that it is not root.
RUN useradd --system --uid 10001 --user-group --home-dir /data sluice \
    && install --directory --owner 10001 --group 10001 /data /archive
COPY --from=build /sluice /sluice

USER 10001:10001
WORKDIR /sluice
VOLUME /data
ENV SLUICE_DATA_DIR=/data PYTHONPATH=/sluice PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/sluice/.venv/bin:$PATH
EXPOSE 6066
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --retries=3 --start-period=60s \
    CMD ["/sluice/.venv/bin/python", "/sluice/scripts/house/healthy.py"]
ENTRYPOINT ["/sluice/.venv/bin/python", "-P", "-m", "app.cli"]
CMD ["up"]
