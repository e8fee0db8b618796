################################################################################
#
# stbcast
#
################################################################################

STBCAST_VERSION = @VERSION@
STBCAST_SITE = $(STBCAST_PKGDIR)
STBCAST_SITE_METHOD = file
STBCAST_SOURCE = @TARBALL@
# The archive is laid out as it is installed.
STBCAST_STRIP_COMPONENTS = 0
STBCAST_LICENSE = MIT or Apache-2.0, and others of what is linked in
STBCAST_LICENSE_FILES = usr/share/doc/stbcast/copyright

define STBCAST_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/usr/bin/stbcastd \
		$(TARGET_DIR)/usr/bin/stbcastd
	$(INSTALL) -D -m 0640 $(@D)/etc/stbcast/stbcast.conf \
		$(TARGET_DIR)/etc/stbcast/stbcast.conf
	$(INSTALL) -d -m 0700 $(TARGET_DIR)@STATE_PATH@
endef

define STBCAST_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(@D)/usr/share/stbcast/init/stbcast.sysv \
		$(TARGET_DIR)/etc/init.d/S95stbcast
endef

define STBCAST_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/usr/share/stbcast/init/stbcast.service \
		$(TARGET_DIR)/usr/lib/systemd/system/stbcast.service
endef

define STBCAST_USERS
	@USER@ @UID@ @USER@ @UID@ * @STATE_PATH@ - @GROUPS_DASH@ stbcast
endef

define STBCAST_PERMISSIONS
	@STATE_PATH@ d 0700 @UID@ @UID@ - - - - -
	/etc/stbcast/stbcast.conf f 0640 0 @UID@ - - - - -
endef

$(eval $(generic-package))
