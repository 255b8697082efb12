/* A row times a matrix of few values, sorted by output.
 *
 *   y[o] += scale * ((s0 + s1) + (s2 + s3))     s_i adds every fourth value of o, from its i-th on
 *
 * Four chains of fused multiply-adds, since one would wait for itself.
 */
#include "body_lanes.h"

static void GK(sparse_add)(const gk_sparse_matrix *m, const float *x, float scale, float *y) {
    for (size_t o = 0; o < m->outputs; o++) {
        size_t i = (size_t)m->starts[o], end = (size_t)m->starts[o + 1];
        if (i == end) continue;
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (; i + 4 <= end; i += 4) {
            s0 = fmaf(m->values[i], x[m->columns[i]], s0);
            s1 = fmaf(m->values[i + 1], x[m->columns[i + 1]], s1);
            s2 = fmaf(m->values[i + 2], x[m->columns[i + 2]], s2);
            s3 = fmaf(m->values[i + 3], x[m->columns[i + 3]], s3);
        }
        if (i < end) s0 = fmaf(m->values[i], x[m->columns[i]], s0);
        if (i + 1 < end) s1 = fmaf(m->values[i + 1], x[m->columns[i + 1]], s1);
        if (i + 2 < end) s2 = fmaf(m->values[i + 2], x[m->columns[i + 2]], s2);
        y[o] += scale * ((s0 + s1) + (s2 + s3));
    }
}
