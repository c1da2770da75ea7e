FROM python:3.12-slim-bookworm

WORKDIR /sluice
COPY . .
# The same set-up as on any machine: locked packages in .venv, the console's packages beside it.
RUN PYTHONPATH=. python -P -m scripts.house.environment --console \
    && useradd --system --home-dir /data sluice \
    && install --directory --owner sluice /data

USER sluice
VOLUME /data
ENV SLUICE_DATA_DIR=/data PYTHONPATH=/sluice PYTHONUNBUFFERED=1
EXPOSE 6066
ENTRYPOINT ["/sluice/.venv/bin/python", "-P", "-m", "app.cli"]
CMD ["up"]
