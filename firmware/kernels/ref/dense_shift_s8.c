/* dense_s8.c for weights that are signed powers of two. */
#define EL_SHIFT
#include "dense_s8.c"
