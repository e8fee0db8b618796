# What the scripts of this directory share: the machines, and how they say what goes wrong. Sourced by them.
# shellcheck shell=bash disable=SC2034

# Where everything that is fetched or built is kept: a directory for each machine.
GUEST_CACHE=$(realpath -m "${CARGO_TARGET_DIR:-$(dirname "${BASH_SOURCE[0]}")/../../target}/guest")

say() { printf 'guest +%ss: %s\n' "$SECONDS" "$*" >&2; }
die() { printf 'guest: %s\n' "$*" >&2; exit 125; }

# has_tools COMMAND=PACKAGE...: ends with the names of the packages whose commands are missing.
has_tools() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} = 0 ] || die "missing here; as root: apt-get install ${missing[*]}"
}

# machine NAME: sets the facts of a machine, by Debian's name of its architecture.
#   FLAVOUR  Debian's kernel for it        KERNEL_ARCH, CROSS  what the kernel's makefiles call it, and its compiler
#   QEMU     program and board; GICv2 and no high memory for the 32-bit one, whose kernel has no LPAE
machine() {
  case $1 in
    arm64)
      FLAVOUR=arm64 KERNEL_ARCH=arm64 CROSS=aarch64-linux-gnu-
      QEMU=(qemu-system-aarch64 -M 'virt,gic-version=2' -cpu cortex-a53)
      ;;
    armhf)
      FLAVOUR=armmp KERNEL_ARCH=arm CROSS=arm-linux-gnueabihf-
      QEMU=(qemu-system-arm -M 'virt,gic-version=2,highmem=off' -cpu cortex-a15)
      ;;
    *) die "no machine '$1': arm64 or armhf" ;;
  esac
  MACHINE_DIR=$GUEST_CACHE/$1
}
