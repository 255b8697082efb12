// json-c: the parser that StrictJSON drives.
#ifndef GRAFT_CJSON_SHIM_H
#define GRAFT_CJSON_SHIM_H

#include <json-c/json.h>

#endif
