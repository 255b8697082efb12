/* Activations of rows of f32, written once over 16 lanes: each is a function of a lane, with
 * multiply-adds written out, so that levels agree bit for bit and no length has bits of its own.
 *
 *   silu        x / (1 + e^-x)
 *   gelu        x Phi(x), Phi being the share of the normal distribution below x
 *   gelu tanh   x / (1 + e^(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3)
 *   quick gelu  x / (1 + e^(-1.702 x))
 *
 * gelu tanh is 0.5 x (1 + tanh u), without the difference that loses digits below 0. */
#include "body_lanes.h"

INLINE lanes_f silu(lanes_f x) { return x / (SPLAT(1.0f) + exponential(-x)); }

INLINE lanes_f magnitude(lanes_f x) { return (lanes_f)((lanes_u)x & 0x7fffffffu); }

/* tanh within 3e-7 of its value: an odd polynomial (Cephes' tanhf) near 0, further away
 * 1 - 2 / (e^2|x| + 1), which comes to 1 without a quotient of infinities. */
INLINE lanes_f hyperbolic_tangent(lanes_f x) {
    lanes_f a = magnitude(x), square = a * a;
    lanes_f p = SPLAT(-5.70498872745e-3f);
    p = FMA(p, square, SPLAT(2.06390887954e-2f));
    p = FMA(p, square, SPLAT(-5.37397155531e-2f));
    p = FMA(p, square, SPLAT(1.33314422036e-1f));
    p = FMA(p, square, SPLAT(-3.33332819422e-1f));
    lanes_f near = FMA(p * square, a, a);
    lanes_f far = SPLAT(1.0f) - SPLAT(2.0f) / (exponential(a + a) + SPLAT(1.0f));
    lanes_u sign = (lanes_u)x & 0x80000000u;
    return (lanes_f)((lanes_u)blend(a < SPLAT(0.625f), near, far) | sign);
}

/* The normal distribution's share beyond |x| is e^(-x^2 / 2) t R(t) with t = 1 / (1 + 0.35 |x|); R,
 * fitted to the least largest relative error, is within 4e-8. What squaring rounds away goes into
 * the power as well, as e^-d = 1 - d. From 14 on the share is 0 in f32. */
INLINE lanes_f gelu(lanes_f x) {
    lanes_f a = magnitude(x);
    a = blend(a > SPLAT(14.0f), SPLAT(14.0f), a);
    lanes_f t = SPLAT(1.0f) / FMA(a, SPLAT(0.35f), SPLAT(1.0f));
    lanes_f p = SPLAT(-0.0291461349f);
    p = FMA(p, t, SPLAT(0.143972680f));
    p = FMA(p, t, SPLAT(-0.255716264f));
    p = FMA(p, t, SPLAT(0.159176439f));
    p = FMA(p, t, SPLAT(-0.0231113750f));
    p = FMA(p, t, SPLAT(0.105508648f));
    p = FMA(p, t, SPLAT(0.119832709f));
    p = FMA(p, t, SPLAT(0.139861897f));
    p = FMA(p, t, SPLAT(0.139621407f));
    lanes_f square = a * a, lost = FMA(a, a, -square);
    lanes_f power = exponential(square * SPLAT(-0.5f));
    power = FMA(power * SPLAT(-0.5f), lost, power);
    lanes_f beyond = p * t * power;
    return x * blend(x < SPLAT(0.0f), beyond, SPLAT(1.0f) - beyond);
}

INLINE lanes_f gelu_tanh(lanes_f x) {
    lanes_f u = x * FMA(x * x, SPLAT(0.0713548163f), SPLAT(1.59576912f)); /* 2 u above */
    return x / (SPLAT(1.0f) + exponential(-u));
}

INLINE lanes_f quick_gelu(lanes_f x) {
    return x / (SPLAT(1.0f) + exponential(x * SPLAT(-1.702f)));
}

INLINE lanes_f relu(lanes_f x) { return blend(x < SPLAT(0.0f), SPLAT(0.0f), x); }

INLINE lanes_f relu_squared(lanes_f x) { return relu(x) * relu(x); }

/* values = f(values), times `factors` where there are any. */
#define DEFINE_ACTIVATION(f)                                                                      \
    static void GK(f##_row)(float *values, const float *factors, size_t count) {                  \
        size_t i = 0;                                                                             \
        if (factors) {                                                                            \
            for (; i + LANES <= count; i += LANES)                                                \
                STORE(values + i, f(LOAD(values + i)) * LOAD(factors + i));                       \
            if (i < count)                                                                        \
                store_part(values + i, count - i,                                                 \
                           f(load_part(values + i, count - i, 0)) *                               \
                               load_part(factors + i, count - i, 0));                             \
            return;                                                                               \
        }                                                                                         \
        for (; i + LANES <= count; i += LANES) STORE(values + i, f(LOAD(values + i)));            \
        if (i < count)                                                                            \
            store_part(values + i, count - i, f(load_part(values + i, count - i, 0)));            \
    }

DEFINE_ACTIVATION(silu)
DEFINE_ACTIVATION(gelu)
DEFINE_ACTIVATION(gelu_tanh)
DEFINE_ACTIVATION(relu)
DEFINE_ACTIVATION(relu_squared)
DEFINE_ACTIVATION(quick_gelu)

static void GK(activate)(gk_activation activation, float *values, const float *factors,
                         size_t count) {
    switch (activation) {
    case GK_SILU: GK(silu_row)(values, factors, count); break;
    case GK_GELU: GK(gelu_row)(values, factors, count); break;
    case GK_GELU_TANH: GK(gelu_tanh_row)(values, factors, count); break;
    case GK_RELU: GK(relu_row)(values, factors, count); break;
    case GK_RELU_SQUARED: GK(relu_squared_row)(values, factors, count); break;
    case GK_QUICK_GELU: GK(quick_gelu_row)(values, factors, count); break;
    }
}

static void GK(soft_cap)(float *x, float cap, size_t count) {
    lanes_f scale = SPLAT(cap), inverse = SPLAT(1.0f / cap);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        STORE(x + i, scale * hyperbolic_tangent(LOAD(x + i) * inverse));
    if (i < count)
        store_part(x + i, count - i,
                   scale * hyperbolic_tangent(load_part(x + i, count - i, 0) * inverse));
}
