/* The parts of OpenBLAS that loading, merging and the tools for adapters use. */
#ifndef GRAFT_OPENBLAS_SHIM_H
#define GRAFT_OPENBLAS_SHIM_H

#include <cblas.h>
#include <stddef.h>

/* LAPACK: singular value decomposition by divide and conquer. OpenBLAS has the Fortran routine but no
   header for it; the length of each text argument follows the others, as gfortran passes it. */
void sgesdd_(
    const char *jobz, const blasint *m, const blasint *n, float *a, const blasint *lda, float *s,
    float *u, const blasint *ldu, float *vt, const blasint *ldvt, float *work,
    const blasint *lwork, blasint *iwork, blasint *info, size_t jobz_length);

#endif
