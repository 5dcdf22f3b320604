#!/usr/bin/env bash
# Makes a bare Debian 12, Debian 13 or Ubuntu 24.04 ready: `tools/setup.sh demo` for the demo, `tools/setup.sh test`
# for all boards and the tests. Installs only what is missing, and asks for root only then.
set -euo pipefail
cd "$(dirname "$0")/.."

goal=${1:-demo}
case $goal in
demo) extra=plot ;;
test) extra=test ;;
*)
    echo "error: '$goal' is neither demo nor test" >&2
    exit 2
    ;;
esac

say() { printf '%s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

fail() {
    say "error: $1"
    say ""
    say "hint: $2"
    exit 3
}

# The first Python that is new enough; "" if there is none.
find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if has "$candidate" && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

packages=()
want() { # want COMMAND PACKAGE
    has "$1" || packages+=("$2")
}

python=$(find_python)
if [ -z "$python" ]; then
    has python3 && say "found $(python3 --version 2>&1), which is too old"
    packages+=(python3 python3-venv)
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian keeps ensurepip apart, one package for each Python.
    [ "$python" = python3 ] && packages+=(python3-venv) || packages+=("$python-venv")
fi
want arm-none-eabi-gcc gcc-arm-none-eabi
want qemu-system-arm qemu-system-arm
if [ "$goal" = test ]; then
    want gcc gcc
    [ -e /usr/include/stdio.h ] || packages+=(libc6-dev)
    # A second compiler for the C of the host, with its sanitizers.
    has clang || packages+=(clang libclang-rt-dev)
    want riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf
    want qemu-system-riscv32 qemu-system-riscv
fi

if [ ${#packages[@]} -gt 0 ]; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || fail "missing: ${packages[*]}" "run as root: apt-get install ${packages[*]}"
        as_root=(sudo)
    fi
    has apt-get || fail "missing: ${packages[*]}" "install these with your system's package manager, then try again"
    "${as_root[@]}" apt-get update -qq
    # RISC-V emulators have a package of their own only in newer releases.
    if ! apt-cache show qemu-system-riscv >/dev/null 2>&1; then
        packages=("${packages[@]/%qemu-system-riscv/qemu-system-misc}")
    fi
    say "installing ${packages[*]}"
    log=$(mktemp)
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${packages[@]}" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "apt-get could not install ${packages[*]}" "the whole log is $log"
    fi
    rm -f "$log"
    python=$(find_python)
fi
[ -n "$python" ] || fail "Python 3.11 or newer is needed" "install python3.11 or newer, then run make again"

if ! .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
say "installing edgelearn[$extra] into .venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$extra]"
