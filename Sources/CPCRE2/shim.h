// PCRE2 with 8-bit code units: subjects and patterns are UTF-8.
#ifndef GRAFT_CPCRE2_SHIM_H
#define GRAFT_CPCRE2_SHIM_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#endif
