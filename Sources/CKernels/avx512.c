/* The kernels for AVX-512 (F, BW, DQ, VL): 16 lanes are one register. */
#if defined(__x86_64__)
#include <immintrin.h>

#define GK(name) gk_##name##_avx512
#define TILE 12
#define INT_TILE 4
#define FEW_ROWS 3
#define DOT_ROWS 4
#define DOT_OUTPUTS 4
#define GK_HARDWARE_HALF 1
/* Bytes that the mask leaves out are not written. */
#define STORE_HALVES(words, slot, halves)                                                         \
    _mm512_mask_storeu_epi16(words, (slot) % 2 ? 0xaaaaaaaau : 0x55555555u,                       \
                             (__m512i)((slot) % 2 ? (halves) << 16 : (halves)))

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(                                                                     \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"))), \
    apply_to = function)

#include "body_vector.h"
#include "body_activation.h"
#include "body_matrix.h"
#include "int8_avx2.h"
#include "body_int8.h"
#include "body_dots.h"
#include "body_fourier.h"
#include "body_sparse.h"
#include "body_attention.h"

void gk_init_avx512(gk_table *table) { gk_fill_table_avx512(table); }

#pragma clang attribute pop
#endif
