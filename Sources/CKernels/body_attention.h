/* Attention of a tile of query rows over paged keys and values: two panel products with a softmax
 * between them. A page's keys [dimension][16 tokens] are a panel with one lane a token; its values
 * [16 tokens][dimension] are panels with one lane a dimension. Pages of bf16 are widened on the
 * way, one after the other, in the nearest cache.
 *
 * Columns are padded to whole pages; a column that a row does not see has probability 0, which adds
 * exactly nothing, so neither tile nor chunk nor page boundaries change a row's bits. For that all
 * values are finite: see gk_store_key_value. Pages that no row of the tile sees are not read.
 */

/* scores += slope * distance of the column's token from the row's own. Distances differ from the
 * tokens' indices by one number a row, which a softmax doesn't see, and unlike these they don't
 * take the scores' last digits in a long context. */
ALONE void GK(add_distances)(float *scores, const gk_attention_tile *t, const gk_seen_pages *seen,
                             float slope, size_t own_token) {
    static const float steps[LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (size_t page = seen->first; page < seen->first + seen->count; page++, scores += GK_PAGE) {
        size_t token = page < seen->prefix ? page * GK_PAGE
                                           : t->prefix + (page - seen->prefix) * GK_PAGE;
        lanes_f distance = SPLAT((float)token - (float)own_token) + LOAD(steps);
        STORE(scores, FMA(SPLAT(slope), distance, LOAD(scores)));
    }
}

ALONE float GK(exponential_of)(float x) { return exponential(SPLAT(x))[0]; }

/* Scores of a row become e^(score - largest score), and 0 where it doesn't see a column; returns
 * what makes probabilities of them. */
static float GK(soften)(float *scores, size_t columns, const gk_attention_tile *t,
                        const gk_seen_pages *seen, size_t row) {
    const gk_attention_rule *rule = &t->rule;
    size_t head = row % t->group, visible = t->visible + row / t->group, start = 0;
    size_t own_token = t->prefix + visible - 1; /* the row's own, among all */
    size_t prefix_columns = seen->prefix * GK_PAGE, before = seen->first * GK_PAGE;
    if (rule->window && own_token + 1 > rule->window) start = own_token + 1 - rule->window;
    if (visible < t->shared) visible = t->shared;
    if (rule->soft_cap > 0) GK(soft_cap)(scores, rule->soft_cap, seen->count * GK_PAGE);
    if (rule->slopes) GK(add_distances)(scores, t, seen, rule->slopes[head], own_token);
    /* Unseen: what the window has left, what fills the prefix's last page, what comes after. */
    size_t first = start < t->prefix ? start : prefix_columns + (start - t->prefix);
    for (size_t c = before; c < first; c++) scores[c - before] = -INFINITY;
    for (size_t c = before > t->prefix ? before : t->prefix; c < prefix_columns; c++)
        scores[c - before] = -INFINITY;
    for (size_t c = prefix_columns + visible - before; c < columns; c++) scores[c] = -INFINITY;
    float largest = maximum_of(scores, columns), sink = -INFINITY;
    if (rule->sinks) { /* a column without a value, which takes its share of the probability away */
        sink = rule->sinks[head];
        if (rule->slopes) sink -= rule->slopes[head] * (float)own_token;
        if (sink > largest) largest = sink;
    }
    float sum = GK(exponentials)(scores, largest, columns);
    if (rule->sinks) sum += GK(exponential_of)(sink - largest);
    return 1.0f / sum;
}

static const float *page_keys(const gk_attention_tile *t, const gk_seen_pages *seen, size_t page) {
    return gk_seen_page(t, seen, page) + t->head_offset;
}

/* `pairs` steps of a panel of bf16 as steps of f32, `stride` floats apart. `next` is fetched. */
INLINE void widen_panel(const float *panel, const float *next, size_t pairs, size_t stride,
                        float *target) {
    for (size_t p = 0; p < pairs; p++) {
        __builtin_prefetch(next + p * GK_PANEL);
        lanes_u pair = LOAD_WORDS(panel + p * GK_PANEL);
        STORE(target + 2 * p * stride, even_of_pair(pair));
        STORE(target + (2 * p + 1) * stride, odd_of_pair(pair));
    }
}

/* scores[row][column] = q · k */
static void GK(attention_scores)(const gk_attention_tile *t, size_t rows, const float *queries,
                                 const gk_seen_pages *seen, float *scores, float *widened) {
    size_t dimension = t->head_dimension, pages = seen->count, columns = pages * GK_PAGE;
    for (size_t page = 0; page < pages; page += 2) {
        float *sums = scores + page * GK_PAGE;
        const float *keys[4];
        for (size_t i = 0; i < 4; i++)
            keys[i] = page_keys(t, seen, page + i < pages ? page + i : page);
        panel_twins twins = {keys[0], keys[1], keys[2], keys[3]};
        if (t->type == GK_BF16) {
            float *second = widened + (dimension + 1) / 2 * 2 * GK_PAGE;
            widen_panel(keys[0], keys[2], (dimension + 1) / 2, GK_PAGE, widened);
            widen_panel(keys[1], keys[3], (dimension + 1) / 2, GK_PAGE, second);
            twins = (panel_twins){widened, second, widened, second};
        }
        if (page + 1 < pages)
            twin_product(rows, dimension, queries, dimension, &twins, GK_PAGE, sums,
                         sums + GK_PAGE, columns, 0);
        else
            panel_product(rows, dimension, queries, dimension, twins.first, GK_PAGE, sums, columns,
                          0);
    }
}

/* sums[row] += scores[row][columns of a page] · values of that page */
static void GK(attention_values)(const gk_attention_tile *t, size_t rows, const float *scores,
                                 size_t columns, const float *values, const float *next,
                                 float *sums, float *widened) {
    size_t dimension = t->head_dimension, padded = (dimension + LANES - 1) / LANES * LANES;
    size_t lane = 0;
    if (t->type == GK_BF16) {
        for (size_t panel = 0; panel < padded; panel += LANES)
            widen_panel(values + panel * GK_PAGE / 2, next + panel * GK_PAGE / 2, GK_PAGE / 2,
                        padded, widened + panel);
        values = next = widened;
    }
    for (; lane + 2 * LANES <= padded; lane += 2 * LANES) {
        panel_twins twins = {values + lane, values + lane + LANES, next + lane,
                             next + lane + LANES};
        twin_product(rows, GK_PAGE, scores, columns, &twins, padded, sums + lane,
                     sums + lane + LANES, padded, 1);
    }
    if (lane < padded)
        panel_product(rows, GK_PAGE, scores, columns, values + lane, padded, sums + lane, padded,
                      1);
}

static void GK(attention)(const gk_attention_tile *t) {
    size_t dimension = t->head_dimension, padded = (dimension + LANES - 1) / LANES * LANES;
    size_t rows = t->positions * t->group;
    gk_seen_pages seen = gk_pages_seen(t);
    size_t pages = seen.count, columns = pages * GK_PAGE;
    size_t value_offset = gk_page_key_words(t->type, dimension);
    float *queries = t->scratch, *sums = queries + rows * dimension;
    float *scores = sums + rows * padded, *widened = scores + rows * columns;

    for (size_t row = 0; row < rows; row++) {
        memcpy(queries + row * dimension,
               t->queries + row / t->group * t->query_stride + row % t->group * dimension,
               dimension * sizeof(float));
    }
    GK(scale)(queries, t->scale, rows * dimension);
    GK(attention_scores)(t, rows, queries, &seen, scores, widened);
    float *factors = queries; /* which nobody needs any more */
    for (size_t row = 0; row < rows; row++)
        factors[row] = GK(soften)(scores + row * columns, columns, t, &seen, row);
    memset(sums, 0, rows * padded * sizeof(float));
    for (size_t page = 0; page < pages; page++) {
        size_t next = page + 1 < pages ? page + 1 : page;
        GK(attention_values)(t, rows, scores + page * GK_PAGE, columns,
                             page_keys(t, &seen, page) + value_offset,
                             page_keys(t, &seen, next) + value_offset, sums, widened);
    }
    for (size_t row = 0; row < rows; row++) {
        GK(scale)(sums + row * padded, factors[row], dimension);
        memcpy(t->output + row / t->group * t->output_stride + row % t->group * dimension,
               sums + row * padded, dimension * sizeof(float));
    }
}

/* One token's halves of 16 words, of which its neighbour has the others. They are written alone:
 * the neighbour's may be written by another thread at the same time. */
#ifndef STORE_HALVES
typedef uint16_t __attribute__((may_alias)) half_of_word;
INLINE void store_halves(lanes_u *words, size_t slot, lanes_u halves) {
    half_of_word *target = (half_of_word *)words + slot % 2;
    for (int i = 0; i < LANES; i++) target[2 * i] = (uint16_t)halves[i];
}
#define STORE_HALVES(words, slot, halves) store_halves((lanes_u *)(words), slot, halves)
#endif

/* A token's key and value of one head into a page of bf16; `keys` and `values` are the head's. */
static void GK(store_bf16)(const float *key, const float *value, size_t dimension, size_t slot,
                           float *keys, float *values) {
    for (size_t i = 0; i < dimension; i += LANES) {
        size_t left = dimension - i;
        lanes_f k = left < LANES ? load_part(key + i, left, 0) : LOAD(key + i);
        lanes_f v = left < LANES ? load_part(value + i, left, 0) : LOAD(value + i);
        lanes_u rounded = round_to_bf16((lanes_u)k);
        uint32_t *words = (uint32_t *)keys + i / 2 * GK_PAGE + slot;
        for (size_t pair = 0; pair < LANES / 2 && 2 * pair < left; pair++)
            words[pair * GK_PAGE] = rounded[2 * pair] | rounded[2 * pair + 1] << 16;
        STORE_HALVES(values + (i / LANES * (GK_PAGE / 2) + slot / 2) * GK_PANEL, slot,
                     round_to_bf16((lanes_u)v));
    }
}

static void GK(fill_table)(gk_table *table) {
    table->multiply = GK(multiply);
    table->multiply_bf16_rows = NULL;
    table->multiply_blocks = GK(multiply_blocks);
    table->read_floats = GK(read_floats);
    table->peak_fma = GK(peak_fma);
    table->peak_dots = GK(peak_dots);
    table->dots = GK(dots);
    table->fourier_stage = GK(fourier_stage);
    table->fourier_turn = GK(fourier_turn);
    table->sparse_add = GK(sparse_add);
    table->round_rows_bf16 = GK(round_rows_bf16);
    table->round_rows_int8 = GK(round_rows_int8);
    table->attention = GK(attention);
    table->attention_bf16 = GK(attention);
    table->soften = GK(soften);
    table->store_bf16 = GK(store_bf16);
    table->rms_norm = GK(rms_norm);
    table->layer_norm = GK(layer_norm);
    table->rotary = GK(rotary);
    table->rotary_neighbours = GK(rotary_neighbours);
    table->activate = GK(activate);
    table->soft_cap = GK(soft_cap);
    table->add = GK(add);
    table->scaled_add = GK(scaled_add);
    table->scaled_product_add = GK(scaled_product_add);
    table->scale = GK(scale);
    table->index_of_maximum = GK(index_of_maximum);
    table->index_at_least = GK(index_at_least);
    table->index_of_sum = GK(index_of_sum);
    table->log_sum_exp = GK(log_sum_exp);
    table->exponentials = GK(exponentials);
}
