/* One stage of a Fourier transform by the factors of its length (Cooley and Tukey, 1965).
 *
 *   t[r] = x[f][r] · e^(-2πi f r / (length · factor))
 *   y[k][f] = Σ_r t[r] · e^(-2πi k r / factor)
 *
 *   before: [length][factor][rest]     after: [factor][length][rest]
 *
 * The innermost loops run over `rest` neighbours with the same turns, in the compiler's vectors;
 * 2, 3 and 4 have their sums written out.
 */
#include "body_lanes.h"

#define EACH_NEIGHBOUR(s) \
    _Pragma("clang loop vectorize(assume_safety)") for (size_t i = 0; i < (s)->rest; i++)

/* Part r of sequence f, turned: declares n##_r and n##_i. */
#define TURNED(n, s, f, r)                                                      \
    const float n##_x = (s)->real[((f) * (s)->factor + (r)) * (s)->rest + i];   \
    const float n##_y = (s)->imaginary[((f) * (s)->factor + (r)) * (s)->rest + i]; \
    const float n##_r = n##_c * n##_x + n##_s * n##_y;                          \
    const float n##_i = n##_c * n##_y - n##_s * n##_x;

/* Cosine and sine that part r of sequence f turns by. */
#define TURN(n, s, f, r)                                         \
    const float n##_c = (s)->turns[(f) * (s)->factor + (r)];     \
    const float n##_s = (s)->turns[((s)->length + (f)) * (s)->factor + (r)];

#define PUT_PART(s, f, k, re, im)                                               \
    (s)->to_real[((k) * (s)->length + (f)) * (s)->rest + i] = (re);        \
    (s)->to_imaginary[((k) * (s)->length + (f)) * (s)->rest + i] = (im);

static void GK(fourier_2)(const gk_fourier_stage *s) {
    for (size_t f = 0; f < s->length; f++) {
        TURN(a, s, f, 0)
        TURN(b, s, f, 1)
        EACH_NEIGHBOUR(s) {
            TURNED(a, s, f, 0)
            TURNED(b, s, f, 1)
            PUT_PART(s, f, 0, a_r + b_r, a_i + b_i)
            PUT_PART(s, f, 1, a_r - b_r, a_i - b_i)
        }
    }
}

static void GK(fourier_3)(const gk_fourier_stage *s) {
    const float half_root = 0.86602540378443865f; /* sin(2π / 3) */
    for (size_t f = 0; f < s->length; f++) {
        TURN(a, s, f, 0)
        TURN(b, s, f, 1)
        TURN(c, s, f, 2)
        EACH_NEIGHBOUR(s) {
            TURNED(a, s, f, 0)
            TURNED(b, s, f, 1)
            TURNED(c, s, f, 2)
            const float sum_r = b_r + c_r, sum_i = b_i + c_i;
            const float side_r = half_root * (b_r - c_r), side_i = half_root * (b_i - c_i);
            const float middle_r = a_r - 0.5f * sum_r, middle_i = a_i - 0.5f * sum_i;
            PUT_PART(s, f, 0, a_r + sum_r, a_i + sum_i)
            PUT_PART(s, f, 1, middle_r + side_i, middle_i - side_r)
            PUT_PART(s, f, 2, middle_r - side_i, middle_i + side_r)
        }
    }
}

static void GK(fourier_4)(const gk_fourier_stage *s) {
    for (size_t f = 0; f < s->length; f++) {
        TURN(a, s, f, 0)
        TURN(b, s, f, 1)
        TURN(c, s, f, 2)
        TURN(d, s, f, 3)
        EACH_NEIGHBOUR(s) {
            TURNED(a, s, f, 0)
            TURNED(b, s, f, 1)
            TURNED(c, s, f, 2)
            TURNED(d, s, f, 3)
            const float even_r = a_r + c_r, even_i = a_i + c_i;
            const float across_r = a_r - c_r, across_i = a_i - c_i;
            const float odd_r = b_r + d_r, odd_i = b_i + d_i;
            const float other_r = b_r - d_r, other_i = b_i - d_i;
            PUT_PART(s, f, 0, even_r + odd_r, even_i + odd_i)
            PUT_PART(s, f, 1, across_r + other_i, across_i - other_r)
            PUT_PART(s, f, 2, even_r - odd_r, even_i - odd_i)
            PUT_PART(s, f, 3, across_r - other_i, across_i + other_r)
        }
    }
}

/* Any factor: each output sums its parts one after the other. */
static void GK(fourier_any)(const gk_fourier_stage *s) {
    for (size_t f = 0; f < s->length; f++)
        for (size_t k = 0; k < s->factor; k++)
            for (size_t r = 0; r < s->factor; r++) {
                TURN(own, s, f, r)
                const size_t root = k * r % s->factor;
                const float root_c = s->roots[root], root_s = s->roots[s->factor + root];
                const float part_c = own_c * root_c - own_s * root_s;
                const float part_s = own_s * root_c + own_c * root_s;
                const size_t to = (k * s->length + f) * s->rest;
                EACH_NEIGHBOUR(s) {
                    TURNED(part, s, f, r)
                    s->to_real[to + i] = r ? s->to_real[to + i] + part_r : part_r;
                    s->to_imaginary[to + i] = r ? s->to_imaginary[to + i] + part_i : part_i;
                }
            }
}

static void GK(fourier_stage)(const gk_fourier_stage *s) {
    switch (s->factor) {
    case 2: return GK(fourier_2)(s);
    case 3: return GK(fourier_3)(s);
    case 4: return GK(fourier_4)(s);
    default: return GK(fourier_any)(s);
    }
}

#undef EACH_NEIGHBOUR
#undef TURNED
#undef TURN
#undef PUT_PART

/* Between the stages of columns and those of rows: place [row][column] turns by its own angle, and
 * moves to [column][row]. */
static void GK(fourier_turn)(const gk_fourier_turn *t) {
    enum { SOME = 16 };
    float re[SOME], im[SOME];
    for (size_t row = 0; row < t->rows; row++) {
        for (size_t first = 0; first < t->columns; first += SOME) {
            size_t at = row * t->columns + first;
            size_t count = t->columns - first < SOME ? t->columns - first : SOME;
            const float *c = t->turns + at, *s = c + t->rows * t->columns;
            const float *x = t->real + at, *y = t->imaginary + at;
            for (size_t i = 0; i < count; i++) {
                re[i] = c[i] * x[i] + s[i] * y[i];
                im[i] = c[i] * y[i] - s[i] * x[i];
            }
            float *to_real = t->to_real + first * t->rows + row;
            float *to_imaginary = t->to_imaginary + first * t->rows + row;
            for (size_t i = 0; i < count; i++) {
                to_real[i * t->rows] = re[i];
                to_imaginary[i * t->rows] = im[i];
            }
        }
    }
}
