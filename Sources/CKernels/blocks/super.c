/* Blocks of 256 elements whose 8 or 16 parts have scales of their own, in units of one of the
 * block (the K types).
 *
 *   Q2_K   16 x { 4-bit scale, 4-bit minimum }, 64 bytes of 2-bit q, f16 d, f16 dmin
 *   Q3_K   32 bytes of third bits, 64 of 2-bit q, 16 scales of 6 bits, f16 d
 *   Q4_K   f16 d, f16 dmin, 8 x { 6-bit scale, 6-bit minimum }, 128 bytes of 4-bit q
 *   Q5_K   the same with 32 bytes of fifth bits before q
 *   Q6_K   128 bytes of lower 4 bits, 64 of upper 2 bits, 16 signed scales of 8 bits, f16 d
 *   Q8_K   f32 d, 256 signed bytes, 16 sums of 16 bits
 *
 * Bits of two run over 128 elements: byte l holds elements l, l + 32, l + 64 and l + 96; nibbles
 * of Q4_K and Q5_K run over 64, those of Q6_K over 128, byte l holding l and l + 64.
 *
 * Source: the block layouts of ggml (ggml-common.h), and gguf-py's `quants.py`.
 */
#include "formats.h"

enum { ELEMENTS = 256 };

/* Two bits of element i. */
static int pair_at(const uint8_t *bytes, int i) {
    return bytes[i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3;
}

void gk_q2_k_values(const uint8_t *block, float *values) {
    const uint8_t *parts = block, *levels = block + 16;
    float scale = half_at(block + 80), minimum = half_at(block + 82);
    for (int i = 0; i < ELEMENTS; i++) {
        float step = scale * (float)(parts[i / 16] & 15);
        float lowest = minimum * (float)(parts[i / 16] >> 4);
        values[i] = step * (float)pair_at(levels, i) - lowest;
    }
}

void gk_q3_k_values(const uint8_t *block, float *values) {
    const uint8_t *high = block, *low = block + 32, *parts = block + 96;
    float scale = half_at(block + 108);
    for (int i = 0; i < ELEMENTS; i++) {
        int part = i / 16;
        int four = parts[part % 8] >> part / 8 * 4 & 15;
        int two = parts[8 + part % 4] >> part / 4 * 2 & 3;
        float step = scale * (float)((four | two << 4) - 32);
        /* A third bit that is set adds nothing, one that isn't takes 4. */
        int missing = ~high[i % 32] >> i / 32 & 1;
        values[i] = step * (float)(pair_at(low, i) - 4 * missing);
    }
}

/* Part k of 8: 6-bit scale and minimum, the first four in a byte each, the others' lower four bits
 * side by side and their upper two above the first four. */
static void scale_and_minimum(const uint8_t *parts, int k, int *scale, int *minimum) {
    if (k < 4) {
        *scale = parts[k] & 63;
        *minimum = parts[k + 4] & 63;
    } else {
        *scale = (parts[k + 4] & 15) | (parts[k - 4] >> 6) << 4;
        *minimum = parts[k + 4] >> 4 | (parts[k] >> 6) << 4;
    }
}

/* Q4_K, and Q5_K where there are fifth bits. */
static void nibbles_with_minimum(const uint8_t *block, const uint8_t *high, const uint8_t *low,
                                 float *values) {
    float scale = half_at(block), minimum = half_at(block + 2);
    for (int part = 0; part < 8; part++) {
        int own_scale, own_minimum;
        scale_and_minimum(block + 4, part, &own_scale, &own_minimum);
        float step = scale * (float)own_scale, lowest = minimum * (float)own_minimum;
        for (int l = 0; l < 32; l++) {
            int level = low[part / 2 * 32 + l] >> part % 2 * 4 & 15;
            if (high) level |= (high[l] >> part & 1) << 4;
            values[part * 32 + l] = step * (float)level - lowest;
        }
    }
}

void gk_q4_k_values(const uint8_t *block, float *values) {
    nibbles_with_minimum(block, NULL, block + 16, values);
}

void gk_q5_k_values(const uint8_t *block, float *values) {
    nibbles_with_minimum(block, block + 16, block + 48, values);
}

void gk_q6_k_values(const uint8_t *block, float *values) {
    const uint8_t *low = block, *high = block + 128;
    const int8_t *parts = (const int8_t *)(block + 192);
    float scale = half_at(block + 208);
    for (int i = 0; i < ELEMENTS; i++) {
        int four = low[i / 128 * 64 + i % 64] >> i / 64 % 2 * 4 & 15;
        int level = (four | pair_at(high, i) << 4) - 32;
        values[i] = scale * (float)parts[i / 16] * (float)level;
    }
}

void gk_q8_k_values(const uint8_t *block, float *values) {
    float scale = float_of(long_at(block));
    const int8_t *levels = (const int8_t *)(block + 4);
    for (int i = 0; i < ELEMENTS; i++) values[i] = scale * (float)levels[i];
}
