# Debian's packages of a machine's architecture. Sourced behind machine.sh, for the machine that it set.
#
# They come by an apt whose state is in the cache, too, so that dpkg of this computer learns no foreign architecture.
# shellcheck shell=bash

# apt_setup: an apt of its own for all machines, fed by this computer's Debian mirror.
apt_setup() {
  local apt=$GUEST_CACHE/apt codename sources
  export APT_CONFIG=$apt/apt.conf
  # Debian takes packages away when there are newer ones: lists are good for a day.
  [ -z "$(find "$apt/ok" -mmin -1440 2>/dev/null)" ] || return 0
  has_tools apt-get=apt dpkg-deb=dpkg
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  # main of the release alone: one index a machine, and its kernel, headers and source are always of one version.
  # shellcheck disable=SC2016 # apt's own variables
  sources=$(APT_CONFIG='' apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)' |
    sed -n "s/^Packages $codename main //p" | sort -u)
  [ -n "$sources" ] || die "apt of this computer knows no 'main' of Debian's '$codename'"
  mkdir -p "$apt"/{lists,archives}/partial "$apt/parts"
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
    "$(head -1 <<<"$sources")" "$codename" >"$apt/sources.list"
  : >"$apt/status"
  cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/parts";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
Dir::Cache::archives "$apt/archives";
APT::Sandbox::User "";
APT::Architecture "arm64";
APT::Architectures { "arm64"; "armhf"; };
Acquire::Languages "none";
Acquire::Retries "3";
CONF
  say "package lists"
  timeout 300 apt-get -qq update >&2 || die "the package lists of Debian's '$codename' cannot be had"
  touch "$apt/ok"
}

# fetch PACKAGE...: downloads packages into the machine's directory.
fetch() {
  mkdir -p "$MACHINE_DIR/debs"
  say "fetch $*"
  (cd "$MACHINE_DIR/debs" && timeout 600 apt-get -q download "$@" >&2) ||
    die "cannot be downloaded: $*; where Debian has newer ones by now, begin anew: rm -r $MACHINE_DIR"
}

# unpack PACKAGE DIR [PATTERN...]: a downloaded package's files, those alone that match.
unpack() {
  local deb=("$MACHINE_DIR/debs/$1"_*.deb)
  mkdir -p "$2"
  dpkg-deb --fsys-tarfile "${deb[0]}" | tar -x -C "$2" --wildcards "${@:3}"
}
