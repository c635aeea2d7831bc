# Images of Heimdall:
#   serve     API and page, locating by likelihood and by exported models; no torch
#   training  the worker: the same, with torch as PyPI ships it (its wheels bring CUDA; the driver comes from the host)
#   mlflow    the tracking server
#   secrets   makes the passwords of the first start
# docker compose up -d --build training    builds what it needs. docs/gpu.md tells which TORCH_VERSION a driver takes.

FROM python:3.13-slim AS base
ENV PATH=/opt/heimdall/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_CACHE_DIR=/var/cache/pip \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    GIT_PYTHON_REFRESH=quiet \
    MLFLOW_DISABLE_TELEMETRY=true \
    ORT_DISABLE_TELEMETRY=1 \
    RAY_USAGE_STATS_ENABLED=0 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    DO_NOT_TRACK=1
RUN groupadd --gid 10001 heimdall \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/heimdall --shell /usr/sbin/nologin heimdall \
 && install -d -o heimdall -g heimdall -m 0750 /var/lib/heimdall \
 && python3 -m venv /opt/heimdall


# One requirements file an extra: the dependency layers below then change with them, not with every edit of pyproject.toml.
FROM base AS requirements
WORKDIR /requirements
COPY pyproject.toml docker/requirements.py ./
RUN python requirements.py pyproject.toml


FROM base AS secrets
COPY --chmod=0755 docker/make_secrets.py /opt/heimdall/bin/
CMD ["python", "/opt/heimdall/bin/make_secrets.py", "/secrets"]


FROM base AS wheel
WORKDIR /source
RUN --mount=type=cache,target=/var/cache/pip pip install "hatchling>=1.27"
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheel .


FROM base AS serve-dependencies
ARG PIP_INDEX_URL
COPY constraints.txt /opt/heimdall/constraints.txt
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,from=requirements,source=/requirements/serve.txt,target=/requirements.txt \
    pip install --constraint /opt/heimdall/constraints.txt \
      --requirement /requirements.txt


FROM serve-dependencies AS training-dependencies
ARG PIP_INDEX_URL
# Empty: the release of constraints-torch.txt. A host with NVIDIA driver 525 to 579 takes 2.10.0.
ARG TORCH_VERSION=
COPY constraints-torch.txt /opt/heimdall/constraints-torch.txt
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,from=requirements,source=/requirements/train.txt,target=/requirements.txt \
    if [ -n "$TORCH_VERSION" ]; then echo "torch==$TORCH_VERSION" > /opt/heimdall/constraints-torch.txt; fi \
 && pip install --constraint /opt/heimdall/constraints.txt --constraint /opt/heimdall/constraints-torch.txt \
      --requirement /requirements.txt


FROM base AS mlflow
ARG PIP_INDEX_URL
# Its job runners (for evaluations of language models) would take 1.2 GB for nothing.
ENV MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
COPY constraints.txt /opt/heimdall/constraints.txt
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,from=requirements,source=/requirements/tracking.txt,target=/requirements.txt \
    pip install --constraint /opt/heimdall/constraints.txt --requirement /requirements.txt
COPY --chmod=0755 docker/healthcheck.py docker/mlflow-server /opt/heimdall/bin/
RUN install -d -o heimdall -g heimdall -m 0750 /var/lib/mlflow
USER heimdall
WORKDIR /var/lib/mlflow
VOLUME /var/lib/mlflow
EXPOSE 5000
HEALTHCHECK --interval=15s --timeout=10s --start-period=120s --start-interval=2s --retries=4 CMD ["healthcheck.py", "5000", "/health"]
CMD ["mlflow-server"]


FROM training-dependencies AS training
ENV HEIMDALL_HOME=/var/lib/heimdall \
    MPLCONFIGDIR=/tmp/matplotlib \
    TORCH_HOME=/var/lib/heimdall/cache/torch \
    HF_HOME=/var/lib/heimdall/cache/huggingface
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel pip install --no-deps /wheel/*.whl
COPY --chmod=0755 docker/healthcheck.py /opt/heimdall/bin/
USER heimdall
WORKDIR /var/lib/heimdall
VOLUME /var/lib/heimdall
EXPOSE 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=120s --start-interval=2s --retries=4 CMD ["healthcheck.py", "8002", "/health"]
CMD ["heimdall", "worker"]


FROM serve-dependencies AS serve
ENV HEIMDALL_HOME=/var/lib/heimdall \
    MPLCONFIGDIR=/tmp/matplotlib
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel pip install --no-deps /wheel/*.whl
COPY --chmod=0755 docker/healthcheck.py /opt/heimdall/bin/
USER heimdall
WORKDIR /var/lib/heimdall
VOLUME /var/lib/heimdall
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=10s --start-period=120s --start-interval=2s --retries=4 CMD ["healthcheck.py", "8000", "/health"]
CMD ["heimdall", "serve", "--host", "0.0.0.0", "--port", "8000"]
