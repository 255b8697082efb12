/* Chooses the level once, weakest first, and forwards to the chosen kernels. */
#include <stdlib.h>
#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "kernel_table.h"

typedef struct {
    const char *name;
    int (*runs)(void); /* has the processor what this level needs beyond weaker ones? */
    void (*fill)(gk_table *);
} level_row;

static gk_table table;
static gk_level current;

static int always(void) { return 1; }

#if defined(__x86_64__)
static int has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("f16c");
}
static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
static int has_avx512vnni(void) { return __builtin_cpu_supports("avx512vnni"); }
static int has_avx512bf16(void) { return __builtin_cpu_supports("avx512bf16"); }
#define ON_X86(runs, fill) runs, fill
#define ON_ARM(runs, fill) NULL, NULL
#elif defined(__aarch64__)
static int has_dot_products(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#define ON_X86(runs, fill) NULL, NULL
#define ON_ARM(runs, fill) runs, fill
#else
#define ON_X86(runs, fill) NULL, NULL
#define ON_ARM(runs, fill) NULL, NULL
#endif

/* Weakest first; a level of another architecture has a name only. */
static const level_row levels[GK_LEVEL_COUNT] = {
    [GK_PORTABLE] = {"portable", always, gk_init_portable},
    [GK_AVX2] = {"avx2", ON_X86(has_avx2, gk_init_avx2)},
    [GK_AVX512] = {"avx512", ON_X86(has_avx512, gk_init_avx512)},
    [GK_AVX512VNNI] = {"avx512vnni", ON_X86(has_avx512vnni, gk_init_avx512vnni)},
    [GK_AVX512BF16] = {"avx512bf16", ON_X86(has_avx512bf16, gk_init_avx512bf16)},
    [GK_NEON] = {"neon", ON_ARM(always, gk_init_neon)},
    [GK_NEONDOT] = {"neondot", ON_ARM(has_dot_products, gk_init_neondot)},
};

const char *gk_level_name(gk_level level) { return levels[level].name; }

gk_level gk_supported_level(void) {
    const char *mask = getenv("GRAFT_CPU");
    gk_level strongest = GK_PORTABLE;
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    for (int i = 0; i < GK_LEVEL_COUNT; i++) {
        if (!levels[i].fill) continue;
        if (!levels[i].runs()) break;
        strongest = (gk_level)i;
        if (mask && strcmp(mask, levels[i].name) == 0) break;
    }
    return strongest;
}

int gk_level_is_supported(gk_level level) {
    return levels[level].fill && level <= gk_supported_level();
}

gk_level gk_set_level(gk_level level) {
    gk_level supported = gk_supported_level();
    gk_table chosen;
    memset(&chosen, 0, sizeof chosen);
    for (int i = 0; i <= (int)level && i <= (int)supported; i++) {
        if (!levels[i].fill) continue;
        levels[i].fill(&chosen);
        current = (gk_level)i;
    }
    table = chosen;
    return current;
}

__attribute__((constructor)) static void choose_level(void) { gk_set_level(GK_LEVEL_COUNT - 1); }

gk_level gk_current_level(void) { return current; }

int gk_uses_bf16_rows(void) { return table.multiply_bf16_rows != NULL; }

void gk_multiply(const gk_product *p) {
    if (p->type > GK_BF16) table.multiply_blocks(p);
    else if (p->x_pairs && table.multiply_bf16_rows) table.multiply_bf16_rows(p);
    else table.multiply(p);
}

void gk_round_rows_bf16(const float *x, size_t x_stride, size_t rows, size_t inputs,
                        uint32_t *pairs) {
    table.round_rows_bf16(x, x_stride, rows, inputs, pairs);
}

void gk_round_rows_int8(const float *x, size_t x_stride, size_t rows, size_t inputs,
                        int8_t *levels, gk_row_block *blocks) {
    table.round_rows_int8(x, x_stride, rows, inputs, levels, blocks);
}

float gk_read_floats(const float *x, size_t count) { return table.read_floats(x, count); }

size_t gk_peak(gk_type type, size_t rounds, float *sink) {
    if (type > GK_BF16) return table.peak_dots(type, rounds, sink);
    if (type == GK_BF16 && table.peak_bf16) return table.peak_bf16(rounds, sink);
    return table.peak_fma(rounds, sink);
}

void gk_dots(const gk_dot_product *product) { table.dots(product); }

void gk_fourier_stage_run(const gk_fourier_stage *stage) { table.fourier_stage(stage); }

void gk_fourier_turn_run(const gk_fourier_turn *turn) { table.fourier_turn(turn); }

void gk_sparse_add(const gk_sparse_product *product) { table.sparse_add(product); }

void gk_attention(const gk_attention_tile *tile) {
    if (tile->type == GK_BF16) table.attention_bf16(tile);
    else table.attention(tile);
}

void gk_store_bf16(const float *key, const float *value, size_t dimension, size_t slot, float *keys,
                   float *values) {
    table.store_bf16(key, value, dimension, slot, keys, values);
}

float gk_soften(float *scores, size_t columns, const gk_attention_tile *tile,
                const gk_seen_pages *seen, size_t row) {
    return table.soften(scores, columns, tile, seen, row);
}

void gk_rms_norm(const float *x, const float *gain, float epsilon, size_t width, float *y) {
    table.rms_norm(x, gain, epsilon, width, y);
}

void gk_layer_norm(const float *x, const float *gain, const float *bias, float epsilon,
                   size_t width, float *y) {
    table.layer_norm(x, gain, bias, epsilon, width, y);
}

void gk_rotary(float *heads, size_t head_count, size_t dimension, size_t turned,
               const float *cosines, const float *sines) {
    table.rotary(heads, head_count, dimension, turned, cosines, sines);
}

void gk_rotary_neighbours(float *heads, size_t head_count, size_t dimension, size_t turned,
                          const float *cosines, const float *sines) {
    table.rotary_neighbours(heads, head_count, dimension, turned, cosines, sines);
}

void gk_activate(gk_activation activation, float *values, const float *factors, size_t count) {
    table.activate(activation, values, factors, count);
}

void gk_soft_cap(float *x, float cap, size_t count) { table.soft_cap(x, cap, count); }

void gk_add(const float *x, float *y, size_t count) { table.add(x, y, count); }

void gk_scaled_add(const float *x, float factor, float *y, size_t count) {
    table.scaled_add(x, factor, y, count);
}

void gk_scaled_product_add(const float *x, const float *d, float factor, float *y, size_t count) {
    table.scaled_product_add(x, d, factor, y, count);
}

void gk_scale(float *x, float factor, size_t count) { table.scale(x, factor, count); }

size_t gk_index_of_maximum(const float *x, size_t count) {
    return table.index_of_maximum(x, count);
}

size_t gk_index_at_least(const float *x, size_t first, size_t count, float threshold) {
    return table.index_at_least(x, first, count, threshold);
}

size_t gk_index_of_sum(const float *x, size_t count, double wanted) {
    return table.index_of_sum(x, count, wanted);
}

float gk_log_sum_exp(const float *x, size_t count) { return table.log_sum_exp(x, count); }

float gk_exponentials(float *x, float maximum, size_t count) {
    return table.exponentials(x, maximum, count);
}
