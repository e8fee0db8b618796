# What Buildroot's generic-package does with a package of ready files, for tests: fetch by SITE_METHOD file, check the
# hash, unpack without the first STRIP_COMPONENTS, install with @D as the build directory.
#
#   make -f buildroot.mk BR2_EXTERNAL_STBCAST_PATH=… BUILD=… TARGET_DIR=… INIT=SYSTEMD|SYSV
INSTALL := install
pkgname = $(lastword $(subst /, ,$(dir $(lastword $(MAKEFILE_LIST)))))
generic-package = $(eval PACKAGES += $(pkgname))
STBCAST_PKGDIR = $(BR2_EXTERNAL_STBCAST_PATH)/package/stbcast/

all: installed

include $(BR2_EXTERNAL_STBCAST_PATH)/external.mk

ifneq ($(strip $(PACKAGES)),stbcast)
$(error the external tree has packages '$(PACKAGES)')
endif
ifneq ($(STBCAST_SITE_METHOD),file)
$(error SITE_METHOD is '$(STBCAST_SITE_METHOD)')
endif

$(BUILD)/stbcast/.unpacked: $(STBCAST_SITE)/$(STBCAST_SOURCE)
	mkdir -p $(@D)
	cd $(<D) && grep '  $(<F)$$' stbcast.hash | sed 's/^sha256  //' | sha256sum --strict -c -
	tar -xzf $< --strip-components=$(STBCAST_STRIP_COMPONENTS) -C $(@D)
	cd $(@D) && grep '  $(STBCAST_LICENSE_FILES)$$' $(<D)/stbcast.hash | sed 's/^sha256  //' | sha256sum --strict -c -
	touch $@

.PHONY: all installed
# @D is the build directory in these, as it is in Buildroot.
$(BUILD)/stbcast/.installed: $(BUILD)/stbcast/.unpacked
	$(STBCAST_INSTALL_TARGET_CMDS)
	$(STBCAST_INSTALL_INIT_$(INIT))
installed: $(BUILD)/stbcast/.installed
	$(info users:$(STBCAST_USERS))
	$(info permissions:$(STBCAST_PERMISSIONS))
