# Sourced by ./proa and ./dev: one virtual environment in the checkout, made once and refreshed when the lock changes.

# The newest Python >= 3.11 on the path, or an explanation.
find_python() {
    local candidate
    for candidate in ${PROA_PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "proa needs Python 3.11 or newer; set PROA_PYTHON to one, or: apt-get install python3 python3-venv" >&2
    return 1
}

# Debian packages by name, installed only if one of them is missing. Needs root; says so otherwise.
ensure_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ]; then
        echo "missing Debian packages (install them as root): ${missing[*]}" >&2
        return 1
    fi
    echo "installing ${missing[*]}" >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; }
}

# ensure_environment ROOT [LOCK]: install the locked dependencies and this checkout into ROOT/.venv.
ensure_environment() {
    local root=$1 lock=${2:-requirements.lock} stamp python
    stamp="$root/.venv/.installed-$lock"
    if [ -f "$stamp" ] && cmp -s "$stamp" "$root/$lock"; then
        return
    fi
    python=$(find_python)
    echo "setting up $root/.venv (once)" >&2
    if [ ! -x "$root/.venv/bin/python" ]; then
        "$python" -m venv "$root/.venv" 2>/dev/null || {
            ensure_packages python3-venv
            "$python" -m venv "$root/.venv"
        }
    fi
    "$root/.venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$root/$lock"
    # The checkout itself needs no build: a path file makes src/ importable.
    echo "$root/src" >"$("$root/.venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')/proa-checkout.pth"
    cp "$root/$lock" "$stamp"
}
