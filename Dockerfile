# docker build -t inbedder .
# docker run --rm -v "$PWD:/data" -v inbedder-cache:/cache inbedder cluster reviews.csv -i "What emotion is expressed?"
#
# TORCH_INDEX is the address of PyTorch's builds for your device, from its installation page: the CPU build is
# several gigabytes smaller, a CUDA build must fit your driver. Without it, pip takes the default of the platform.
# With a CUDA build, run with: docker run --gpus all ...
FROM python:3.13-slim

ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    INBEDDER_CACHE=/cache

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY inbedder_cli inbedder_cli
RUN if [ -n "$TORCH_INDEX" ]; then pip install --index-url "$TORCH_INDEX" torch==2.13.0; fi \
    && pip install -c constraints.txt '.[excel,plot,train]' \
    && useradd --create-home --uid 1000 inbedder \
    && install -d -m 0700 -o 1000 /cache

USER 1000
VOLUME /cache
WORKDIR /data
ENTRYPOINT ["inbedder"]
CMD ["--help"]
