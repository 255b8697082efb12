/* Attention of a tile of query rows over paged keys and values: two panel products with a softmax
 * between them. A page's keys [dimension][16 tokens] are a panel with one lane a token; its values
 * [16 tokens][dimension] are panels with one lane a dimension.
 *
 * Columns are padded to whole pages; a column that a row does not see has probability 0, which adds
 * exactly nothing, so neither tile nor chunk nor page boundaries change a row's bits.
 */
static void GK(soften)(float *scores, size_t columns, size_t prefix_columns, size_t prefix,
                       size_t own, float scale) {
    GK(scale)(scores, scale, columns);
    for (size_t c = prefix; c < prefix_columns; c++) scores[c] = -INFINITY;
    for (size_t c = prefix_columns + own; c < columns; c++) scores[c] = -INFINITY;
    float maximum = maximum_of(scores, columns);
    float sum = GK(exponentials)(scores, maximum, columns);
    GK(scale)(scores, 1.0f / sum, columns);
}

/* Where a head's keys lie in a page; its values follow them. */
static const float *page_keys(const gk_attention_tile *t, size_t prefix_pages, size_t page) {
    return (page < prefix_pages ? t->prefix_pages[page] : t->pages[page - prefix_pages]) +
           t->head_offset;
}

static void GK(attention)(const gk_attention_tile *t) {
    size_t dimension = t->head_dimension, padded = (dimension + LANES - 1) / LANES * LANES;
    size_t rows = t->positions * t->group;
    size_t prefix_pages = (t->prefix + GK_PAGE - 1) / GK_PAGE;
    size_t own_pages = (t->visible + t->positions - 1 + GK_PAGE - 1) / GK_PAGE;
    size_t pages = prefix_pages + own_pages, columns = pages * GK_PAGE;
    float *queries = t->scratch, *sums = queries + rows * dimension;
    float *scores = sums + rows * padded;

    for (size_t row = 0; row < rows; row++)
        memcpy(queries + row * dimension,
               t->queries + row / t->group * t->query_stride + row % t->group * dimension,
               dimension * sizeof(float));
    for (size_t page = 0; page < pages; page += 2) {
        float *sums_of_page = scores + page * GK_PAGE;
        panel_twins twins;
        twins.first = page_keys(t, prefix_pages, page);
        twins.next = page + 2 < pages ? page_keys(t, prefix_pages, page + 2) : twins.first;
        twins.next2 = page + 3 < pages ? page_keys(t, prefix_pages, page + 3) : twins.next;
        if (page + 1 < pages) {
            twins.second = page_keys(t, prefix_pages, page + 1);
            twin_product(rows, dimension, queries, dimension, &twins, GK_PAGE, sums_of_page,
                         sums_of_page + GK_PAGE, columns, 0);
        } else {
            panel_product(rows, dimension, queries, dimension, twins.first, GK_PAGE, sums_of_page,
                          columns, 0);
        }
    }
    for (size_t row = 0; row < rows; row++)
        GK(soften)(scores + row * columns, columns, prefix_pages * GK_PAGE, t->prefix,
                   t->visible + row / t->group, t->scale);
    memset(sums, 0, rows * padded * sizeof(float));
    for (size_t page = 0; page < pages; page++) {
        const float *values = page_keys(t, prefix_pages, page) + dimension * GK_PAGE;
        const float *next = page + 1 < pages
                                ? page_keys(t, prefix_pages, page + 1) + dimension * GK_PAGE
                                : values;
        const float *shares = scores + page * GK_PAGE;
        size_t lane = 0;
        for (; lane + 2 * LANES <= padded; lane += 2 * LANES) {
            panel_twins twins = {values + lane, values + lane + LANES, next + lane,
                              next + lane + LANES};
            twin_product(rows, GK_PAGE, shares, columns, &twins, padded, sums + lane,
                         sums + lane + LANES, padded, 1);
        }
        if (lane < padded)
            panel_product(rows, GK_PAGE, shares, columns, values + lane, padded, sums + lane, padded,
                          1);
    }
    for (size_t row = 0; row < rows; row++)
        memcpy(t->output + row / t->group * t->output_stride + row % t->group * dimension,
               sums + row * padded, dimension * sizeof(float));
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
    table->rms_norm = GK(rms_norm);
    table->rotary = GK(rotary);
    table->silu_multiply = GK(silu_multiply);
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
