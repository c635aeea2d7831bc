# Images of Heimdall:
#   serve     API and page, locating by likelihood and by exported models; no torch
#   training  the worker: the same, with torch (its wheels bring CUDA; the driver comes from the host)
#   mlflow    the tracking server
#   secrets   makes the passwords of the first start
# docker compose up -d --build training    builds what it needs. docs/how-to/gpu.md tells which TORCH_VERSION a driver takes.

# As in heimdall/__init__.py; a test holds them together.
ARG VERSION=0.1.0

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


# For a torch that has no lock file: the layer below then changes with these lines, not with every edit of pyproject.toml.
FROM base AS requirements
WORKDIR /requirements
COPY pyproject.toml docker/requirements.py ./
RUN python requirements.py pyproject.toml train > train.txt


FROM base AS secrets
COPY --chmod=0755 docker/make_secrets.py /opt/heimdall/bin/
CMD ["python", "/opt/heimdall/bin/make_secrets.py", "/secrets"]
ARG VERSION
ARG REVISION=unknown
LABEL org.opencontainers.image.title="heimdall-secrets" org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" org.opencontainers.image.revision="$REVISION"


FROM base AS wheel
ARG PIP_INDEX_URL
WORKDIR /source
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,source=docker/lock/wheel.txt,target=/lock.txt \
    pip install --require-hashes --requirement /lock.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
# The commit, as it is told or as .git in the context names it; an unpacked archive has none.
ARG REVISION=
RUN --mount=type=bind,target=/context \
    REVISION="$REVISION" python /context/docker/revision.py /context > src/heimdall/REVISION
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheel .


FROM base AS serve-dependencies
ARG PIP_INDEX_URL
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,source=docker/lock/serve.txt,target=/lock.txt \
    pip install --require-hashes --requirement /lock.txt


FROM serve-dependencies AS training-dependencies
ARG PIP_INDEX_URL
# Of the releases on PyPI the last that is built for CUDA 12.8: it runs on every driver from 525 on and has code for the
# cards from V100 to RTX 50. `heimdall up` takes the newest release where the driver is 580 or newer.
ARG TORCH_VERSION=2.10.0
# cpu, cu126, ...: a build from PyTorch's own index, or a mirror of it, instead of the one on PyPI.
ARG TORCH_BUILD=
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,source=docker/lock,target=/lock \
    --mount=type=bind,source=constraints.txt,target=/constraints.txt \
    --mount=type=bind,from=requirements,source=/requirements/train.txt,target=/requirements.txt \
    torch="$TORCH_VERSION${TORCH_BUILD:++$TORCH_BUILD}" \
 && if [ -f "/lock/training-$torch.txt" ]; then \
      pip install --require-hashes --requirement "/lock/training-$torch.txt"; \
    else \
      echo "torch $torch has no lock file (make lock): its files are not checked against hashes" >&2; \
      pip install --constraint /constraints.txt ${TORCH_BUILD:+--extra-index-url "$TORCH_INDEX_URL/$TORCH_BUILD"} \
        --requirement /requirements.txt "torch==$torch"; \
    fi


FROM base AS mlflow
ARG PIP_INDEX_URL
# Its job runners (for evaluations of language models) would take 1.2 GB for nothing.
ENV MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,source=docker/lock/mlflow.txt,target=/lock.txt \
    pip install --require-hashes --requirement /lock.txt
COPY --chmod=0755 docker/healthcheck.py docker/mlflow-server /opt/heimdall/bin/
RUN install -d -o heimdall -g heimdall -m 0750 /var/lib/mlflow
USER heimdall
WORKDIR /var/lib/mlflow
VOLUME /var/lib/mlflow
EXPOSE 5000
HEALTHCHECK --interval=15s --timeout=10s --start-period=120s --start-interval=2s --retries=4 CMD ["healthcheck.py", "5000", "/health", "--end-a-hung-server"]
CMD ["mlflow-server"]
ARG VERSION
ARG REVISION=unknown
LABEL org.opencontainers.image.title="heimdall-mlflow" org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" org.opencontainers.image.revision="$REVISION"


FROM training-dependencies AS training
ENV HEIMDALL_HOME=/var/lib/heimdall \
    MPLCONFIGDIR=/tmp/matplotlib \
    TORCH_HOME=/var/lib/heimdall/cache/torch \
    HF_HOME=/var/lib/heimdall/cache/huggingface
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel pip install --no-deps /wheel/*.whl
COPY --chmod=0755 docker/healthcheck.py /opt/heimdall/bin/
# Last on the PATH: the NVIDIA Container Toolkit lays the real one into /usr/bin.
COPY --chmod=0755 docker/nvidia-smi /opt/heimdall/without-gpu/
ENV PATH=$PATH:/opt/heimdall/without-gpu
USER heimdall
WORKDIR /var/lib/heimdall
VOLUME /var/lib/heimdall
EXPOSE 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=120s --start-interval=2s --retries=4 CMD ["healthcheck.py", "8002", "/health", "--end-a-hung-server"]
CMD ["heimdall", "worker"]
ARG VERSION
ARG REVISION=unknown
LABEL org.opencontainers.image.title="heimdall-training" org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" org.opencontainers.image.revision="$REVISION"


FROM serve-dependencies AS serve
ENV HEIMDALL_HOME=/var/lib/heimdall \
    MPLCONFIGDIR=/tmp/matplotlib
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel pip install --no-deps /wheel/*.whl
COPY --chmod=0755 docker/healthcheck.py /opt/heimdall/bin/
USER heimdall
WORKDIR /var/lib/heimdall
VOLUME /var/lib/heimdall
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=10s --start-period=120s --start-interval=2s --retries=4 CMD ["healthcheck.py", "8000", "/health", "--end-a-hung-server"]
CMD ["heimdall", "serve", "--host", "0.0.0.0", "--port", "8000"]
ARG VERSION
ARG REVISION=unknown
LABEL org.opencontainers.image.title="heimdall-serve" org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" org.opencontainers.image.revision="$REVISION"
