# The step update as a container: build it from the root of the repository (push.sh does).
FROM public.ecr.aws/amazonlinux/amazonlinux:2023

RUN dnf install --assumeyes --setopt=install_weak_deps=False python3.12 python3.12-pip shadow-utils \
    && dnf clean all
WORKDIR /sluice
# First what rarely changes: the three steps share these layers.
COPY requirements.txt .
RUN python3.12 -m venv .venv \
    && .venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements.txt
COPY . .
RUN useradd --system sluice && install --directory --owner sluice /data

USER sluice
ENV SLUICE_DATA_DIR=/data PYTHONUNBUFFERED=1
ENTRYPOINT ["/sluice/config/aws/job.sh", "update"]
