// The files of the pages, inside the binary.
#pragma clang diagnostic ignored "-Wc23-extensions"
#include "CWebAssets.h"

static const unsigned char apus_css[] = {
#embed "assets/apus.css"
};
static const unsigned char owner_js[] = {
#embed "assets/owner.js"
};
static const unsigned char favicon_svg[] = {
#embed "assets/favicon.svg"
};
static const unsigned char strings_en_json[] = {
#embed "assets/strings/en.json"
};
static const unsigned char strings_de_json[] = {
#embed "assets/strings/de.json"
};
static const unsigned char owner_account_mustache[] = {
#embed "assets/owner/account.mustache"
};
static const unsigned char owner_back_mustache[] = {
#embed "assets/owner/back.mustache"
};
static const unsigned char owner_brand_mustache[] = {
#embed "assets/owner/brand.mustache"
};
static const unsigned char owner_device_mustache[] = {
#embed "assets/owner/device.mustache"
};
static const unsigned char owner_devices_mustache[] = {
#embed "assets/owner/devices.mustache"
};
static const unsigned char owner_form_keys_mustache[] = {
#embed "assets/owner/form-keys.mustache"
};
static const unsigned char owner_head_mustache[] = {
#embed "assets/owner/head.mustache"
};
static const unsigned char owner_live_mustache[] = {
#embed "assets/owner/live.mustache"
};
static const unsigned char owner_message_mustache[] = {
#embed "assets/owner/message.mustache"
};
static const unsigned char owner_notice_mustache[] = {
#embed "assets/owner/notice.mustache"
};
static const unsigned char owner_offline_steps_mustache[] = {
#embed "assets/owner/offline-steps.mustache"
};
static const unsigned char owner_offline_mustache[] = {
#embed "assets/owner/offline.mustache"
};
static const unsigned char owner_picture_mustache[] = {
#embed "assets/owner/picture.mustache"
};
static const unsigned char owner_ring_mustache[] = {
#embed "assets/owner/ring.mustache"
};
static const unsigned char owner_setup_mustache[] = {
#embed "assets/owner/setup.mustache"
};
static const unsigned char owner_sign_in_mustache[] = {
#embed "assets/owner/sign-in.mustache"
};
static const unsigned char owner_sprite_art_mustache[] = {
#embed "assets/owner/sprite-art.mustache"
};
static const unsigned char owner_sprite_brand_mustache[] = {
#embed "assets/owner/sprite-brand.mustache"
};
static const unsigned char owner_sprite_icons_mustache[] = {
#embed "assets/owner/sprite-icons.mustache"
};
static const unsigned char owner_support_until_mustache[] = {
#embed "assets/owner/support-until.mustache"
};
static const unsigned char openapi_json[] = {
#embed "assets/openapi.json"
};

static const struct apus_asset apus_assets[] = {
    {"apus.css", apus_css, sizeof apus_css},
    {"owner.js", owner_js, sizeof owner_js},
    {"favicon.svg", favicon_svg, sizeof favicon_svg},
    {"strings/en.json", strings_en_json, sizeof strings_en_json},
    {"strings/de.json", strings_de_json, sizeof strings_de_json},
    {"owner/account.mustache", owner_account_mustache, sizeof owner_account_mustache},
    {"owner/back.mustache", owner_back_mustache, sizeof owner_back_mustache},
    {"owner/brand.mustache", owner_brand_mustache, sizeof owner_brand_mustache},
    {"owner/device.mustache", owner_device_mustache, sizeof owner_device_mustache},
    {"owner/devices.mustache", owner_devices_mustache, sizeof owner_devices_mustache},
    {"owner/form-keys.mustache", owner_form_keys_mustache, sizeof owner_form_keys_mustache},
    {"owner/head.mustache", owner_head_mustache, sizeof owner_head_mustache},
    {"owner/live.mustache", owner_live_mustache, sizeof owner_live_mustache},
    {"owner/message.mustache", owner_message_mustache, sizeof owner_message_mustache},
    {"owner/notice.mustache", owner_notice_mustache, sizeof owner_notice_mustache},
    {"owner/offline-steps.mustache", owner_offline_steps_mustache, sizeof owner_offline_steps_mustache},
    {"owner/offline.mustache", owner_offline_mustache, sizeof owner_offline_mustache},
    {"owner/picture.mustache", owner_picture_mustache, sizeof owner_picture_mustache},
    {"owner/ring.mustache", owner_ring_mustache, sizeof owner_ring_mustache},
    {"owner/setup.mustache", owner_setup_mustache, sizeof owner_setup_mustache},
    {"owner/sign-in.mustache", owner_sign_in_mustache, sizeof owner_sign_in_mustache},
    {"owner/sprite-art.mustache", owner_sprite_art_mustache, sizeof owner_sprite_art_mustache},
    {"owner/sprite-brand.mustache", owner_sprite_brand_mustache, sizeof owner_sprite_brand_mustache},
    {"owner/sprite-icons.mustache", owner_sprite_icons_mustache, sizeof owner_sprite_icons_mustache},
    {"owner/support-until.mustache", owner_support_until_mustache, sizeof owner_support_until_mustache},
    {"openapi.json", openapi_json, sizeof openapi_json},
};

const size_t apus_asset_count = sizeof apus_assets / sizeof apus_assets[0];

const struct apus_asset *apus_asset_at(size_t index) {
    return &apus_assets[index];
}
