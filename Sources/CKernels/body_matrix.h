/* Products of rows with packed panels, written once over 16 lanes, one lane an output.
 *
 *   acc[o] = fma(x[k], W[o, k], acc[o])     k ascending, W widened to f32 exactly
 *
 * Few rows: see body_few.h. More rows: see body_stream.h.
 */
#include "body_tile.h"
#include "body_widen.h"
#include "body_few.h"
#include "body_stream.h"

/* The last panel of a matrix whose outputs don't fill it: sums at full width, then the part that
 * exists. */
static void GK(multiply_edge)(const gk_product *q, const uint8_t *panel, size_t index) {
    float *sums = q->scratch + GK_UNPACKED_FLOATS;
    for (size_t row = 0, rows; row < q->rows; row += rows) {
        rows = q->rows - row < GK_EDGE_ROWS ? q->rows - row : GK_EDGE_ROWS;
        for (size_t r = 0; q->accumulate && r < rows; r++)
            STORE(sums + r * GK_PANEL, take_lanes(q, row + r, index));
        rows_by_panel(q, panel, row, rows, sums, GK_PANEL, q->accumulate);
        for (size_t r = 0; r < rows; r++)
            put_lanes(q, row + r, index, LOAD(sums + r * GK_PANEL));
    }
}

static void GK(multiply_many)(const gk_product *q) {
    size_t panel_bytes = gk_panel_bytes(q->type, q->inputs);
    for (size_t index = q->first_panel; index < q->last_panel; index++) {
        const uint8_t *panel = (const uint8_t *)q->packed + index * panel_bytes;
        if ((index + 1) * GK_PANEL > q->outputs)
            GK(multiply_edge)(q, panel, index);
        else
            rows_by_panel(q, panel, 0, q->rows, q->y + index * GK_PANEL, q->y_stride,
                          q->accumulate);
    }
}

static void GK(multiply)(const gk_product *q) {
    if (q->rows <= FEW_ROWS) GK(multiply_few)(q);
    else GK(multiply_many)(q);
}
