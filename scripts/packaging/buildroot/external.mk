include $(sort $(wildcard $(BR2_EXTERNAL_STBCAST_PATH)/package/*/*.mk))
