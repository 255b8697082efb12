/* Chooses the level once, weakest first, and forwards to the chosen kernels. */
#include <stdlib.h>
#include <string.h>

#include "kernel_table.h"

static gk_table table;
static gk_level current;

static gk_level hardware_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("f16c"))
        return GK_PORTABLE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
        return GK_AVX2;
    if (!__builtin_cpu_supports("avx512vnni")) return GK_AVX512;
    return __builtin_cpu_supports("avx512bf16") ? GK_AVX512BF16 : GK_AVX512VNNI;
#else
    return GK_PORTABLE;
#endif
}

gk_level gk_supported_level(void) {
    static const char *const names[GK_LEVEL_COUNT] = {"portable", "avx2", "avx512", "avx512vnni",
                                                  "avx512bf16"};
    gk_level level = hardware_level();
    const char *mask = getenv("GRAFT_CPU");
    for (int i = 0; mask && i < GK_LEVEL_COUNT; i++)
        if (strcmp(mask, names[i]) == 0 && (gk_level)i < level) level = (gk_level)i;
    return level;
}

gk_level gk_set_level(gk_level level) {
    gk_level supported = gk_supported_level();
    current = level < supported ? level : supported;
    gk_table chosen;
    memset(&chosen, 0, sizeof chosen);
    gk_init_portable(&chosen);
#if defined(__x86_64__)
    if (current >= GK_AVX2) gk_init_avx2(&chosen);
    if (current >= GK_AVX512) gk_init_avx512(&chosen);
    if (current >= GK_AVX512VNNI) gk_init_avx512vnni(&chosen);
    if (current >= GK_AVX512BF16) gk_init_avx512bf16(&chosen);
#endif
    table = chosen;
    return current;
}

__attribute__((constructor)) static void choose_level(void) { gk_set_level(GK_AVX512BF16); }

gk_level gk_current_level(void) { return current; }

int gk_uses_bf16_rows(void) { return table.multiply_bf16_rows != NULL; }

void gk_multiply(const gk_product *p) {
    if (p->type > GK_BF16) table.multiply_blocks(p);
    else if (p->x_pairs && table.multiply_bf16_rows) table.multiply_bf16_rows(p);
    else table.multiply(p);
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

void gk_attention(const gk_attention_tile *tile) { table.attention(tile); }

void gk_rms_norm(const float *x, const float *gain, float epsilon, size_t width, float *y) {
    table.rms_norm(x, gain, epsilon, width, y);
}

void gk_rotary(float *heads, size_t head_count, size_t dimension, const float *cosines,
               const float *sines) {
    table.rotary(heads, head_count, dimension, cosines, sines);
}

void gk_silu_multiply(float *gate, const float *up, size_t count) {
    table.silu_multiply(gate, up, count);
}

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
