# shellcheck shell=bash disable=SC2154,SC2016 # `run` sets what is used here; some of it is for other shells
# Packages installed and removed: by dpkg in a copy of this computer, by hand as opkg does in a root of busybox alone.

# in_namespaces SCRIPT [ARG...]: a bash script with mounts, processes and a network of its own, where nothing outlives it.
in_namespaces() {
  as_root
  timeout --kill-after=5 60 unshare --mount --pid --net --ipc --uts --fork --mount-proc --propagation private \
    bash -euo pipefail -c "fail() { printf 'FAILED: %s\n' \"\$*\" >&2; exit 1; }; ip link set lo up; $1" bash "${@:2}"
}

# What tests of a running box share, for a script in namespaces: wait_for TEXT COMMAND...: until it prints that.
readonly TOGETHER='
wait_for() {
  local said
  for _ in $(seq 100); do
    said=$("${@:2}" 2>&1) || true
    [[ $said != *"$1"* ]] || return 0
    sleep 0.1
  done
  fail "${*:2}: no \"$1\" in: $said"
}
same() { [ "$2" = "$3" ] || fail "$1: \"$2\", not \"$3\""; }
'

# A root with busybox, the libraries of the program and nothing else, as a box has it.
busybox_root() {
  local tree=$1 library
  mkdir -p "$tree"/{bin,sbin,etc,proc,dev,run,tmp,usr/bin,usr/sbin,var}
  ln -s ../run "$tree/var/run"
  cp "$(command -v busybox)" "$tree/bin/busybox"
  for applet in $(busybox --list); do [ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"; done
  # The host's program is not static as the boxes' are.
  for library in $(ldd "$program" | grep -o '/[^ ]*'); do
    mkdir -p "$tree$(dirname "$library")"
    cp -L "$library" "$tree$library"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
  printf 'root:x:0:\nvideo:x:44:kodi' >"$tree/etc/group" # no end of line: a script must not glue its own to it
  echo 'root:*:0:0:99999:7:::' >"$tree/etc/shadow"
}

# opkg_unpack IPK ROOT: what opkg does before it runs postinst, which is left in ROOT/tmp.
opkg_unpack() {
  ipk_member "$1" data.tar.gz | busybox tar -xz -C "$2"
  ipk_member "$1" control.tar.gz | busybox tar -xz -C "$2/tmp"
}

# Installed, upgraded with changed settings, removed and purged; the program runs as its user, and its state stays.
test_dpkg_installs_upgrades_removes_and_purges() {
  local next=$work/next
  as_root
  cp -a "$copy" "$work/copy2"
  sed -i 's/^version = "0\.1\.0"/version = "0.1.1"/' "$work/copy2/Cargo.toml"
  sed -i '/^name = "stbcast"$/{n;s/"0\.1\.0"/"0.1.1"/}' "$work/copy2/Cargo.lock"
  sed -i 's/^# log = info/# log = warn/' "$work/copy2/scripts/packaging/stbcast.conf"
  mkdir "$next"
  cp "$program" "$next/stbcastd"
  "$work/copy2/scripts/package" t-sysv "$next" >/dev/null
  in_namespaces "$TOGETHER"'
    old=$1 new=$2 tree=$3/overlay
    mkdir "$tree"
    mount -t tmpfs tmpfs "$tree"
    mkdir "$tree"/{up,work,root}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$tree/up,workdir=$tree/work" "$tree/root"
    cp "$old" "$tree/root/old.deb"
    cp "$new" "$tree/root/new.deb"
    cd "$tree/root"
    mount -t proc proc proc
    mount -t tmpfs run run
    mount --bind /dev dev
    printf "#!/bin/sh\nexit 0\n" >usr/sbin/policy-rc.d
    chmod 0755 usr/sbin/policy-rc.d
    box() { chroot "$tree/root" "$@"; }
    quietly() { box "$@" >said 2>&1 </dev/null || fail "$*: $(cat said)"; }
    page() { box busybox wget -qO- http://127.0.0.1:8800/api/v1/box; }
    runs_as() { stat -c %u "/proc/$(cat run/stbcastd.pid)"; }

    quietly dpkg --force-unsafe-io -i old.deb
    wait_for "\"version\"" page
    same "its user" "$(runs_as)" 700
    same "the number" "$(box id -u stbcast)" 700
    box id -nG stbcast | grep -qw video || fail "not in group video: $(box id stbcast)"
    same "settings" "$(stat -c "%a %u %g" etc/stbcast/stbcast.conf)" "640 0 700"
    same "state" "$(stat -c "%a %u" var/lib/stbcast)" "700 700"
    [ -e etc/rc2.d/S01stbcast ] || fail "it would not start at boot"
    [ -L etc/systemd/system/multi-user.target.wants/stbcast.service ] || fail "systemd would not start it"
    quietly /usr/bin/stbcastd player Kodi
    kept() { (cd var/lib/stbcast && find . -type f ! -name "*.sock" | sort | xargs sha256sum); }
    wait_for "./" kept
    before=$(box /usr/bin/stbcastd terminals)
    [[ $before == *Kodi* ]] || fail "terminals: $before"

    # The owner changed the settings, the new package has others: the owner has the last word, the service runs on.
    echo "name = tv.example" >>etc/stbcast/stbcast.conf
    first=$(cat run/stbcastd.pid)
    quietly env DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io --force-confold -i new.deb
    wait_for "\"version\"" page
    [ "$(cat run/stbcastd.pid)" != "$first" ] || fail "the old program still runs"
    grep -qx "name = tv.example" etc/stbcast/stbcast.conf || fail "the settings are lost"
    same "settings" "$(stat -c "%a %g" etc/stbcast/stbcast.conf)" "640 700"
    same "terminals" "$(box /usr/bin/stbcastd terminals)" "$before"

    quietly dpkg --force-unsafe-io --remove stbcast
    [ ! -e usr/bin/stbcastd ] || fail "the program is still there"
    pgrep stbcastd >/dev/null && fail "it still runs"
    grep -qx "name = tv.example" etc/stbcast/stbcast.conf || fail "removal took the settings"
    [ -n "$(kept)" ] || fail "removal took the state"

    quietly dpkg --force-unsafe-io -i new.deb
    wait_for "\"version\"" page
    same "terminals" "$(box /usr/bin/stbcastd terminals)" "$before"

    quietly dpkg --force-unsafe-io --purge stbcast
    for left in etc/stbcast var/lib/stbcast etc/init.d/stbcast etc/rc2.d/S01stbcast etc/systemd/system/multi-user.target.wants/stbcast.service; do
      [ ! -e "$left" ] && [ ! -L "$left" ] || fail "purge left $left"
    done
    box getent passwd stbcast && fail "purge left the user"
    pgrep stbcastd >/dev/null && fail "it still runs"
    true
  ' "$(packed t-sysv)"/*.deb "$next"/packages/*.deb "$work"
}

# Into the root of an image that is being made: nothing is run, and nothing outside of that root is touched.
test_an_ipk_goes_into_an_image() {
  local of tree user
  as_root
  for of in t-sysv t-procd t-dvb; do
    tree=$work/image-$of
    busybox_root "$tree"
    mkdir -p "$tree"/etc/rc{2,3,6}.d
    [ $of != t-procd ] || echo >"$tree/etc/rc.common"
    # Somebody has the number already.
    [ $of != t-sysv ] || echo 'kodi:x:700:700::/:/bin/false' >>"$tree/etc/passwd"
    opkg_unpack "$(packed $of)"/*.ipk "$tree"
    for _ in first again; do IPKG_INSTROOT=$tree/ busybox sh "$tree/tmp/postinst" configure; done
    user=stbcast:x:978:978:stbcast:/etc/stbcast/state:/bin/false
    case $of in
      t-sysv)
        user=stbcast:x:699:699:stbcast:/var/lib/stbcast:/bin/false
        same "groups" "$(tail -n 2 "$tree/etc/group")" "video:x:44:kodi,stbcast
stbcast:x:699:"
        same "links" "$(cd "$tree/etc" && echo rc?.d/*)" "rc2.d/S95stbcast rc3.d/S95stbcast rc6.d/K10stbcast"
        same "state" "$(stat -c '%a %u %g' "$tree/var/lib/stbcast")" "700 699 699"
        ;;
      t-procd) same "links" "$(cd "$tree/etc" && echo rc.d/*)" "rc.d/K10stbcast rc.d/S95stbcast" ;;
      t-dvb)
        user=tv:x:500:500:stbcast:/data/stbcast:/bin/false
        same "link" "$(readlink "$tree/etc/systemd/system/multi-user.target.wants/stbcast.service")" \
          /lib/systemd/system/stbcast.service
        ;;
    esac
    same "user" "$(tail -n 1 "$tree/etc/passwd")" "$user"
    same "shadow" "$(tail -n 1 "$tree/etc/shadow")" "${user%%:*}:!:0:0:99999:7:::"
    same "settings" "$(stat -c '%a %u' "$tree/etc/stbcast/stbcast.conf")" "640 0"
    [ -x "$tree$(readlink -m "/etc/rc3.d/../init.d/stbcast")" ] || [ $of = t-dvb ] || fail "the links lead nowhere"
    IPKG_INSTROOT=$tree/ busybox sh "$tree/tmp/prerm" upgrade 0.2.0
    find "$tree/etc" -type l | grep -q stbcast || fail "an upgrade took it out of the boot"
    IPKG_INSTROOT=$tree/ busybox sh "$tree/tmp/prerm" remove
    ! find "$tree/etc" -type l | grep stbcast || fail "its links are left"
  done
}

# On a box of busybox alone: installed, started, asked, restarted, stopped, by the script that is in the package.
test_the_sysv_script_runs_a_box() {
  local tree=$work/sysv
  as_root
  busybox_root "$tree"
  opkg_unpack "$(packed t-sysv)"/*.ipk "$tree"
  in_namespaces "$TOGETHER"'
    cd "$1"
    mount -t proc proc proc
    mount -t tmpfs run run
    mount --bind /dev dev
    box() { chroot . "$@"; }
    service() { box /etc/init.d/stbcast "$@" || return $?; }
    page() { box busybox wget -qO- http://127.0.0.1:8800/api/v1/box; }

    # The computer keeps its own.
    sed -i "s|^LIMIT=.*|LIMIT=/tmp/rmem_max|" etc/init.d/stbcast
    echo 20000000 >tmp/rmem_max
    box sh /tmp/postinst configure || fail "postinst"
    wait_for "\"version\"" page
    pid=$(cat run/stbcastd.pid)
    same "status" "$(service status)" "stbcast: running, process $pid"
    same "its ids" "$(awk "/^(Uid|Gid|Groups|CapEff)/ {print \$2, \$3, \$4}" "/proc/$pid/status" | tr "\n" " ")" \
      "700 700 700 700 700 700    0000000000000000   "
    same "the local socket" "$(stat -c "%F" run/stbcast/stbcast.sock)" socket
    same "files" "$(awk "/open files/ {print \$4}" "/proc/$pid/limits")" "$2"
    same "a larger buffer stays" "$(cat tmp/rmem_max)" 20000000
    same "started twice" "$(service start)" "stbcast: already running"
    same "the same" "$(cat run/stbcastd.pid)" "$pid"

    same "restart" "$(service restart)" "stbcast: stopped
stbcast: started"
    wait_for "\"version\"" page
    [ "$(cat run/stbcastd.pid)" != "$pid" ] || fail "the same process"
    pid=$(cat run/stbcastd.pid)

    same "stop" "$(service stop)" "stbcast: stopped"
    [ ! -d "/proc/$pid" ] || fail "it said that it has stopped"
    code=0; service status >/dev/null || code=$?
    same "status of what is stopped, as LSB has it" "$code" 3
    same "stopped twice" "$(service stop)" "stbcast: not running"

    # A number that another program has now is left alone.
    sleep 60 & echo $! >run/stbcastd.pid
    service stop >/dev/null
    kill -0 $! || fail "it ended another program"

    # What cannot start is told, at once.
    echo "listen = nowhere" >>etc/stbcast/stbcast.conf
    code=0; said=$(service start) || code=$?
    same "a start with wrong settings" "$code $said" "1 stbcast: it did not start; the system'"'"'s log tells why"
    sed -i "/nowhere/d" etc/stbcast/stbcast.conf

    # For an init that starts again what died: in the place of the script.
    chroot . /etc/init.d/stbcast foreground &
    child=$!
    wait_for "\"version\"" page
    same "the process of init" "$(cat run/stbcastd.pid)" "$child"
    kill -TERM "$child"
    wait "$child" || fail "it ended with $?"
    box sh /tmp/prerm remove
    [ ! -e etc/init.d/S95stbcast ] || fail "it would start at boot"
  ' "$tree" "$(sed -n 's/^FILES=//p' "$tree/etc/init.d/stbcast")"
}

# All is read-only but the state and /run, all rights are gone: it serves, and keeps what it has to keep.
test_a_read_only_root_is_enough() {
  local tree=$work/readonly
  as_root
  busybox_root "$tree"
  opkg_unpack "$(packed t-sysv)"/*.ipk "$tree"
  IPKG_INSTROOT=$tree busybox sh "$tree/tmp/postinst" configure
  in_namespaces "$TOGETHER"'
    cd "$1"
    mount --bind . .
    cd "$1"
    mount -t proc proc proc
    mount -t tmpfs run run
    chown 700:700 run
    mkdir -p var/lib/stbcast
    mount -t tmpfs -o mode=0700,uid=700,gid=700 state var/lib/stbcast
    mount --bind /dev dev
    mount -o remount,bind,ro .
    ! touch etc/x 2>/dev/null || fail "the root is not read-only"
    box() { chroot . "$@"; }
    start() {
      setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid --inh-caps=-all \
        chroot --userspec=700:700 --groups= . /usr/bin/stbcastd run --config /etc/stbcast/stbcast.conf 2>run/log &
    }
    page() { box busybox wget -qO- http://127.0.0.1:8800/api/v1/box; }
    start
    pid=$!
    wait_for "\"version\"" page
    box /usr/bin/stbcastd player Kodi >/dev/null
    wait_for Kodi box /usr/bin/stbcastd terminals
    kill -TERM $pid
    wait $pid || fail "it ended with $?: $(cat run/log)"
    ! grep -iE "error|read-only|denied" run/log || fail "it wanted to write elsewhere"
    start
    pid=$!
    wait_for Kodi box /usr/bin/stbcastd terminals
    kill -TERM $pid
  ' "$tree"
}

# What scripts/image packed for another CPU: its papers tell what was linked in there, dpkg installs it, and it runs.
test_an_image_for_another_cpu() {
  local place deb bill
  [ -n "${IMAGE:-}" ] || leave_out "IMAGE names no directory of scripts/image"
  place=$IMAGE/packages
  (cd "$place" && sha256sum --quiet -c SHA256SUMS) || fail "SHA256SUMS"
  bill=$(cat "$place/sbom.cdx.json")
  says "$bill" '"rust-core"' '"zig-compiler-rt"' '"purl": "pkg:generic/musl@1.' "$(sha256sum <"$IMAGE/stbcastd" | cut -c1-64)"
  ! grep -E '"name": "(gimli|addr2line|simdutf8)"' <<<"$bill" || fail "these are not linked in for this CPU"
  valid_bill "$place/sbom.cdx.json"
  deb=$(echo "$place"/*.deb)
  same "libraries" "$(dpkg-deb -f "$deb" Depends)" ""
  as_root
  in_namespaces "$TOGETHER"'
    tree=$2/arm
    mkdir "$tree"
    mount -t tmpfs tmpfs "$tree"
    mkdir "$tree"/{up,work,root}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$tree/up,workdir=$tree/work" "$tree/root"
    cp "$1" "$tree/root/arm.deb"
    cd "$tree/root"
    mount -t proc proc proc
    mount -t tmpfs run run
    mount --bind /dev dev
    # What it starts could not be run here.
    printf "#!/bin/sh\nexit 101\n" >usr/sbin/policy-rc.d
    chmod 0755 usr/sbin/policy-rc.d
    chroot . dpkg --force-unsafe-io --force-architecture -i arm.deb >said 2>&1 </dev/null || fail "$(cat said)"
    same "state" "$(chroot . stat -c "%a %U" var/lib/stbcast)" "700 stbcast"
    case $(chroot . dpkg-query -W -f "\${Architecture}" stbcast) in armhf) emulator=qemu-arm ;; *) emulator=qemu-aarch64 ;; esac
    [[ $("$emulator" usr/bin/stbcastd --version) == "stbcastd "* ]] || fail "it does not run"
    chroot . dpkg --force-unsafe-io --purge stbcast >said 2>&1 || fail "$(cat said)"
    [ ! -e var/lib/stbcast ] || fail "purge left the state"
  ' "$deb" "$work"
}
