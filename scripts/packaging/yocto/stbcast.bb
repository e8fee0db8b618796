SUMMARY = "Live television from this box to its owner's phone"
DESCRIPTION = "stbcastd finds the channels of the box's muxes and serves one by \
HTTP to each terminal that the box's owner has let in. The program is built \
already, for the board @BOARD@, and needs no library of the system."
SECTION = "multimedia"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "file://usr/share/doc/stbcast/copyright;md5=@LICENCES_MD5@"

# STBCAST_SITE: where the archive is fetched from; beside the recipe without it.
STBCAST_SITE ?= "file://"
SRC_URI = "${STBCAST_SITE}@TARBALL@;name=stbcast;subdir=${BP}"
SRC_URI[stbcast.sha256sum] = "@SHA256@"

S = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}/${BP}"

COMPATIBLE_HOST = "@YOCTO_HOST@"

inherit systemd update-rc.d useradd

USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system --gid @UID@ @USER@"
USERADD_PARAM:${PN} = "--system --uid @UID@ --gid @USER@ @GROUPS_OPTION@--home-dir @STATE_VARIABLE@ --no-create-home --shell /sbin/nologin @USER@"

SYSTEMD_SERVICE:${PN} = "stbcast.service"
INITSCRIPT_NAME = "stbcast"
INITSCRIPT_PARAMS = "defaults 95 10"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -D -m 0755 ${S}/usr/bin/stbcastd ${D}${bindir}/stbcastd
    install -d -m 0755 ${D}${sysconfdir}/stbcast
    install -m 0640 ${S}/etc/stbcast/stbcast.conf ${D}${sysconfdir}/stbcast/stbcast.conf
    chown root:@USER@ ${D}${sysconfdir}/stbcast/stbcast.conf
    install -d -m 0700 ${D}@STATE_VARIABLE@
    chown @USER@:@USER@ ${D}@STATE_VARIABLE@
    if ${@bb.utils.contains('DISTRO_FEATURES', 'systemd', 'true', 'false', d)}; then
        install -D -m 0644 ${S}/usr/share/stbcast/init/stbcast.service ${D}${systemd_system_unitdir}/stbcast.service
    fi
    if ${@bb.utils.contains('DISTRO_FEATURES', 'sysvinit', 'true', 'false', d)}; then
        install -D -m 0755 ${S}/usr/share/stbcast/init/stbcast.sysv ${D}${sysconfdir}/init.d/stbcast
    fi
}

FILES:${PN} += "@STATE_VARIABLE@ ${systemd_system_unitdir}/stbcast.service"
CONFFILES:${PN} = "${sysconfdir}/stbcast/stbcast.conf"
RRECOMMENDS:${PN} = "ca-certificates"

# Built, linked and stripped elsewhere.
INHIBIT_PACKAGE_STRIP = "1"
INHIBIT_PACKAGE_DEBUG_SPLIT = "1"
INHIBIT_SYSROOT_STRIP = "1"
# nooelint: oelint.vars.insaneskip - a program that is delivered stripped is what this recipe is for
INSANE_SKIP:${PN} += "already-stripped ldflags"
