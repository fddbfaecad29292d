# The project with its locked packages; once built it needs no network.
#   docker build -t clv .
#   docker run --rm --network none --user "$(id -u)" -v "$PWD/params:/clv/params" -v "$PWD/data:/clv/data" \
#       -v "$PWD/outputs:/clv/outputs" clv report params/orders.yaml
FROM python:3.13-slim
# Chromium draws the picture files; without a compiler PyTensor warns that it cannot fuse loops.
RUN apt-get update && apt-get install -y --no-install-recommends chromium g++ git make && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir uv
ENV UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /clv
COPY . .
RUN make env
ENV PATH="/clv/.venv/bin:$PATH"
ENTRYPOINT ["clv"]
CMD ["report", "params/cdnow.yaml"]
