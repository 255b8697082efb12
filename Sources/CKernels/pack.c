/* Packed panels: the order in which the kernels stream weights.
 *
 *   stored, row-major                packed, panels of 16 outputs
 *   W[output][k]                     f32, f16: [panel][k][16 outputs]
 *                                    bf16:     [panel][k / 2][16 outputs][2]
 *   blocks of 32 k:                  Q8_0: [panel][block]{ scale[16], level[8][16 outputs][4] }
 *   { scale, (minimum,) levels }     Q4_0: [panel][block]{ scale[16], nibbles[4][16][4] }
 *                                    Q4_1: [panel][block]{ scale[16], minimum[16], nibbles }
 *
 * A byte of nibbles holds k in its low and k + 16 in its high half, as in GGUF's blocks.
 */
#include <math.h>
#include <string.h>

#include "kernel_table.h"

/* As the kernels: no product and sum become one operation, or processors would disagree. */
#pragma STDC FP_CONTRACT OFF

size_t gk_panel_bytes(gk_type type, size_t inputs) {
    switch (type) {
    case GK_F32: return inputs * GK_PANEL * 4;
    case GK_F16: return inputs * GK_PANEL * 2;
    case GK_BF16: return (inputs + 1) / 2 * GK_PANEL * 4;
    default: return inputs / GK_BLOCK * gk_block_bytes(type) * GK_PANEL;
    }
}

static void pack_values(size_t size, const uint8_t *row, size_t inputs, size_t lane,
                        uint8_t *panel) {
    for (size_t k = 0; k < inputs; k++)
        memcpy(panel + (k * GK_PANEL + lane) * size, row + k * size, size);
}

static void pack_pairs(const uint16_t *row, size_t inputs, size_t lane, uint16_t *panel) {
    for (size_t k = 0; k < inputs; k++)
        memcpy(panel + ((k / 2) * GK_PANEL + lane) * 2 + (k & 1), row + k, 2);
}

static void pack_blocks(gk_type type, const uint8_t *row, size_t inputs, size_t lane,
                        uint8_t *panel) {
    size_t bytes = gk_block_bytes(type), header = gk_block_header_bytes(type);
    size_t levels = bytes - header;
    for (size_t block = 0; block < inputs / GK_BLOCK; block++) {
        const uint8_t *source = row + block * bytes;
        uint8_t *target = panel + block * bytes * GK_PANEL;
        for (size_t part = 0; part < header; part += 2)
            memcpy(target + part * GK_PANEL + lane * 2, source + part, 2);
        target += header * GK_PANEL;
        for (size_t i = 0; i < levels; i++)
            target[(i / 4 * GK_PANEL + lane) * 4 + i % 4] = source[header + i];
    }
}

void gk_pack(gk_type type, const void *rows, size_t outputs, size_t inputs, size_t first_panel,
             size_t last_panel, void *packed) {
    size_t panel_bytes = gk_panel_bytes(type, inputs);
    size_t row_bytes = type == GK_F32    ? inputs * 4
                       : type <= GK_BF16 ? inputs * 2
                                         : inputs / GK_BLOCK * gk_block_bytes(type);
    for (size_t panel = first_panel; panel < last_panel; panel++) {
        uint8_t *target = (uint8_t *)packed + panel * panel_bytes;
        memset(target, 0, panel_bytes);
        for (size_t lane = 0; lane < GK_PANEL && panel * GK_PANEL + lane < outputs; lane++) {
            const uint8_t *row = (const uint8_t *)rows + (panel * GK_PANEL + lane) * row_bytes;
            switch (type) {
            case GK_F32: pack_values(4, row, inputs, lane, target); break;
            case GK_F16: pack_values(2, row, inputs, lane, target); break;
            case GK_BF16:
                pack_pairs((const uint16_t *)row, inputs, lane, (uint16_t *)target);
                break;
            default: pack_blocks(type, row, inputs, lane, target); break;
            }
        }
    }
}

static float float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* The exponent is re-based by a multiplication, which also makes subnormals right. */
static float float_from_half(uint16_t half) {
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13, sign = (uint32_t)(half & 0x8000) << 16;
    if (bits >= 0x7c00u << 13) return float_from_bits(bits | 0x7f800000u | sign);
    float value = float_from_bits(bits) * 0x1p112f;
    return sign ? -value : value;
}

/* Adding and taking away a power of two in f32 rounds to the 11 bits that f16 has. */
uint16_t gk_half_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000u) return sign | 0x7e00;
    if (bits >= 0x477ff000u) return sign | 0x7c00;
    if (bits < 0x38800000u) { /* below 2^-14: subnormal, steps of 2^-24 */
        float magnitude = float_from_bits(bits) + 0.5f;
        memcpy(&bits, &magnitude, 4);
        return sign | (uint16_t)(bits - 0x3f000000u);
    }
    bits += 0xfff + (bits >> 13 & 1);
    return sign | (uint16_t)((bits - 0x38000000u) >> 13);
}

static float block_value(gk_type type, const uint8_t *block, size_t lane, size_t i) {
    uint16_t half;
    memcpy(&half, block + lane * 2, 2);
    float scale = float_from_half(half), minimum = 0;
    if (type == GK_Q4_1) {
        memcpy(&half, block + GK_PANEL * 2 + lane * 2, 2);
        minimum = float_from_half(half);
    }
    const uint8_t *levels = block + gk_block_header_bytes(type) * GK_PANEL;
    if (type == GK_Q8_0)
        return scale * (float)(int8_t)levels[(i / 4 * GK_PANEL + lane) * 4 + i % 4];
    size_t low = i % 16;
    uint8_t byte = levels[(low / 4 * GK_PANEL + lane) * 4 + low % 4];
    int level = i < 16 ? byte & 15 : byte >> 4;
    return type == GK_Q4_0 ? scale * (float)(level - 8) : scale * (float)level + minimum;
}

void gk_unpack_row(gk_type type, const void *packed, size_t inputs, size_t output, float *row) {
    size_t lane = output % GK_PANEL;
    const uint8_t *panel =
        (const uint8_t *)packed + output / GK_PANEL * gk_panel_bytes(type, inputs);
    for (size_t k = 0; k < inputs; k++) {
        switch (type) {
        case GK_F32: memcpy(row + k, panel + (k * GK_PANEL + lane) * 4, 4); break;
        case GK_F16: {
            uint16_t half;
            memcpy(&half, panel + (k * GK_PANEL + lane) * 2, 2);
            row[k] = float_from_half(half);
            break;
        }
        case GK_BF16: {
            uint16_t bits;
            memcpy(&bits, panel + ((k / 2) * GK_PANEL + lane) * 4 + (k & 1) * 2, 2);
            row[k] = float_from_bits((uint32_t)bits << 16);
            break;
        }
        default:
            row[k] = block_value(type, panel + k / GK_BLOCK * gk_block_bytes(type) * GK_PANEL,
                                 lane, k % GK_BLOCK);
        }
    }
}

void gk_widen(gk_type type, const void *values, size_t count, float *out) {
    for (size_t i = 0; i < count; i++) {
        uint16_t bits;
        if (type == GK_F32) {
            memcpy(out + i, (const uint8_t *)values + 4 * i, 4);
            continue;
        }
        memcpy(&bits, (const uint8_t *)values + 2 * i, 2);
        out[i] = type == GK_F16 ? float_from_half(bits) : float_from_bits((uint32_t)bits << 16);
    }
}

static size_t padded_dimension(size_t head_dimension) {
    return (head_dimension + GK_PANEL - 1) / GK_PANEL * GK_PANEL;
}

size_t gk_page_head_words(gk_type type, size_t head_dimension) {
    size_t values = padded_dimension(head_dimension) * GK_PAGE;
    return gk_page_key_words(type, head_dimension) + (type == GK_BF16 ? values / 2 : values);
}

/* Where value i of a token is among the halves of a head's keys and of its values. */
static size_t key_half(size_t i, size_t slot) { return (i / 2 * GK_PAGE + slot) * 2 + i % 2; }

static size_t value_half(size_t i, size_t slot) {
    size_t pair = i / GK_PANEL * (GK_PAGE / 2) + slot / 2;
    return (pair * GK_PANEL + i % GK_PANEL) * 2 + slot % 2;
}

/* Whether all values are finite, in a page of bf16 after rounding too. */
static int are_finite(gk_type type, const float *x, size_t count) {
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        bits &= 0x7fffffffu;
        largest = bits > largest ? bits : largest;
    }
    return largest < (type == GK_BF16 ? 0x7f7f8000u : 0x7f800000u);
}

/* A token whose value isn't finite: value 0, and a key that is no number, so that the rows that see
 * it come to nothing and no others. */
static void store_no_number(gk_type type, size_t dimension, size_t slot, float *keys,
                            float *values) {
    const float nothing = 0, no_number = NAN;
    const uint16_t no_number_bf16 = 0x7fc0;
    for (size_t i = 0; i < dimension; i++) {
        if (type == GK_BF16) {
            memcpy((uint16_t *)keys + key_half(i, slot), &no_number_bf16, 2);
            memcpy((uint16_t *)values + value_half(i, slot), &nothing, 2);
        } else {
            memcpy(keys + i * GK_PAGE + slot, &no_number, 4);
            memcpy(values + slot * padded_dimension(dimension) + i, &nothing, 4);
        }
    }
}

void gk_store_key_value(gk_type type, const float *key, const float *value, size_t heads,
                        size_t head_dimension, size_t slot, float *page) {
    size_t padded = padded_dimension(head_dimension);
    for (size_t head = 0; head < heads; head++, key += head_dimension, value += head_dimension) {
        float *keys = page + head * gk_page_head_words(type, head_dimension);
        float *values = keys + gk_page_key_words(type, head_dimension);
        if (!are_finite(type, value, head_dimension)) {
            store_no_number(type, head_dimension, slot, keys, values);
            continue;
        }
        if (type == GK_BF16) {
            gk_store_bf16(key, value, head_dimension, slot, keys, values);
            continue;
        }
        for (size_t i = 0; i < head_dimension; i++) keys[i * GK_PAGE + slot] = key[i];
        memcpy(values + slot * padded, value, head_dimension * 4);
    }
}

void gk_load_key_value(gk_type type, const float *page, size_t heads, size_t head_dimension,
                       size_t slot, float *key, float *value) {
    size_t padded = padded_dimension(head_dimension);
    for (size_t head = 0; head < heads; head++, key += head_dimension, value += head_dimension) {
        const float *keys = page + head * gk_page_head_words(type, head_dimension);
        const float *values = keys + gk_page_key_words(type, head_dimension);
        if (type == GK_BF16) {
            for (size_t i = 0; i < head_dimension; i++) {
                gk_widen(type, (const uint16_t *)keys + key_half(i, slot), 1, key + i);
                gk_widen(type, (const uint16_t *)values + value_half(i, slot), 1, value + i);
            }
            continue;
        }
        for (size_t i = 0; i < head_dimension; i++) key[i] = keys[i * GK_PAGE + slot];
        memcpy(value, values + slot * padded, head_dimension * 4);
    }
}

size_t gk_attention_scratch(size_t rows, size_t head_dimension, size_t columns) {
    size_t padded = padded_dimension(head_dimension);
    size_t pages = columns / GK_PAGE + 3; /* the last page of the prefix, of the tokens, of a pair */
    size_t widened = 2 * GK_PAGE * padded;
    return rows * (2 * padded + pages * GK_PAGE) + widened;
}
