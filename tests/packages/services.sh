# shellcheck shell=bash disable=SC2154,SC2016 # `run` sets what is used here; some of it is for other shells
# The settings and the init scripts.

# Every key that the program has stands in the settings, and every example in them is one that the program takes.
test_the_settings_are_the_programs() {
  local place conf=$work/stbcast.conf known line said key
  place=$(packed host)
  tar -xzOf "$place"/*.tar.gz etc/stbcast/stbcast.conf >"$conf"
  # The settings are read before the command line's rest, whose address ends it.
  taken() {
    if said=$("$program" run --config "$1" --listen nowhere 2>&1); then fail "it ran: $said"; fi
    says "$said" "listen 'nowhere'"
  }
  taken "$conf"
  ! grep -v '^#' "$conf" | grep -q . || fail "what is not a comment takes the place of the board's facts"
  echo 'nosuch = 1' >"$work/wrong.conf"
  known=$({ "$program" run --config "$work/wrong.conf" 2>&1 || true; } | sed -n 's/.*known: //p' | tr -d ' ')
  [ -n "$known" ] || fail "the program names no known keys"
  for key in ${known//,/ }; do
    grep -qE "^# $key = ." "$conf" || fail "the settings do not show '$key'"
  done
  grep -E '^# [a-z-]+ = ' "$conf" | cut -c3- >"$work/examples"
  while read -r line; do
    key=${line%% *}
    [[ ,$known, == *,$key,* ]] || fail "the program does not know '$line'"
    echo "$line" >"$work/one.conf"
    taken "$work/one.conf"
  done <"$work/examples"
  tr -d '\r' <"$work/examples" >"$work/all.conf"
  taken "$work/all.conf"
}

# unit BOARD: its unit in a root where what it starts is there.
unit() {
  local place tree=$work/units/$1
  place=$(packed "$1")
  mkdir -p "$tree"
  dpkg-deb --extract "$place"/*.deb "$tree"
  printf '%s\n' "$tree/lib/systemd/system/stbcast.service"
}

# Exposure as systemd counts it, 0 to 10: what is left is that it is a server on the network, and its devices.
test_the_unit_is_sound_and_tight() {
  local board file said most
  for board in host t-dvb; do
    file=$(unit $board)
    sed "s|^ExecStart=|&$work/units/$board|" "$file" >"$work/units/stbcast.service"
    said=$(systemd-analyze verify --man=no "$work/units/stbcast.service" 2>&1) || fail "$board: $said"
    same "$board: what systemd has to say of it" "$said" ""
    # With a tuner it may see the kernel's threads, by which a television that closed its tuner is known.
    case $board in host) most=11 ;; *) most=18 ;; esac
    systemd-analyze security --offline=true --threshold=$most "$file" >"$work/exposure" \
      || fail "$board: $(grep -E '✗|Overall' "$work/exposure")"
    tail -n 1 "$work/exposure"
  done
  same "devices without a tuner" "$(grep -E '^(PrivateDevices|Device)' "$(unit host)")" "PrivateDevices=yes"
  file=$(cat "$(unit t-dvb)")
  says "$file" "DeviceAllow=char-DVB rw" "DevicePolicy=closed" "SupplementaryGroups=video audio" "User=tv" \
    "ReadWritePaths=/data/stbcast" "RuntimeDirectory=stbcast" "CapabilityBoundingSet=CAP_NET_BIND_SERVICE"
  ! grep -E '^(PrivateDevices|PrivateUsers|StateDirectory)=' <<<"$file" || fail "this board cannot have these"
}

# What the unit forbids is nothing that the program does: its system calls, from start over requests to its end.
test_the_program_lives_within_its_unit() {
  local file trace=$work/trace box=$work/box used
  file=$(unit host)
  mkdir "$box"
  strace -qqf -o "$trace" "$program" run --state "$box/state" --listen 127.0.0.1:18811 \
    --source "file:$box/none.ts" --source "udp://239.255.1.1:15011" >"$work/box.log" 2>&1 &
  local tracer=$!
  for _ in $(seq 100); do grep -q 'serving on' "$work/box.log" && break; sleep 0.1; done
  busybox wget -qO "$work/answer" http://127.0.0.1:18811/api/v1/box || fail "no answer: $(cat "$work/box.log")"
  "$program" terminals --state "$box/state" >/dev/null
  "$program" player Kodi --state "$box/state" >/dev/null # writes state
  for _ in $(seq 50); do grep -q helper-store "$trace" && break; sleep 0.1; done
  # The first line is the program's own; the tracer ends with it.
  kill -TERM "$(head -n 1 "$trace" | cut -d' ' -f1)"
  wait "$tracer" || fail "it ended with $?: $(cat "$work/box.log")"
  grep -q 'execve(.*helper-store' "$trace" || fail "no state was written"
  used=$(sed -nE 's/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' "$trace" | sort -u)
  [ "$(wc -l <<<"$used")" -gt 20 ] || fail "the trace has $used"
  systemd-analyze syscall-filter >"$work/groups"
  python3 - "$work/groups" "$file" "$used" <<'EOF'
import re, sys

groups, name = {}, None
for line in open(sys.argv[1]):
    word = re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip()
    if word.startswith("@"):
        name = groups.setdefault(word, [])
    elif name is not None and (found := re.match(r"^ +(@?[a-z_0-9-]+)$", word)):
        name.append(found[1])

def calls(words):
    return {call for word in words for call in (calls(groups[word]) if word.startswith("@") else {word})}

unit = open(sys.argv[2]).read()
allowed = set()
for no, words in re.findall(r"^SystemCallFilter=(~?)(.*)$", unit, re.M):
    allowed = allowed - calls(words.split()) if no else allowed | calls(words.split())
assert len(allowed) > 200 and not allowed & calls(["@mount", "@privileged"]), len(allowed)
wrong = set(sys.argv[3].split()) - allowed
assert not wrong, f"the unit forbids {sorted(wrong)}"
EOF
  same "address families that it forbids" "$(grep -oE ' socket\(AF_[A-Z0-9]+' "$trace" | sed 's/.*(//' | sort -u \
    | grep -vxFf <(sed -n 's/^RestrictAddressFamilies=//p' "$file" | tr ' ' '\n'))" ""
  ! grep -E 'PROT_WRITE\|PROT_EXEC' "$trace" || fail "memory that is written and executed"
}

# OpenWrt's procd is told the whole command by functions, which are recorded here.
test_procd_is_told_what_to_start() {
  local tree=$work/procd said
  mkdir -p "$tree"
  tar -xzf "$(packed t-procd)"/*.tar.gz -C "$tree"
  sed -i "s|^STATE=.*|STATE=$tree/state|;s|^RUN=.*|RUN=$tree/run|;s|^LIMIT=.*|LIMIT=$tree/rmem_max|" \
    "$tree/etc/init.d/stbcast"
  echo 212992 >"$tree/rmem_max"
  cat >"$tree/rc.common" <<'EOF'
chown() { echo "chown $*"; }
procd_open_instance() { echo open; }
procd_set_param() { echo "$*"; }
procd_close_instance() { echo close; }
procd_add_reload_trigger() { echo "trigger $*"; }
. "$1"
start_service
service_triggers
echo "START=$START STOP=$STOP USE_PROCD=$USE_PROCD"
EOF
  said=$(busybox sh "$tree/rc.common" "$tree/etc/init.d/stbcast")
  same "the most of a socket's buffer" "$(cat "$tree/rmem_max")" 10485760
  same "procd" "${said//"$tree"/}" "chown stbcast:stbcast /state
chown stbcast:stbcast /run
open
command /usr/bin/stbcastd run --config /etc/stbcast/stbcast.conf
user stbcast
group stbcast
no_new_privs 1
limits nofile=500 500 core=0 0
respawn 60 2 5
term_timeout 15
stdout 1
stderr 1
file /etc/stbcast/stbcast.conf
close
trigger stbcast
START=95 STOP=10 USE_PROCD=1"
  head -n 1 "$tree/etc/init.d/stbcast" | grep -qx '#!/bin/sh /etc/rc.common' || fail "not started by rc.common"
}

test_the_scripts_are_sound_for_any_shell() {
  local place tree=$work/scripts board
  for board in t-sysv t-procd t-dvb; do
    place=$(packed $board)
    mkdir -p "$tree/$board/deb" "$tree/$board/ipk"
    tar -xzf "$place"/*.tar.gz -C "$tree/$board"
    dpkg-deb --control "$place"/*.deb "$tree/$board/deb"
    ipk_member "$place"/*.ipk control.tar.gz | tar -xz -C "$tree/$board/ipk"
  done
  shellcheck -s sh -e SC3043 "$tree"/*/usr/share/stbcast/init/*.{sysv,procd} "$tree"/*/{deb,ipk}/{postinst,prerm} "$tree"/*/deb/postrm
  for file in "$tree"/*/usr/share/stbcast/init/*.{sysv,procd} "$tree"/*/ipk/p*; do
    busybox sh -n "$file"
  done
  ! grep -rhE '@[A-Z_]+@' "$tree" --include='p*' --include='stbcast*' -I || fail "a word is not filled in"
}

# ipk_member IPK NAME: one of its three members, whichever its outer form is.
ipk_member() {
  if [ "$(head -c 7 "$1")" = '!<arch>' ]; then busybox ar -p "$1" "$2"; else busybox tar -xzOf "$1" "./$2"; fi
}
