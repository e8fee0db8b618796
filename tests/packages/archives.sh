# shellcheck shell=bash disable=SC2154,SC2016 # `run` sets what is used here; some of it is for other shells
# The archives: their bytes, and what dpkg, ar and tar find in them.

# The same program gives the same bytes: at another place, by another umask, with other times of files.
test_two_packings_are_the_same() {
  local first other=$work/elsewhere
  first=$(packed t-sysv)
  mkdir -p "$other"
  cp "$program" "$other/stbcastd"
  touch -d '2001-01-01' "$other/stbcastd"
  (umask 077 && cd / && TZ=Asia/Shanghai LC_ALL=C "$copy/scripts/package" t-sysv "$other") >/dev/null
  diff -r "$first" "$other/packages" || fail "two packings differ"
  same "modes" "$(cd "$first" && stat -c '%a %n' -- *.*)" "$(cd "$other/packages" && stat -c '%a %n' -- *.*)"
}

test_sums_hold() {
  local place list
  place=$(packed t-sysv)
  (cd "$place" && sha256sum --quiet -c SHA256SUMS) || fail "SHA256SUMS"
  list=$(cd "$place" && find . -type f ! -name SHA256SUMS | sort | sed 's|^\./||')
  same "files with a sum" "$(cut -c67- "$place/SHA256SUMS" | sort)" "$list"
}

# All is root's, of the time that was told, and no link that a system has for /lib is replaced by a directory.
test_the_tar_is_laid_out_as_it_is_installed() {
  local place all
  place=$(packed t-sysv)
  all=$(tar --numeric-owner -tvzf "$place"/*.tar.gz)
  same "owners" "$(awk '{print $2}' <<<"$all" | sort -u)" "0/0"
  same "times" "$(TZ=UTC tar --full-time -tvzf "$place"/*.tar.gz | awk '{print $4, $5}' | sort -u)" "2023-11-14 22:13:20"
  ! grep -q '^d' <<<"$all" || fail "entries of directories: $all"
  same "files" "$(awk '{print substr($1, 1, 10), $6}' <<<"$all")" "-rwxr-xr-x etc/init.d/stbcast
-rw-r--r-- etc/stbcast/stbcast.conf
-rwxr-xr-x usr/bin/stbcastd
-rw-r--r-- usr/share/doc/stbcast/copyright
-rw-r--r-- usr/share/doc/stbcast/sbom.cdx.json
-rwxr-xr-x usr/share/stbcast/init/stbcast.procd
-rw-r--r-- usr/share/stbcast/init/stbcast.service
-rwxr-xr-x usr/share/stbcast/init/stbcast.sysv"
  tar -xzf "$place"/*.tar.gz -O usr/bin/stbcastd | cmp - "$program"
}

# OpenEmbedded's opkg reads an ar, OpenWrt's a compressed tar; busybox stands for both.
test_an_ipk_has_the_outer_form_of_its_opkg() {
  local of outer=$work/outer
  for of in t-sysv t-procd; do
    rm -rf "$outer"
    mkdir "$outer"
    if [ $of = t-sysv ]; then
      (cd "$outer" && busybox ar -x "$(packed $of)"/*.ipk)
    else
      (cd "$outer" && busybox tar -xzf "$(packed $of)"/*.ipk)
    fi
    same "$of members" "$(cd "$outer" && echo *)" "control.tar.gz data.tar.gz debian-binary"
    same "$of format" "$(cat "$outer/debian-binary")" "2.0"
    same "$of control" "$(busybox tar -tzf "$outer/control.tar.gz" | sort | tr '\n' ' ')" \
      "./ ./conffiles ./control ./postinst ./prerm "
    says "$(busybox tar -xzOf "$outer/control.tar.gz" ./control)" "Package: stbcast" "Version: " "Architecture: x86_64"
    same "$of conffiles" "$(busybox tar -xzOf "$outer/control.tar.gz" ./conffiles)" "/etc/stbcast/stbcast.conf"
    busybox tar -xzOf "$outer/data.tar.gz" ./usr/bin/stbcastd | cmp - "$program"
  done
  same "what an upgrade of OpenWrt keeps" "$(busybox tar -xzOf "$outer/data.tar.gz" ./lib/upgrade/keep.d/stbcast)" \
    "/etc/stbcast/
/etc/stbcast/state/"
}

test_dpkg_reads_the_deb() {
  local place
  place=$(packed t-dvb)
  dpkg-deb --info "$place"/*.deb >/dev/null
  same "architecture" "$(dpkg-deb -f "$place"/*.deb Architecture)" amd64
  dpkg-deb --fsys-tarfile "$place"/*.deb | tar -tv | awk '{print $2}' | sort -u | grep -qx root/root || fail "owners"
  dpkg-deb --fsys-tarfile "$place"/*.deb | tar -xO ./usr/bin/stbcastd | cmp - "$program"
}

# Impossible wishes are refused, and the culprit is named.
test_what_cannot_be_packed_is_refused() {
  local out=$work/refused
  mkdir -p "$out"
  refused() {
    local said
    ! said=$("$copy/scripts/package" "$1" "$out" 2>&1) || fail "$1 was packed"
    says "$said" "${@:2}"
    [ ! -e "$out/packages" ] || fail "$1 left packages"
  }
  refused host "$out/stbcastd" scripts/image
  cp "$program" "$out/stbcastd"
  refused nosuch nosuch
  printf 'inherit = "t-procd"\nstate_path = "/var/lib/stbcast"\n' >"$copy/boards/t-lost.toml"
  refused t-lost t-lost state_path /var restart
  printf 'inherit = "host"\nuser = "root"\n' >"$copy/boards/t-root.toml"
  refused t-root user root
  printf 'inherit = "host"\ntarget = "mips-unknown-linux-musl"\n' >"$copy/boards/t-mips.toml"
  refused t-mips target mips
  printf 'inherit = "host"\ntarget = "aarch64-unknown-linux-musl"\n' >"$copy/boards/t-arm.toml"
  refused t-arm "$out/stbcastd" aarch64 t-arm
}
