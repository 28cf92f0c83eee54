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
static const unsigned char console_js[] = {
#embed "assets/console.js"
};
static const unsigned char console_access_mustache[] = {
#embed "assets/console/access.mustache"
};
static const unsigned char console_add_device_mustache[] = {
#embed "assets/console/add-device.mustache"
};
static const unsigned char console_chip_mustache[] = {
#embed "assets/console/chip.mustache"
};
static const unsigned char console_close_mustache[] = {
#embed "assets/console/close.mustache"
};
static const unsigned char console_command_mustache[] = {
#embed "assets/console/command.mustache"
};
static const unsigned char console_device_mustache[] = {
#embed "assets/console/device.mustache"
};
static const unsigned char console_devices_mustache[] = {
#embed "assets/console/devices.mustache"
};
static const unsigned char console_first_run_mustache[] = {
#embed "assets/console/first-run.mustache"
};
static const unsigned char console_head_mustache[] = {
#embed "assets/console/head.mustache"
};
static const unsigned char console_log_line_mustache[] = {
#embed "assets/console/log-line.mustache"
};
static const unsigned char console_me_mustache[] = {
#embed "assets/console/me.mustache"
};
static const unsigned char console_message_mustache[] = {
#embed "assets/console/message.mustache"
};
static const unsigned char console_message_card_mustache[] = {
#embed "assets/console/message-card.mustache"
};
static const unsigned char console_notes_field_mustache[] = {
#embed "assets/console/notes-field.mustache"
};
static const unsigned char console_open_mustache[] = {
#embed "assets/console/open.mustache"
};
static const unsigned char console_options_mustache[] = {
#embed "assets/console/options.mustache"
};
static const unsigned char console_overview_mustache[] = {
#embed "assets/console/overview.mustache"
};
static const unsigned char console_product_mustache[] = {
#embed "assets/console/product.mustache"
};
static const unsigned char console_products_mustache[] = {
#embed "assets/console/products.mustache"
};
static const unsigned char console_release_mustache[] = {
#embed "assets/console/release.mustache"
};
static const unsigned char console_release_dialogs_mustache[] = {
#embed "assets/console/release-dialogs.mustache"
};
static const unsigned char console_releases_mustache[] = {
#embed "assets/console/releases.mustache"
};
static const unsigned char console_side_mustache[] = {
#embed "assets/console/side.mustache"
};
static const unsigned char console_sign_in_mustache[] = {
#embed "assets/console/sign-in.mustache"
};
static const unsigned char console_sprite_mustache[] = {
#embed "assets/console/sprite.mustache"
};
static const unsigned char console_steps_mustache[] = {
#embed "assets/console/steps.mustache"
};
static const unsigned char console_top_mustache[] = {
#embed "assets/console/top.mustache"
};
static const unsigned char console_when_mustache[] = {
#embed "assets/console/when.mustache"
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
    {"console/access.mustache", console_access_mustache, sizeof console_access_mustache},
    {"console/add-device.mustache", console_add_device_mustache, sizeof console_add_device_mustache},
    {"console/chip.mustache", console_chip_mustache, sizeof console_chip_mustache},
    {"console/close.mustache", console_close_mustache, sizeof console_close_mustache},
    {"console/command.mustache", console_command_mustache, sizeof console_command_mustache},
    {"console/device.mustache", console_device_mustache, sizeof console_device_mustache},
    {"console/devices.mustache", console_devices_mustache, sizeof console_devices_mustache},
    {"console/first-run.mustache", console_first_run_mustache, sizeof console_first_run_mustache},
    {"console/head.mustache", console_head_mustache, sizeof console_head_mustache},
    {"console/log-line.mustache", console_log_line_mustache, sizeof console_log_line_mustache},
    {"console/me.mustache", console_me_mustache, sizeof console_me_mustache},
    {"console/message.mustache", console_message_mustache, sizeof console_message_mustache},
    {"console/message-card.mustache", console_message_card_mustache, sizeof console_message_card_mustache},
    {"console/notes-field.mustache", console_notes_field_mustache, sizeof console_notes_field_mustache},
    {"console/open.mustache", console_open_mustache, sizeof console_open_mustache},
    {"console/options.mustache", console_options_mustache, sizeof console_options_mustache},
    {"console/overview.mustache", console_overview_mustache, sizeof console_overview_mustache},
    {"console/product.mustache", console_product_mustache, sizeof console_product_mustache},
    {"console/products.mustache", console_products_mustache, sizeof console_products_mustache},
    {"console/release.mustache", console_release_mustache, sizeof console_release_mustache},
    {"console/release-dialogs.mustache", console_release_dialogs_mustache, sizeof console_release_dialogs_mustache},
    {"console/releases.mustache", console_releases_mustache, sizeof console_releases_mustache},
    {"console/side.mustache", console_side_mustache, sizeof console_side_mustache},
    {"console/sign-in.mustache", console_sign_in_mustache, sizeof console_sign_in_mustache},
    {"console/sprite.mustache", console_sprite_mustache, sizeof console_sprite_mustache},
    {"console/steps.mustache", console_steps_mustache, sizeof console_steps_mustache},
    {"console/top.mustache", console_top_mustache, sizeof console_top_mustache},
    {"console/when.mustache", console_when_mustache, sizeof console_when_mustache},
    {"console.js", console_js, sizeof console_js},
    {"openapi.json", openapi_json, sizeof openapi_json},
};

const size_t apus_asset_count = sizeof apus_assets / sizeof apus_assets[0];

const struct apus_asset *apus_asset_at(size_t index) {
    return &apus_assets[index];
}
