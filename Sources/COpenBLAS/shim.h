/* The parts of OpenBLAS that loading and merging use. */
#ifndef GRAFT_OPENBLAS_SHIM_H
#define GRAFT_OPENBLAS_SHIM_H

#include <cblas.h>

#endif
