/* Products with 8-bit and 4-bit blocks for AVX-512 VNNI, whose one instruction adds four products of
 * unsigned by signed bytes to each of 16 sums. */
#if defined(__x86_64__)
#include <immintrin.h>

#define GK(name) gk_##name##_avx512vnni
#define INT_TILE 12
#define GK_HARDWARE_HALF 1

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(                                                                     \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))),       \
    apply_to = function)

#include "body_lanes.h"
#include "body_widen.h"

typedef __m512i weight_bytes;
typedef __m512i dot_sums;

/* Signed levels become unsigned, 128 too large; the sums start that much lower. */
INLINE weight_bytes take_weights(level_kind kind, const uint8_t *bytes) {
    __m512i w = _mm512_loadu_si512(bytes);
    return kind == SIGNED_BYTES ? _mm512_xor_si512(w, _mm512_set1_epi8((char)0x80)) : w;
}

INLINE void take_nibbles(const uint8_t *bytes, weight_bytes *low, weight_bytes *high) {
    __m512i both = _mm512_loadu_si512(bytes), mask = _mm512_set1_epi8(15);
    *low = _mm512_and_si512(both, mask);
    *high = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
}

INLINE dot_sums start_sums(level_kind kind, int32_t row_sum, int32_t offset) {
    return _mm512_set1_epi32(-(kind == SIGNED_BYTES ? 128 : offset) * row_sum);
}

INLINE dot_sums add_dots(level_kind kind, dot_sums sums, weight_bytes w, int32_t x) {
    (void)kind;
    return _mm512_dpbusd_epi32(sums, w, _mm512_set1_epi32(x));
}

INLINE lanes_i finish_sums(level_kind kind, dot_sums sums, int32_t row_sum, int32_t offset) {
    (void)kind, (void)row_sum, (void)offset;
    return (lanes_i)sums;
}

#include "body_int8.h"

void gk_init_avx512vnni(gk_table *table) {
    table->multiply_blocks = gk_multiply_blocks_avx512vnni;
    table->peak_dots = gk_peak_dots_avx512vnni;
}

#pragma clang attribute pop
#endif
