# Sourced by the tools: the Python environment of the reference generators and the trainer.

# Makes the environment of tools/python/requirements.txt in the cache, once, and prints its python.
python_environment() {
    local requirements=$graft_root/tools/python/requirements.txt
    local folder
    folder=$graft_cache/python-$(sha256sum "$requirements" | cut -c1-12)
    if [ ! -f "$folder/ready" ]; then
        python3 -c 'import venv' 2>/dev/null || ensure_packages python3 python3-venv
        say "Making the Python environment (torch, transformers, peft) …"
        rm -rf "$folder"
        python3 -m venv "$folder" || fail "python3 can't make an environment: install python3-venv"
        "$folder/bin/pip" install --quiet -r "$requirements" >&2 \
            || fail "the Python packages of $requirements could not be installed: is there a network?"
        touch "$folder/ready"
    fi
    printf '%s\n' "$folder/bin/python"
}
