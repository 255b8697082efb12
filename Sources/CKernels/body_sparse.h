/* Rows times a matrix of few values, sorted by output.
 *
 *   y[o] += scale * ((s0 + s1) + (s2 + s3))     s_i adds every fourth value of o, from its i-th on
 *
 * Four chains of fused multiply-adds, since one would wait for itself. Several rows stand side by
 * side, so that a value is read once for all of them; each has the bits that it has alone.
 */
#include "body_lanes.h"

typedef float rows_f __attribute__((ext_vector_type(GK_SPARSE_ROWS)));
typedef float rows_f_unaligned __attribute__((ext_vector_type(GK_SPARSE_ROWS), aligned(4)));

#define DEFINE_SPARSE_SUM(NAME, SUM, X)                                                           \
    INLINE SUM NAME(const gk_sparse_matrix *m, size_t i, size_t end, const float *x) {            \
        SUM s0 = 0, s1 = 0, s2 = 0, s3 = 0;                                                       \
        for (; i + 4 <= end; i += 4) {                                                            \
            s0 = FMA((SUM)m->values[i], X(m->columns[i]), s0);                                    \
            s1 = FMA((SUM)m->values[i + 1], X(m->columns[i + 1]), s1);                            \
            s2 = FMA((SUM)m->values[i + 2], X(m->columns[i + 2]), s2);                            \
            s3 = FMA((SUM)m->values[i + 3], X(m->columns[i + 3]), s3);                            \
        }                                                                                         \
        if (i < end) s0 = FMA((SUM)m->values[i], X(m->columns[i]), s0);                           \
        if (i + 1 < end) s1 = FMA((SUM)m->values[i + 1], X(m->columns[i + 1]), s1);               \
        if (i + 2 < end) s2 = FMA((SUM)m->values[i + 2], X(m->columns[i + 2]), s2);               \
        return (s0 + s1) + (s2 + s3);                                                             \
    }

#define X_OF_ROW(column) x[column]
#define X_OF_ROWS(column) (*(const rows_f_unaligned *)(x + (size_t)(column) * GK_SPARSE_ROWS))
DEFINE_SPARSE_SUM(sparse_sum, float, X_OF_ROW)
DEFINE_SPARSE_SUM(sparse_sums, rows_f, X_OF_ROWS)

static void GK(sparse_add_row)(const gk_sparse_matrix *m, const float *x, float scale, float *y) {
    for (size_t o = 0; o < m->outputs; o++) {
        size_t first = (size_t)m->starts[o], end = (size_t)m->starts[o + 1];
        if (first < end) y[o] += scale * sparse_sum(m, first, end, x);
    }
}

static void GK(sparse_add)(const gk_sparse_product *p) {
    const gk_sparse_matrix *m = p->matrix;
    if (p->rows == 1) return GK(sparse_add_row)(m, p->x, p->scale, p->y);
    for (size_t k = 0; k < m->inputs; k++)
        for (size_t r = 0; r < GK_SPARSE_ROWS; r++)
            p->scratch[k * GK_SPARSE_ROWS + r] = r < p->rows ? p->x[r * p->x_stride + k] : 0.0f;
    for (size_t o = 0; o < m->outputs; o++) {
        size_t first = (size_t)m->starts[o], end = (size_t)m->starts[o + 1];
        if (first == end) continue;
        rows_f sums = (rows_f)(p->scale) * sparse_sums(m, first, end, p->scratch);
        for (size_t r = 0; r < p->rows; r++) p->y[r * p->y_stride + o] += sums[r];
    }
}
