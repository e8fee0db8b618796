# shellcheck shell=bash disable=SC2154,SC2016 # `run` sets what is used here; some of it is for other shells
# The trees for Buildroot and Yocto, read by make, Kconfig and BitBake.

# make runs what the package's makefile defines; a wrong hash, path or macro ends it.
test_the_buildroot_tree_installs() {
  local place init said target
  place=$(packed t-sysv)
  for init in SYSV SYSTEMD; do
    target=$work/target-$init
    said=$(make -s -f "$here/buildroot.mk" "BR2_EXTERNAL_STBCAST_PATH=$place/buildroot" "BUILD=$work/build-$init" \
      "TARGET_DIR=$target" INIT=$init 2>&1) || fail "make: $said"
    same "warnings of make" "$(grep -i warning <<<"$said")" ""
    says "$said" "stbcast 700 stbcast 700 * /var/lib/stbcast - video,nosuch stbcast" \
      "/var/lib/stbcast d 0700 700 700" "/etc/stbcast/stbcast.conf f 0640 0 700"
    cmp "$target/usr/bin/stbcastd" "$program"
    same "settings" "$(stat -c %a "$target/etc/stbcast/stbcast.conf")" 640
    [ -d "$target/var/lib/stbcast" ] || fail "no place for state"
  done
  [ -x "$work/target-SYSV/etc/init.d/S95stbcast" ] || fail "no init script"
  [ -f "$work/target-SYSTEMD/usr/lib/systemd/system/stbcast.service" ] || fail "no unit"
  cp -a "$place/buildroot" "$work/wrong"
  sed -i 's/^sha256  ./sha256  x/' "$work/wrong/package/stbcast/stbcast.hash"
  ! make -s -f "$here/buildroot.mk" "BR2_EXTERNAL_STBCAST_PATH=$work/wrong" "BUILD=$work/build-wrong" \
    "TARGET_DIR=$work/target-wrong" INIT=SYSV >/dev/null 2>&1 || fail "a wrong hash was not seen"
}

# Kconfig reads it, and offers it for the board's CPU alone.
test_kconfig_reads_the_buildroot_tree() {
  local place
  place=$(packed host)
  cat >"$work/Config.in" <<'EOF'
config BR2_x86_64
	bool "x86_64"
config BR2_ARM_CPU_ARMV7A
	bool "armv7"
config BR2_ARM_CPU_ARMV8A
	bool "armv8"
config BR2_arm
	bool "arm"
config BR2_aarch64
	bool "aarch64"
config BR2_PACKAGE_CA_CERTIFICATES
	bool "certificates"
source "$BR2_EXTERNAL_STBCAST_PATH/Config.in"
EOF
  grep -qx 'name: STBCAST' "$place/buildroot/external.desc" || fail "external.desc has another name"
  BR2_EXTERNAL_STBCAST_PATH=$place/buildroot "$TOOLS/bin/python" - "$work/Config.in" <<'EOF'
import sys, kconfiglib

config = kconfiglib.Kconfig(sys.argv[1], warn_to_stderr=False)
assert not config.warnings, config.warnings
symbol = config.syms["BR2_PACKAGE_STBCAST"]
assert symbol.visibility == 0, "offered for any CPU"
config.syms["BR2_x86_64"].set_value(2)
assert symbol.visibility == 2, "not offered for its CPU"
symbol.set_value(2)
assert config.syms["BR2_PACKAGE_CA_CERTIFICATES"].str_value == "y"
EOF
}

# BitBake parses the recipe, the installation that it makes of it is run, and a linter of recipes has nothing to say.
test_the_yocto_recipe_installs() {
  local place recipe layer at=$work/yocto
  place=$(packed t-dvb)
  layer=$place/yocto/meta-stbcast
  recipe=$(find "$layer" -name '*.bb')
  "$TOOLS/bin/oelint-adv" --quiet --hide info --release scarthgap --suppress oelint.var.mandatoryvar.HOMEPAGE "$recipe" \
    || fail "oelint-adv, see above"
  mkdir -p "$at"
  "$TOOLS/bin/python" "$here/bitbake.py" "$recipe" "$at" >"$at/recipe.json"
  python3 - "$at/recipe.json" "$layer" "$at" <<'EOF'
import hashlib, json, os, pathlib, subprocess, sys, tarfile

recipe, layer, at = json.load(open(sys.argv[1])), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
for features, said in recipe.items():
    uri, *options = said["SRC_URI"].split(";")
    archive = layer / "recipes-multimedia/stbcast/files" / uri.removeprefix("file://")
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == said["sha256"], "SRC_URI[sha256sum]"
    assert f"subdir={pathlib.Path(said['S']).name}" in options, options
    with tarfile.open(archive) as tar:
        tar.extractall(said["S"])
    name, md5 = said["LIC_FILES_CHKSUM"].removeprefix("file://").split(";md5=")
    assert hashlib.md5(pathlib.Path(said["S"], name).read_bytes()).hexdigest() == md5, "LIC_FILES_CHKSUM"
    assert said["USERADD_PARAM:stbcast"] == ("--system --uid 500 --gid tv --groups video,audio --home-dir /data/stbcast"
                                             " --no-create-home --shell /sbin/nologin tv"), said
    assert said["GROUPADD_PARAM:stbcast"] == "--system --gid 500 tv"
    # The user is there at that time by the class useradd, and not here.
    script = "set -e\nchown() { echo \"chown $1 ${2##*/}\"; }\n" + said["do_install"]
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "chown root:tv stbcast.conf\nchown tv:tv stbcast\n", done.stdout
    image = at / "image"
    found = sorted(str(f.relative_to(image)) for f in image.rglob("*") if f.is_file())
    init = {"systemd": "lib/systemd/system/stbcast.service", "sysvinit": "etc/init.d/stbcast"}[features]
    assert found == sorted(["etc/stbcast/stbcast.conf", "usr/bin/stbcastd", init]), found
    os.rename(image, at / features)
EOF
}
