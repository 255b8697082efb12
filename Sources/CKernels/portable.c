/* The kernels without any assumption about the processor: the specification. */
#define GK(name) gk_##name##_portable
#define TILE 6
#define INT_TILE 4
#define FEW_ROWS 3
#define DOT_ROWS 3
#define DOT_OUTPUTS 2

#pragma clang diagnostic ignored "-Wpsabi"

#include "body_vector.h"
#include "body_activation.h"
#include "body_matrix.h"
#include "int8_portable.h"
#include "body_int8.h"
#include "body_dots.h"
#include "body_fourier.h"
#include "body_sparse.h"
#include "body_attention.h"

void gk_init_portable(gk_table *table) { gk_fill_table_portable(table); }
