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

/* Eigenvalues in a range, and their eigenvectors, by relatively robust representations. */
void dsyevr_(
    const char *jobz, const char *range, const char *uplo, const blasint *n, double *a,
    const blasint *lda, const double *vl, const double *vu, const blasint *il, const blasint *iu,
    const double *abstol, blasint *m, double *w, double *z, const blasint *ldz, blasint *isuppz,
    double *work, const blasint *lwork, blasint *iwork, const blasint *liwork, blasint *info,
    size_t jobz_length, size_t range_length, size_t uplo_length);

/* The solution of A X = B by an LU decomposition with row exchanges. */
void dgesv_(
    const blasint *n, const blasint *nrhs, double *a, const blasint *lda, blasint *ipiv, double *b,
    const blasint *ldb, blasint *info);

#endif
