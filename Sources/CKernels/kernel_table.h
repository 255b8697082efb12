/* The kernels that have a version for each level. */
#ifndef GK_KERNEL_TABLE_H
#define GK_KERNEL_TABLE_H

#include "ckernels.h"

typedef struct {
    void (*multiply)(const gk_product *);           /* float types */
    void (*multiply_bf16_rows)(const gk_product *); /* NULL below GK_AVX512BF16 */
    void (*multiply_blocks)(const gk_product *);
    void (*dots)(const gk_dot_product *);
    void (*fourier_stage)(const gk_fourier_stage *);
    void (*fourier_turn)(const gk_fourier_turn *);
    void (*sparse_add)(const gk_sparse_product *);
    void (*round_rows_bf16)(const float *, size_t, size_t, size_t, uint32_t *);
    void (*round_rows_int8)(const float *, size_t, size_t, size_t, int8_t *, gk_row_block *);
    void (*attention)(const gk_attention_tile *);
    void (*attention_bf16)(const gk_attention_tile *); /* pages of bf16 */
    void (*store_bf16)(const float *, const float *, size_t, size_t, float *, float *);
    float (*soften)(float *, size_t, size_t, size_t, size_t);
    void (*rms_norm)(const float *, const float *, float, size_t, float *);
    void (*rotary)(float *, size_t, size_t, const float *, const float *);
    void (*silu_multiply)(float *, const float *, size_t);
    void (*add)(const float *, float *, size_t);
    void (*scaled_add)(const float *, float, float *, size_t);
    void (*scaled_product_add)(const float *, const float *, float, float *, size_t);
    void (*scale)(float *, float, size_t);
    size_t (*index_of_maximum)(const float *, size_t);
    size_t (*index_at_least)(const float *, size_t, size_t, float);
    size_t (*index_of_sum)(const float *, size_t, double);
    float (*log_sum_exp)(const float *, size_t);
    float (*exponentials)(float *, float, size_t);
    float (*read_floats)(const float *, size_t);
    size_t (*peak_fma)(size_t, float *);
    size_t (*peak_bf16)(size_t, float *); /* NULL below GK_AVX512BF16 */
    size_t (*peak_dots)(gk_type, size_t, float *);
} gk_table;

/* Words of a head's keys in a page; its values follow them. */
static inline size_t gk_page_key_words(gk_type type, size_t head_dimension) {
    return (type == GK_BF16 ? (head_dimension + 1) / 2 : head_dimension) * GK_PAGE;
}

/* A token's key and value of one head into a page of bf16. */
void gk_store_bf16(const float *key, const float *value, size_t dimension, size_t slot, float *keys,
                   float *values);

/* Scores of a row become e^(score - largest score), and 0 from `prefix` to `prefix_columns` and
 * behind the `own` columns that follow; returns what makes probabilities of them. */
float gk_soften(float *scores, size_t columns, size_t prefix_columns, size_t prefix, size_t own);

void gk_init_portable(gk_table *table);
#if defined(__x86_64__)
void gk_init_avx2(gk_table *table);
void gk_init_avx512(gk_table *table);
void gk_init_avx512vnni(gk_table *table);
void gk_init_avx512bf16(gk_table *table);
#elif defined(__aarch64__)
void gk_init_neon(gk_table *table);
void gk_init_neondot(gk_table *table);
#endif

#endif
