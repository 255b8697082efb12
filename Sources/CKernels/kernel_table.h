/* The kernels that have a version for each level. */
#ifndef GK_KERNEL_TABLE_H
#define GK_KERNEL_TABLE_H

#include "ckernels.h"

/* The pages that the rows of a tile see: neighbours in the order of the columns, where those of the
 * prefix come first and the sequence's own follow. */
typedef struct {
    size_t prefix;       /* pages of the prefix, seen or not */
    size_t first, count;
} gk_seen_pages;

static inline gk_seen_pages gk_pages_seen(const gk_attention_tile *t) {
    size_t last = t->visible + t->positions - 1, tokens = t->prefix + t->visible;
    gk_seen_pages seen = {(t->prefix + GK_PAGE - 1) / GK_PAGE, 0, 0};
    if (last < t->shared) last = t->shared;
    if (t->rule.window && tokens > t->rule.window) { /* what the first row no longer sees */
        size_t start = tokens - t->rule.window;
        seen.first = start < t->prefix ? start / GK_PAGE
                                       : seen.prefix + (start - t->prefix) / GK_PAGE;
    }
    seen.count = seen.prefix + (last + GK_PAGE - 1) / GK_PAGE - seen.first;
    return seen;
}

/* The words of a seen page. */
static inline const float *gk_seen_page(const gk_attention_tile *t, const gk_seen_pages *seen,
                                        size_t page) {
    page += seen->first;
    return page < seen->prefix ? t->prefix_pages[page] : t->pages[page - seen->prefix];
}

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
    float (*soften)(float *, size_t, const gk_attention_tile *, const gk_seen_pages *, size_t);
    void (*rms_norm)(const float *, const float *, float, size_t, float *);
    void (*layer_norm)(const float *, const float *, const float *, float, size_t, float *);
    void (*rotary)(float *, size_t, size_t, size_t, const float *, const float *);
    void (*rotary_neighbours)(float *, size_t, size_t, size_t, const float *, const float *);
    void (*activate)(gk_activation, float *, const float *, size_t);
    void (*soft_cap)(float *, float, size_t);
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

/* A row's scores of the columns of the seen pages, and of some behind them, become
 * e^(score - largest score), or 0 where the row doesn't see the column; returns what makes
 * probabilities of them. */
float gk_soften(float *scores, size_t columns, const gk_attention_tile *tile,
                const gk_seen_pages *seen, size_t row);

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
