/* The kernels for AVX2 with FMA and F16C: 16 lanes are two registers. */
#if defined(__x86_64__)
#include <immintrin.h>

#define GK(name) gk_##name##_avx2
#define TILE 6
#define INT_TILE 4
#define FEW_ROWS 1
#define DOT_ROWS 3
#define DOT_OUTPUTS 2
#define GK_HARDWARE_HALF 1

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "body_vector.h"
#include "body_activation.h"
#include "body_matrix.h"
#include "int8_avx2.h"
#include "body_int8.h"
#include "body_dots.h"
#include "body_fourier.h"
#include "body_sparse.h"
#include "body_attention.h"

void gk_init_avx2(gk_table *table) { gk_fill_table_avx2(table); }

#pragma clang attribute pop
#endif
