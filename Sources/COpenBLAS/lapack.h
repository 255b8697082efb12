/* LAPACK's routines in double precision that loading adapters uses. OpenBLAS has the Fortran routines,
   and no header for them; the length of each text argument follows the others, as gfortran passes it. */
#ifndef GRAFT_OPENBLAS_LAPACK_H
#define GRAFT_OPENBLAS_LAPACK_H

#include <cblas.h>
#include <stddef.h>

/* Eigenvalues, ascending, and eigenvectors of a symmetric matrix. */
void dsyevd_(
    const char *jobz, const char *uplo, const blasint *n, double *a, const blasint *lda, double *w,
    double *work, const blasint *lwork, blasint *iwork, const blasint *liwork, blasint *info,
    size_t jobz_length, size_t uplo_length);

/* The solution of A X = B by an LU decomposition with row exchanges. */
void dgesv_(
    const blasint *n, const blasint *nrhs, double *a, const blasint *lda, blasint *ipiv, double *b,
    const blasint *ldb, blasint *info);

#endif
