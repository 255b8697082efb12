/* Blocks of one scale, or of a scale and a minimum.
 *
 *   Q4_0   f16 d, 16 nibble pairs                       d * (q - 8)
 *   Q4_1   f16 d, f16 m, 16 nibble pairs                d * q + m
 *   Q5_0   f16 d, 32 fifth bits, 16 nibble pairs        d * (q - 16)
 *   Q5_1   f16 d, f16 m, 32 fifth bits, 16 nibble pairs d * q + m
 *   Q8_0   f16 d, 32 signed bytes                       d * q
 *   Q8_1   f16 d, f16 sum, 32 signed bytes              d * q
 *   Q1_0   f16 d, 128 bits                              d or -d
 *   TQ1_0  48 bytes of 5 and 4 bytes of 4 digits to the base of 3, f16 d    d * (digit - 1)
 *   TQ2_0  64 bytes of four pairs of bits, f16 d        d * (q - 1)
 *   MXFP4  8-bit exponent, 16 nibble pairs              2^(e - 127) * (a float of 4 bits)
 *   NVFP4  4 scales of 8 bits without sign, 4 times 8 nibble pairs
 *
 * A pair of nibbles holds element i in its low and i + 16 (NVFP4: i + 8) in its high half.
 *
 * Source: the block layouts of ggml (ggml-common.h), and gguf-py's `quants.py`.
 */
#include "formats.h"

static void split_nibbles(const uint8_t *bytes, int count, int offset, int8_t *levels) {
    for (int i = 0; i < count; i++) {
        levels[i] = (int8_t)((bytes[i] & 15) - offset);
        levels[i + count] = (int8_t)((bytes[i] >> 4) - offset);
    }
}

static void split_five_bits(const uint8_t *high, const uint8_t *low, int offset, int8_t *levels) {
    uint32_t bits = long_at(high);
    split_nibbles(low, 16, offset, levels);
    for (int i = 0; i < 32; i++) levels[i] = (int8_t)(levels[i] + (bits >> i & 1 ? 16 : 0));
}

/* scale * level + minimum, of blocks that begin with the two. */
static void with_minimum(const uint8_t *block, const int8_t *levels, float *values) {
    float scale = half_at(block), minimum = half_at(block + 2);
    for (int i = 0; i < 32; i++) values[i] = scale * (float)levels[i] + minimum;
}

float gk_q4_0_levels(const uint8_t *block, int8_t *levels) {
    split_nibbles(block + 2, 16, 8, levels);
    return half_at(block);
}

void gk_q4_1_values(const uint8_t *block, float *values) {
    int8_t levels[32];
    split_nibbles(block + 4, 16, 0, levels);
    with_minimum(block, levels, values);
}

float gk_q5_0_levels(const uint8_t *block, int8_t *levels) {
    split_five_bits(block + 2, block + 6, 16, levels);
    return half_at(block);
}

void gk_q5_1_values(const uint8_t *block, float *values) {
    int8_t levels[32];
    split_five_bits(block + 4, block + 8, 0, levels);
    with_minimum(block, levels, values);
}

float gk_q8_0_levels(const uint8_t *block, int8_t *levels) {
    memcpy(levels, block + 2, 32);
    return half_at(block);
}

float gk_q8_1_levels(const uint8_t *block, int8_t *levels) {
    memcpy(levels, block + 4, 32);
    return half_at(block);
}

float gk_q1_0_levels(const uint8_t *block, int8_t *levels) {
    for (int i = 0; i < 128; i++) levels[i] = block[2 + i / 8] >> i % 8 & 1 ? 1 : -1;
    return half_at(block);
}

/* Digit n of the bytes, and n + 1 of all of them after it. A byte is the fraction of 256 whose
 * first digits it holds. */
static int8_t *split_digits(const uint8_t *bytes, int byte_count, int digit_count, int8_t *levels) {
    for (int digit = 0, power = 1; digit < digit_count; digit++, power *= 3)
        for (int i = 0; i < byte_count; i++)
            *levels++ = (int8_t)(((uint8_t)(bytes[i] * power) * 3 >> 8) - 1);
    return levels;
}

float gk_tq1_0_levels(const uint8_t *block, int8_t *levels) {
    levels = split_digits(block, 32, 5, levels);
    levels = split_digits(block + 32, 16, 5, levels);
    split_digits(block + 48, 4, 4, levels);
    return half_at(block + 52);
}

float gk_tq2_0_levels(const uint8_t *block, int8_t *levels) {
    for (int i = 0; i < 256; i++)
        levels[i] = (int8_t)((block[i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3) - 1);
    return half_at(block + 64);
}

/* Twice the values of a float with two bits of exponent and one of fraction. */
static const int8_t twice_fp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* Half of a power of two with the exponent's bias of f32. */
static float half_power(uint8_t exponent) {
    return float_of(exponent < 2 ? 0x00200000u << exponent : (uint32_t)(exponent - 1) << 23);
}

float gk_mxfp4_levels(const uint8_t *block, int8_t *levels) {
    for (int i = 0; i < 16; i++) {
        levels[i] = twice_fp4[block[1 + i] & 15];
        levels[i + 16] = twice_fp4[block[1 + i] >> 4];
    }
    return half_power(block[0]);
}

/* Half of a float without sign, with four bits of exponent and three of fraction, where all bits
 * say that there is none; the eighth bit has no meaning but in 0x7f. */
static float half_ue4m3(uint8_t bits) {
    int exponent = bits >> 3 & 15, fraction = bits & 7;
    if (bits == 0x7f) return 0;
    if (exponent == 0) return (float)fraction * 0x1p-10f;
    return (1 + (float)fraction / 8) * float_of((uint32_t)(exponent - 8 + 127) << 23);
}

void gk_nvfp4_values(const uint8_t *block, float *values) {
    for (int part = 0; part < 4; part++, values += 16) {
        float scale = half_ue4m3(block[part]);
        for (int i = 0; i < 8; i++) {
            uint8_t pair = block[4 + part * 8 + i];
            values[i] = scale * (float)twice_fp4[pair & 15];
            values[i + 8] = scale * (float)twice_fp4[pair >> 4];
        }
    }
}
