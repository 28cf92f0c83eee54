#pragma once
#include <stddef.h>

/// One file of the pages: its name below `assets/` and its bytes.
struct apus_asset {
    const char *_Nonnull name;
    const unsigned char *_Nonnull bytes;
    size_t count;
};

/// How many files there are.
extern const size_t apus_asset_count;

/// The file at `index`, which must be below `apus_asset_count`.
const struct apus_asset *_Nonnull apus_asset_at(size_t index);
