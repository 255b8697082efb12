/* Compares every level of the kernels with the portable one, bit for bit, on random shapes.
 *
 *   compare_levels [rounds [seed]]
 *
 * Prints this processor's levels, what differs, a digest of the portable results (one on every
 * processor), and a verdict; exits with 1 when anything differs.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ckernels.h"

enum {
    MOST_INPUTS = 40 * 32,
    MOST_OUTPUTS = 83,
    MOST_ROWS = 140,
    MOST_COUNT = 4096,
    RESULT_FLOATS = 8192, /* with room around what a case writes */
    MARGIN = 64,
};

/* ---- random values ------------------------------------------------------------------------ */

/* SplitMix64. */
typedef struct {
    uint64_t state;
} generator;

static uint64_t next(generator *g) {
    uint64_t z = g->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t between(generator *g, size_t low, size_t high) {
    return low + (size_t)(next(g) % (high - low + 1));
}

/* -1...1 by a power of two up to 2^±spread. */
static float value(generator *g, int spread) {
    float unit = (float)(int32_t)(next(g) >> 32) * 0x1p-31f;
    return ldexpf(unit, (int)between(g, 0, 2 * (size_t)spread) - spread);
}

static void fill(generator *g, float *values, size_t count, int spread) {
    for (size_t i = 0; i < count; i++) values[i] = value(g, spread);
}

/* Any finite f16, subnormals among them. */
static uint16_t any_half(generator *g) {
    uint16_t bits = (uint16_t)next(g);
    return (bits & 0x7c00) == 0x7c00 ? bits ^ 0x4000 : bits;
}

/* Weights as stored, row-major. */
static void fill_weights(generator *g, gk_type type, size_t count, uint8_t *stored) {
    static const size_t sizes[GK_TYPE_COUNT] = {4, 2, 2, 34, 18, 20};
    size_t size = sizes[type], items = type > GK_BF16 ? count / 32 : count;
    for (size_t item = 0; item < items; item++, stored += size) {
        float weight = value(g, 4);
        uint16_t half = any_half(g), scale = gk_half_from_float(weight / 64);
        uint16_t minimum = gk_half_from_float(value(g, 0));
        if (type == GK_F32) memcpy(stored, &weight, 4);
        if (type == GK_F16) memcpy(stored, &half, 2);
        if (type == GK_BF16) memcpy(stored, (uint8_t *)&weight + 2, 2);
        if (type <= GK_BF16) continue;
        memcpy(stored, &scale, 2);
        for (size_t i = 2; i < size; i++) stored[i] = (uint8_t)next(g);
        if (type == GK_Q4_1) memcpy(stored + 2, &minimum, 2);
    }
}

/* ---- cases: each draws shapes and values, and leaves what the kernel wrote in `out` --------- */

static float x[MOST_ROWS * (MOST_INPUTS + 8)], scratch[1 << 16] __attribute__((aligned(64)));
static uint8_t stored[MOST_OUTPUTS * MOST_INPUTS * 4];
static uint8_t packed[(MOST_OUTPUTS + GK_PANEL) * MOST_INPUTS * 4] __attribute__((aligned(64)));
static int8_t levels[MOST_ROWS * MOST_INPUTS];
static gk_row_block blocks[MOST_ROWS * MOST_INPUTS / 32];

/* Random weights for a product, and some of their panels. */
static void take_weights(generator *g, gk_product *q) {
    size_t panels = (q->outputs + GK_PANEL - 1) / GK_PANEL;
    q->accumulate = (int)between(g, 0, 1);
    q->first_panel = between(g, 0, panels - 1);
    q->last_panel = between(g, q->first_panel + 1, panels);
    fill_weights(g, q->type, q->outputs * q->inputs, stored);
    gk_pack(q->type, stored, q->outputs, q->inputs, 0, panels, packed);
    q->packed = packed;
}

static void multiply(generator *g, float *out) {
    gk_product q = {.type = (gk_type)between(g, 0, GK_TYPE_COUNT - 1)};
    int is_tall = between(g, 0, 7) == 0;
    q.rows = is_tall ? between(g, 100, MOST_ROWS) : between(g, 1, between(g, 0, 1) ? 3 : 30);
    q.outputs = between(g, 1, is_tall ? 20 : MOST_OUTPUTS);
    q.inputs = is_tall ? 64 : q.type > GK_BF16 ? 32 * between(g, 1, 40) : between(g, 1, 700);
    q.x_stride = q.inputs + between(g, 0, 7);
    q.y_stride = q.outputs + between(g, 0, 7);
    take_weights(g, &q);
    fill(g, x, q.rows * q.x_stride, 6);
    fill(g, out, q.rows * q.y_stride, 6);
    if (q.type > GK_BF16) gk_round_rows_int8(x, q.x_stride, q.rows, q.inputs, levels, blocks);
    q.x = x;
    q.x_levels = levels;
    q.x_blocks = blocks;
    q.y = out;
    q.scratch = scratch;
    gk_multiply(&q);
}

/* What a level with BF16 products does with rows rounded to bf16, in plain C: of each pair of inputs
 * the second is added before the first. */
static void multiply_pairs_plainly(const gk_product *q) {
    static float weights[MOST_INPUTS + 1];
    size_t pairs = (q->inputs + 1) / 2, last = q->last_panel * GK_PANEL;
    for (size_t o = q->first_panel * GK_PANEL; o < last && o < q->outputs; o++) {
        weights[q->inputs] = 0;
        gk_unpack_row(q->type, q->packed, q->inputs, o, weights);
        for (size_t row = 0; row < q->rows; row++) {
            float *y = q->y + row * q->y_stride + o, sum = q->accumulate ? *y : 0;
            for (size_t p = 0; p < pairs; p++) {
                float pair[2];
                gk_widen(GK_BF16, q->x_pairs + row * pairs + p, 2, pair);
                sum = fmaf(pair[1], weights[2 * p + 1], sum);
                sum = fmaf(pair[0], weights[2 * p], sum);
            }
            *y = sum;
        }
    }
}

/* Levels without BF16 products take the rows as they are, so plain C stands in for them. */
static void multiply_pairs(generator *g, float *out) {
    static uint32_t x_pairs[MOST_ROWS * 400];
    gk_product q = {.type = GK_BF16, .x_pairs = x_pairs, .y = out};
    q.rows = between(g, 1, between(g, 0, 1) ? 3 : 30);
    q.outputs = between(g, 1, MOST_OUTPUTS);
    q.inputs = between(g, 1, 700);
    q.y_stride = q.outputs + between(g, 0, 7);
    take_weights(g, &q);
    fill(g, x, q.rows * q.inputs, 6);
    fill(g, out, q.rows * q.y_stride, 6);
    gk_round_rows_bf16(x, q.inputs, q.rows, q.inputs, x_pairs);
    if (gk_uses_bf16_rows()) gk_multiply(&q);
    else multiply_pairs_plainly(&q);
}

static void dots(generator *g, float *out) {
    gk_dot_product q = {.type = (gk_type)between(g, 0, GK_BF16), .weights = stored};
    q.outputs = between(g, 1, 20);
    q.inputs = between(g, 1, 400);
    q.rows = between(g, 1, 20);
    q.x_stride = q.inputs + between(g, 0, 7);
    q.y_stride = q.outputs + between(g, 0, 7);
    q.scale = value(g, 2);
    fill_weights(g, q.type, q.outputs * q.inputs, stored);
    fill(g, x, q.rows * q.x_stride, 6);
    q.x = x;
    q.y = out;
    gk_dots(&q);
}

static void fourier(generator *g, float *out) {
    gk_fourier_stage s = {.factor = between(g, 2, 7), .length = between(g, 1, 6), .rest = between(g, 1, 40)};
    size_t angles = s.length * s.factor, count = angles * s.rest;
    fill(g, x, 2 * (angles + s.factor + count), 3);
    s.turns = x;
    s.roots = s.turns + 2 * angles;
    s.real = s.roots + 2 * s.factor;
    s.imaginary = s.real + count;
    s.to_real = out;
    s.to_imaginary = out + count;
    gk_fourier_stage_run(&s);
    gk_fourier_turn t = {.rows = angles, .columns = s.rest, .turns = x + 2 * count};
    fill(g, x, 4 * count, 3);
    t.real = x;
    t.imaginary = x + count;
    t.to_real = out + 2 * count;
    t.to_imaginary = out + 3 * count;
    gk_fourier_turn_run(&t);
}

static void sparse(generator *g, float *out) {
    static int32_t starts[MOST_OUTPUTS + 1], columns[MOST_OUTPUTS * 40];
    size_t inputs = between(g, 1, 400), rows = between(g, 1, GK_SPARSE_ROWS), count = 0;
    gk_sparse_matrix m = {starts, columns, x, between(g, 1, MOST_OUTPUTS), inputs};
    for (size_t o = 0; o < m.outputs; o++) {
        for (size_t i = between(g, 0, 40); i > 0; i--) columns[count++] = (int32_t)between(g, 0, inputs - 1);
        starts[o + 1] = (int32_t)count;
    }
    fill(g, x, count + rows * inputs, 6);
    fill(g, out, rows * m.outputs, 6);
    gk_sparse_product p = {&m, x + count, inputs, rows, out, m.outputs, value(g, 2), scratch};
    gk_sparse_add(&p);
}

static void round_rows(generator *g, float *out) {
    static const float odd[] = {0, -0.0f, 1e-38f, 3e38f, INFINITY, -INFINITY, NAN};
    size_t rows = between(g, 1, 4), inputs = 32 * between(g, 1, 8);
    fill(g, x, rows * inputs, 20);
    for (size_t i = between(g, 0, 3); i > 0; i--)
        x[between(g, 0, rows * inputs - 1)] = odd[between(g, 0, 6)];
    if (between(g, 0, 3) == 0) memset(x, 0, 32 * sizeof *x);
    gk_round_rows_int8(x, inputs, rows, inputs, (int8_t *)out, (gk_row_block *)(out + 1024));
}

/* What has no levels, but must not depend on the processor either. */
static void storage(generator *g, float *out) {
    gk_type type = (gk_type)between(g, 0, GK_TYPE_COUNT - 1);
    size_t inputs = 32 * between(g, 1, 8);
    fill_weights(g, type, GK_PANEL * inputs, stored);
    gk_pack(type, stored, GK_PANEL, inputs, 0, 1, packed);
    gk_unpack_row(type, packed, inputs, between(g, 0, GK_PANEL - 1), out);
    fill(g, x, inputs, 6);
    gk_quantize(GK_Q8_0, x, inputs, (uint8_t *)(out + 512));
    gk_quantize(GK_Q4_1, x, inputs, (uint8_t *)(out + 1024));
    gk_round_rows_bf16(x, inputs, 1, inputs, (uint32_t *)(out + 1536));
}

enum { PAGES = 6, KEY_HEADS = 2 };
static float prefix_pages[PAGES][KEY_HEADS * GK_PAGE * 2 * 112];
static float own_pages[PAGES][KEY_HEADS * GK_PAGE * 2 * 112];
static const float *prefix_places[PAGES], *own_places[PAGES];

static void fill_pages(generator *g, gk_type type, size_t dimension, const float **places,
                       float (*pages)[KEY_HEADS * GK_PAGE * 2 * 112]) {
    for (size_t page = 0; page < PAGES; page++) {
        memset(pages[page], 0, sizeof pages[page]);
        places[page] = pages[page];
        for (size_t slot = 0; slot < GK_PAGE; slot++) {
            fill(g, x, 2 * KEY_HEADS * dimension, 0);
            gk_store_key_value(type, x, x + KEY_HEADS * dimension, KEY_HEADS, dimension, slot,
                               pages[page]);
        }
    }
}

/* Half of the tiles have a rule. Pages that its window hides are gone. Slopes are not negative, so that
 * sinks leave probabilities that BF16 products don't take for 0. */
static void take_rule(generator *g, gk_attention_tile *t) {
    static float numbers[8];
    if (between(g, 0, 1)) return;
    fill(g, numbers, 8, 2);
    for (int i = 0; i < 4; i++) numbers[i] = fabsf(numbers[i]);
    if (between(g, 0, 1)) t->shared = between(g, 1, PAGES * GK_PAGE);
    if (between(g, 0, 1)) t->rule.window = between(g, 1, between(g, 0, 1) ? 200 : 40);
    if (between(g, 0, 1)) t->rule.soft_cap = fabsf(value(g, 4)) + 0.01f;
    if (between(g, 0, 1)) t->rule.slopes = numbers;
    if (between(g, 0, 1)) t->rule.sinks = numbers + 4;
    size_t tokens = t->prefix + t->visible, window = t->rule.window;
    size_t start = window && tokens > window ? tokens - window : 0;
    for (size_t end = GK_PAGE; end <= start && end < t->prefix + GK_PAGE; end += GK_PAGE)
        prefix_places[end / GK_PAGE - 1] = NULL;
    for (size_t end = GK_PAGE; t->prefix + end <= start; end += GK_PAGE)
        own_places[end / GK_PAGE - 1] = NULL;
}

static gk_attention_tile any_attention(generator *g, gk_type type, float *out) {
    size_t dimension = between(g, 0, 1) ? 16 * between(g, 1, 6) : 2 * between(g, 1, 48);
    fill_pages(g, type, dimension, prefix_places, prefix_pages);
    fill_pages(g, type, dimension, own_places, own_pages);
    gk_attention_tile t = {.type = type, .head_dimension = dimension};
    t.prefix_pages = prefix_places;
    t.pages = own_places;
    t.group = between(g, 1, 4);
    t.positions = between(g, 1, 8);
    t.prefix = between(g, 0, PAGES * GK_PAGE);
    t.visible = between(g, 1, PAGES * GK_PAGE - t.positions + 1);
    t.head_offset = between(g, 0, KEY_HEADS - 1) * gk_page_head_words(type, dimension);
    t.scale = 1 / sqrtf((float)dimension);
    t.query_stride = t.output_stride = t.group * dimension + between(g, 0, 7);
    fill(g, x, t.positions * t.query_stride, 3);
    t.queries = x;
    t.output = out;
    t.scratch = scratch;
    take_rule(g, &t);
    return t;
}

/* A level with BF16 products rounds queries and probabilities when pages are bf16: another case. */
static void attention(generator *g, float *out) {
    gk_attention_tile t = any_attention(g, between(g, 0, 1) ? GK_BF16 : GK_F32, out);
    gk_level level = gk_current_level();
    if (gk_uses_bf16_rows()) gk_set_level(GK_AVX512);
    gk_attention(&t);
    gk_set_level(level);
}

static float add_pair(float sum, uint32_t x_pair, uint32_t y_pair) {
    float a[2], b[2];
    gk_widen(GK_BF16, &x_pair, 2, a);
    gk_widen(GK_BF16, &y_pair, 2, b);
    return fmaf(a[0], b[0], fmaf(a[1], b[1], sum));
}

/* What such a level does, row by row in plain C. */
static void attention_row_plainly(const gk_attention_tile *t, size_t position, size_t head) {
    static float scores[(2 * PAGES + 1) * GK_PAGE], scaled[112];
    static uint32_t query[56], shares[(2 * PAGES + 1) * GK_PAGE / 2];
    size_t dimension = t->head_dimension, pairs = (dimension + 1) / 2, columns = 0;
    size_t seen = t->visible + position, place = head * dimension, self = t->prefix + seen - 1;
    size_t start = t->rule.window && self >= t->rule.window ? self + 1 - t->rule.window : 0;
    const float *pages[2 * PAGES];
    if (seen < t->shared) seen = t->shared;
    for (size_t c = 0; c < t->prefix; c += GK_PAGE) pages[columns++] = t->prefix_pages[c / GK_PAGE];
    size_t own = columns * GK_PAGE;
    for (size_t c = 0; c < seen; c += GK_PAGE) pages[columns++] = t->pages[c / GK_PAGE];
    columns *= GK_PAGE;
    memcpy(scaled, t->queries + position * t->query_stride + place, dimension * sizeof(float));
    gk_scale(scaled, t->scale, dimension);
    gk_round_rows_bf16(scaled, dimension, 1, dimension, query);
    for (size_t c = 0; c < columns; c++) {
        size_t token = c < own ? c : c - own + t->prefix;
        scores[c] = -INFINITY;
        if ((c >= t->prefix && c < own) || c >= own + seen || token < start) continue;
        const uint32_t *keys = (const uint32_t *)(pages[c / GK_PAGE] + t->head_offset) + c % GK_PAGE;
        scores[c] = 0;
        for (size_t p = 0; p < pairs; p++)
            scores[c] = add_pair(scores[c], query[p], keys[p * GK_PAGE]);
        if (t->rule.soft_cap > 0) gk_soft_cap(scores + c, t->rule.soft_cap, 1);
        if (t->rule.slopes)
            scores[c] = fmaf(t->rule.slopes[head], (float)token - (float)self, scores[c]);
    }
    float largest = scores[gk_index_of_maximum(scores, columns)], sink = 0;
    if (t->rule.sinks) {
        sink = t->rule.sinks[head];
        if (t->rule.slopes) sink -= t->rule.slopes[head] * (float)self;
        if (sink > largest) largest = sink;
    }
    float sum = gk_exponentials(scores, largest, columns);
    if (t->rule.sinks) sum += gk_exponentials(&sink, largest, 1);
    float factor = 1 / sum;
    gk_round_rows_bf16(scores, columns, 1, columns, shares);
    for (size_t i = 0; i < dimension; i++) {
        float sum = 0;
        for (size_t c = 0; c < columns; c += 2) {
            if (!pages[c / GK_PAGE]) continue;
            const uint32_t *values =
                (const uint32_t *)(pages[c / GK_PAGE] + t->head_offset) + pairs * GK_PAGE;
            size_t pair = i / GK_PANEL * (GK_PAGE / 2) + c % GK_PAGE / 2;
            sum = add_pair(sum, shares[c / 2], values[pair * GK_PANEL + i % GK_PANEL]);
        }
        t->output[position * t->output_stride + place + i] = sum * factor;
    }
}

/* Levels without BF16 products compute in f32, so plain C stands in for them. */
static void attention_pairs(generator *g, float *out) {
    gk_attention_tile t = any_attention(g, GK_BF16, out);
    if (gk_uses_bf16_rows()) gk_attention(&t);
    else
        for (size_t row = 0; row < t.positions * t.group; row++)
            attention_row_plainly(&t, row / t.group, row % t.group);
}

static void rms_norm(generator *g, float *out) {
    size_t width = between(g, 1, 500);
    fill(g, x, 2 * width, 4);
    gk_rms_norm(x, x + width, 1e-5f, width, out);
}

static void layer_norm(generator *g, float *out) {
    size_t width = between(g, 1, 500);
    fill(g, x, 3 * width, 4);
    gk_layer_norm(x, x + width, between(g, 0, 1) ? x + 2 * width : NULL, 1e-5f, width, out);
}

static void rotary(generator *g, float *out) {
    size_t dimension = 2 * between(g, 1, 64), heads = between(g, 1, 5);
    size_t turned = between(g, 0, 1) ? dimension : 2 * between(g, 0, dimension / 2);
    fill(g, x, dimension, 0);
    fill(g, out, heads * dimension, 3);
    (between(g, 0, 1) ? gk_rotary : gk_rotary_neighbours)(out, heads, dimension, turned, x,
                                                          x + dimension / 2);
}

static void activations(generator *g, float *out) {
    size_t count = between(g, 0, 300);
    fill(g, x, count, 2);
    for (int i = 0; i <= GK_QUICK_GELU; i++, out += 512) {
        fill(g, out, count, 14);
        gk_activate((gk_activation)i, out, between(g, 0, 1) ? x : NULL, count);
    }
    fill(g, out, count, 14);
    gk_soft_cap(out, fabsf(value(g, 5)) + 0.01f, count);
}

static void elementwise(generator *g, float *out) {
    size_t count = between(g, 0, 300);
    fill(g, x, count, 7);
    fill(g, x + 512, count, 2);
    for (int i = 0; i < 5; i++) fill(g, out + 512 * i, count, 7);
    gk_activate(GK_SILU, out, x, count);
    gk_add(x, out + 512, count);
    gk_scale(out + 1024, value(g, 3), count);
    gk_scaled_add(x, value(g, 3), out + 1536, count);
    gk_scaled_product_add(x, x + 512, value(g, 3), out + 2048, count);
}

/* Logits with equal ones among them, then their exponentials; indices are exact as floats. */
static void sampling(generator *g, float *out) {
    size_t count = between(g, 1, MOST_COUNT - 1);
    fill(g, x, count, 5);
    for (size_t i = count / 4; i > 0; i--)
        x[between(g, 0, count - 1)] = x[between(g, 0, count - 1)];
    if (between(g, 0, 3) == 0) x[between(g, 1, count) - 1] = -INFINITY;
    size_t first = between(g, 0, count), largest = gk_index_of_maximum(x, count);
    float threshold = x[between(g, 0, count - 1)];
    out[MOST_COUNT] = (float)largest;
    out[MOST_COUNT + 1] = (float)gk_index_at_least(x, first, count, threshold);
    out[MOST_COUNT + 2] = gk_log_sum_exp(x, count);
    memcpy(out, x, count * sizeof *x);
    float sum = gk_exponentials(out, x[largest], count);
    out[MOST_COUNT + 3] = sum;
    double wanted = (double)sum * (double)(next(g) >> 12) * 0x1p-52;
    out[MOST_COUNT + 4] = (float)gk_index_of_sum(out, count, wanted);
}

/* ---- comparison --------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    void (*run)(generator *, float *);
} kernel_case;

static const kernel_case cases[] = {
    {"products", multiply},         {"products of pairs", multiply_pairs},
    {"dot products", dots},         {"rounding rows", round_rows},
    {"attention", attention},       {"attention of pairs", attention_pairs},
    {"rms norm", rms_norm},         {"layer norm", layer_norm},    {"activations", activations},
    {"rotary", rotary},             {"elementwise", elementwise},
    {"sampling", sampling},         {"storage", storage},          {"sparse", sparse},
    {"fourier", fourier},
};

enum { CASE_COUNT = sizeof cases / sizeof *cases };

static float expected[RESULT_FLOATS], found[RESULT_FLOATS];

static void run_at(gk_level level, const kernel_case *c, uint64_t seed, float *results) {
    generator g = {seed};
    memset(results, 0x5a, RESULT_FLOATS * sizeof *results);
    gk_set_level(level);
    c->run(&g, results + MARGIN);
}

/* FNV-1a, a byte at a time. */
static uint64_t digest_of(const float *results, uint64_t digest) {
    const uint8_t *bytes = (const uint8_t *)results;
    for (size_t i = 0; i < RESULT_FLOATS * sizeof *results; i++)
        digest = (digest ^ bytes[i]) * 0x100000001b3u;
    return digest;
}

/* The number of levels whose results differ from `expected`. */
static int compare_levels(const kernel_case *c, uint64_t seed) {
    int different = 0;
    for (int level = GK_PORTABLE + 1; level < GK_LEVEL_COUNT; level++) {
        if (!gk_level_is_supported((gk_level)level)) continue;
        run_at((gk_level)level, c, seed, found);
        size_t i = 0;
        while (i < RESULT_FLOATS && memcmp(found + i, expected + i, sizeof *found) == 0) i++;
        if (i == RESULT_FLOATS) continue;
        printf("%s, seed %llu: %s gives %a, portable %a at %d\n", c->name,
               (unsigned long long)seed, gk_level_name((gk_level)level), (double)found[i],
               (double)expected[i], (int)i - MARGIN);
        different++;
    }
    return different;
}

int main(int argc, char **argv) {
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 300;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1, digest = 0xcbf29ce484222325u;
    printf("levels:");
    for (int level = GK_PORTABLE; level < GK_LEVEL_COUNT; level++)
        if (gk_level_is_supported((gk_level)level)) printf(" %s", gk_level_name((gk_level)level));
    printf("\n");
    int different = 0;
    for (size_t i = 0; i < CASE_COUNT; i++)
        for (size_t round = 0; round < rounds; round++) {
            run_at(GK_PORTABLE, &cases[i], seed + round, expected);
            digest = digest_of(expected, digest);
            different += compare_levels(&cases[i], seed + round);
        }
    printf("digest: %016llx\n", (unsigned long long)digest);
    printf("%zu cases from seed %llu: %d differ\n", rounds * CASE_COUNT, (unsigned long long)seed,
           different);
    return different != 0;
}
