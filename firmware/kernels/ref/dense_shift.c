/* dense.c for weights that are signed powers of two. */
#define EL_SHIFT
#include "dense.c"
