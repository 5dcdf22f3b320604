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
    # Espressif's own compiler for Xtensa is PlatformIO's; this one is for a smaller core of the family.
    want xtensa-lx106-elf-gcc gcc-xtensa-lx106
    # Arduino's own headers, of the one core that Debian has.
    [ -e /usr/share/arduino/hardware/arduino/avr/cores/arduino/Arduino.h ] &&
        has avr-g++ || packages+=(arduino-core-avr gcc-avr avr-libc)
    # What builds the simulator of a core from its RTL.
    want verilator verilator
    want g++ g++
    want make make
    want clang-19 clang-19
    want ld.lld-19 lld-19
    want qemu-system-riscv32 qemu-system-riscv
fi

# Boards with vectors need QEMU 10; where there is none, their tests are skipped and say why.
new_qemu=10
qemu_major() { has "$1" && "$1" --version | sed -n '1s/.*version \([0-9]*\).*/\1/p'; }
qemu_is_new() { [ "$(qemu_major qemu-system-riscv32 || echo 0)" -ge $new_qemu ]; }

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi
root_apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"; }

# Debian 12 has QEMU 10 in its backports. They are added for this one call, to copies of apt's sources and lists, and
# come from wherever Debian 12 itself comes from.
qemu_from_backports() {
    local site folder status=0
    site=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' | sed -n 's/^bookworm //p' | head -n 1)
    [ -n "$site" ] || return 1
    folder=$(mktemp -d)
    mkdir -p "$folder/parts" "$folder/lists/partial"
    cp /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources "$folder/parts" 2>/dev/null || true
    echo "deb $site bookworm-backports main" >"$folder/parts/bookworm-backports.list"
    chmod -R a+rX "$folder"
    local where=(-o "Dir::Etc::sourceparts=$folder/parts" -o "Dir::State::lists=$folder/lists")
    {
        root_apt "${where[@]}" -o APT::Update::Error-Mode=any update &&
            root_apt "${where[@]}" install -y --no-install-recommends -t bookworm-backports qemu-system-arm qemu-system-riscv
    } >"$folder/log" 2>&1 || status=1
    [ $status -eq 0 ] || tail -n 3 "$folder/log" >&2
    "${as_root[@]}" rm -rf "$folder"
    return $status
}

if [ "$goal" = test ] && ! qemu_is_new && [ "$(. /etc/os-release && echo "$VERSION_CODENAME")" = bookworm ] &&
    has apt-get && { [ ${#as_root[@]} -eq 0 ] || has sudo; }; then
    say "installing QEMU $new_qemu from bookworm-backports"
    if qemu_from_backports; then
        packages=("${packages[@]/#qemu-system-*/}")
        read -r -a packages <<<"${packages[*]}"
    else
        say "bookworm-backports could not be reached: boards with vectors will not run"
    fi
fi

if [ ${#packages[@]} -gt 0 ]; then
    if [ ${#as_root[@]} -gt 0 ]; then
        has sudo || fail "missing: ${packages[*]}" "run as root: apt-get install ${packages[*]}"
    fi
    has apt-get || fail "missing: ${packages[*]}" "install these with your system's package manager, then try again"
    root_apt update
    # RISC-V emulators have a package of their own only in newer releases.
    if ! apt-cache show qemu-system-riscv >/dev/null 2>&1; then
        packages=("${packages[@]/%qemu-system-riscv/qemu-system-misc}")
    fi
    say "installing ${packages[*]}"
    log=$(mktemp)
    if ! root_apt install -y --no-install-recommends "${packages[@]}" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "apt-get could not install ${packages[*]}" "the whole log is $log"
    fi
    rm -f "$log"
    python=$(find_python)
fi
if [ "$goal" = test ] && ! qemu_is_new; then
    say "QEMU $(qemu_major qemu-system-riscv32) is too old for boards with vectors: their tests will be skipped"
fi
[ -n "$python" ] || fail "Python 3.11 or newer is needed" "install python3.11 or newer, then run make again"

if ! .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
say "installing edgelearn[$extra] into .venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$extra]"
